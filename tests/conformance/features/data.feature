Feature: Data flow

  # proves: W1
  Scenario: Input filters, output filters and exports in one task
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-44, version: '1.0.0'}
    do:
      - one:
          input: {from: .order}
          set: {total: '${ .price * .count }'}
          output: {as: '{ sum: .total, had: $input.price }'}
          export: {as: '{ seen: .sum }'}
      - two: {set: {sum: '${ .sum }', seen: '${ $context.seen }'}}
    """
    And given the workflow input is:
    """yaml
    order: {price: 3, count: 4}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {sum: 12, seen: 12}
    """

  # proves: W1
  Scenario: The context starts as the workflow's transformed input
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-45, version: '1.0.0'}
    input: {from: '{ only: .a }'}
    do:
      - show: {set: {context: '${ $context }', input: '${ . }', raw: '${ $workflow.input }'}}
    """
    And given the workflow input is:
    """yaml
    {a: 1, b: 2}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {context: {only: 1}, input: {only: 1}, raw: {a: 1, b: 2}}
    """

  # proves: W1
  Scenario: The workflow's output is transformed
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-46, version: '1.0.0'}
    output: {as: '{ result: .n }'}
    do:
      - set: {set: {n: 5, m: 6}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    result: 5
    """

  # proves: W1
  Scenario: Input that breaks its schema is a validation error
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-47, version: '1.0.0'}
    input:
      schema: {document: {type: object, required: [id], properties: {id: {type: integer}}}}
    do:
      - show: {set: {ok: true}}
    """
    And given the workflow input is:
    """yaml
    id: text
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
    status: 400
    """

  # proves: W1
  Scenario: A task's output that breaks its schema is a validation error
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-48, version: '1.0.0'}
    do:
      - make:
          set: {n: minus}
          output: {schema: {document: {type: object, properties: {n: {type: integer}}}}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
    status: 400
    instance: /do/0/make
    """

  # proves: W1
  Scenario: A missing input is an empty object
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-49, version: '1.0.0'}
    do:
      - show: {set: {input: '${ $workflow.input }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    input: {}
    """

  # proves: W1
  Scenario: Text is interpolated and data is never evaluated
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-50, version: '1.0.0'}
    do:
      - show: {set: {hello: 'Hello ${ .name }, you are ${ .age } and ${ [1] }', raw: '${ .evil }'}}
    """
    And given the workflow input is:
    """yaml
    {name: Ann, age: 3, evil: '${ 1 + 1 }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {hello: 'Hello Ann, you are 3 and [1]', raw: '${ 1 + 1 }'}
    """

  # proves: W1
  Scenario: Integers keep sixty-four bits
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-51, version: '1.0.0'}
    do:
      - add: {set: {big: '${ .big - 1 }', same: '${ .big }'}}
    """
    And given the workflow input is:
    """yaml
    big: 9007199254740993
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {big: 9007199254740992, same: 9007199254740993}
    """

  # proves: W1
  Scenario: The task and the runtime describe themselves
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-52, version: '1.0.0'}
    do:
      - show: {set: {name: '${ $task.name }', at: '${ $task.reference }', runtime: '${ $runtime.name }', type: '${ $task.set.type | type }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {name: show, at: /do/0/show, runtime: pawl, type: string}
    """

  # proves: W1
  Scenario: Loose mode evaluates text that is an expression and keeps the rest
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-53, version: '1.0.0'}
    evaluate: {mode: loose}
    do:
      - show: {set: {n: .n, text: 'just some text'}}
    """
    And given the workflow input is:
    """yaml
    n: 4
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {n: 4, text: just some text}
    """

  # proves: W1
  Scenario: Several results: the first counts; none: null
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-54, version: '1.0.0'}
    do:
      - show: {set: {first: '${ .list[] }', none: '${ empty }'}}
    """
    And given the workflow input is:
    """yaml
    list: [7, 8]
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {first: 7, none: null}
    """
