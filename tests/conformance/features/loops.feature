Feature: Loops

  # proves: W1
  Scenario: An empty list passes the input on
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-32, version: '1.0.0'}
    do:
      - loop:
          for: {in: '.none'}
          do:
            - never: {raise: {error: {type: 'https://example.com/never', status: 500, title: Never}}}
    """
    And given the workflow input is:
    """yaml
    {none: [], k: 1}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {none: [], k: 1}
    """

  # proves: W1
  Scenario: while ends a loop
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-33, version: '1.0.0'}
    do:
      - loop:
          for: {each: x, in: '[1, 2, 3, 4, 5]'}
          while: (.sum // 0) < 5
          do:
            - add: {set: {sum: '${ (.sum // 0) + $x }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    sum: 6
    """

  # proves: W1
  Scenario: Item and index have default names
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-34, version: '1.0.0'}
    do:
      - loop:
          for: {in: '["a", "b"]'}
          do:
            - note: {set: {seen: '${ (.seen // []) + ["\($index)\($item)"] }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    seen: [0a, 1b]
    """

  # proves: W1
  Scenario: Loops nest and see the outer variables
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-35, version: '1.0.0'}
    do:
      - outer:
          for: {each: x, in: '[1, 2]'}
          do:
            - inner:
                for: {each: y, in: '[10, 20]'}
                do:
                  - add: {set: {sum: '${ (.sum // 0) + $x * $y }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    sum: 90
    """

  # proves: W1
  Scenario: An inline list of objects
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-36, version: '1.0.0'}
    do:
      - loop:
          for: {each: c, in: [{name: red}, {name: green}]}
          do:
            - add: {set: {names: '${ (.names // []) + [$c.name] }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    names: [red, green]
    """

  # proves: W1
  Scenario: metadata.concurrency runs rounds in parallel and collects
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-37, version: '1.0.0'}
    do:
      - loop:
          metadata: {concurrency: 3}
          for: {each: n, in: '[1, 2, 3, 4]'}
          do:
            - pause: {wait: {milliseconds: 5}}
            - square: {set: {square: '${ $n * $n }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [{square: 1}, {square: 4}, {square: 9}, {square: 16}]
    """

  # proves: W1
  Scenario: A loop over something that is no list is an error
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-38, version: '1.0.0'}
    do:
      - loop: {for: {in: '.n'}, do: [{x: {set: {a: 1}}}]}
    """
    And given the workflow input is:
    """yaml
    n: 5
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 400
    instance: /do/0/loop
    """
