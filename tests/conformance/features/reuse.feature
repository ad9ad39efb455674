Feature: Functions, extensions and sub-workflows

  # proves: W1, F5
  Scenario: A function of use.functions gets its arguments as input
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-55, version: '1.0.0'}
    use:
      functions:
        greet: {set: {greeting: '${ "Hello " + .name }'}}
    do:
      - hi: {call: greet, with: {name: '${ .who }'}}
    """
    And given the workflow input is:
    """yaml
    who: Ann
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    greeting: Hello Ann
    """

  # proves: W1
  Scenario: The default catalog offers functions by version
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-56, version: '1.0.0'}
    do:
      - same: {call: 'noop:1.0.0@default', with: {n: '${ .n + 1 }'}}
    """
    And given the workflow input is:
    """yaml
    n: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 2
    """

  # What an extension's tasks put out is theirs: only `then: exit` and what they export reaches the workflow. The DSL's own example, a log call before
  # and after every task, would otherwise replace the data of each task by the log service's answer.
  # proves: W1
  Scenario: An extension runs before and after
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-57, version: '1.0.0'}
    use:
      extensions:
        - note:
            extend: set
            before: [{pre: {set: {x: 1}, export: {as: '$context + {before: true}'}}}]
            after: [{post: {set: {x: 2}, export: {as: '$context + {after: $input.trace}'}}}]
    do:
      - work: {set: {trace: '${ .trace + ["work"] }'}}
      - show: {set: {trace: '${ .trace }', context: '${ $context }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    trace: [work]
    context: {before: true, after: [work]}
    """

  # proves: W1
  Scenario: An extension can replace a call
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-58, version: '1.0.0'}
    use:
      extensions:
        - mock:
            extend: call
            when: $task.call == "http"
            before: [{fake: {set: {content: mocked}, then: exit}}]
    do:
      - get: {call: http, with: {method: get, endpoint: 'https://nowhere.invalid/'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    content: mocked
    """

  # proves: W1
  Scenario: A workflow runs another one
    Given another workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: doubler, version: '1.0.0'}
    do:
      - double: {set: {n: '${ .n * 2 }'}}
    """
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-59, version: '1.0.0'}
    do:
      - child: {run: {workflow: {namespace: default, name: doubler, version: '1.0.0', input: {n: '${ .n }'}}}}
      - plus: {set: {n: '${ .n + 1 }'}}
    """
    And given the workflow input is:
    """yaml
    n: 20
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 41
    """

  # proves: W1
  Scenario: The error of a sub-workflow is the step's error
    Given another workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: failing, version: '1.0.0'}
    do:
      - fail: {raise: {error: {type: 'https://example.com/child', status: 500, title: Child}}}
    """
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-60, version: '1.0.0'}
    do:
      - child: {run: {workflow: {namespace: default, name: failing, version: '1.0.0'}}}
    """
    When the workflow is executed
    Then the workflow should fault

  # proves: W1
  Scenario: A sub-workflow that does not exist is a configuration error
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-61, version: '1.0.0'}
    do:
      - child: {run: {workflow: {namespace: default, name: no-such-thing, version: '1.0.0'}}}
    """
    When the workflow is executed
    Then the workflow should fault
