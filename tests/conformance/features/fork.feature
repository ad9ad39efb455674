Feature: Fork

  # proves: W1
  Scenario: The branches' outputs are joined in order
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-25, version: '1.0.0'}
    do:
      - both:
          fork:
            branches:
              - slow: {do: [{pause: {wait: {milliseconds: 30}}}, {a: {set: {v: 1}}}]}
              - fast: {set: {v: 2}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [{v: 1}, {v: 2}]
    """

  # proves: W1
  Scenario: Every branch starts from the fork's input
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-26, version: '1.0.0'}
    do:
      - start: {set: {n: 1}}
      - both:
          fork:
            branches:
              - left: {set: {n: '${ .n + 1 }'}}
              - right: {set: {n: '${ .n + 10 }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [{n: 2}, {n: 11}]
    """

  # proves: W1
  Scenario: A failing branch cancels the others
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-27, version: '1.0.0'}
    do:
      - both:
          fork:
            branches:
              - waits: {wait: {seconds: 20}}
              - fails: {raise: {error: {type: 'https://example.com/f', status: 500, title: F}}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    title: F
    """
    And waits should cancel

  # proves: W1
  Scenario: The first branch to complete wins a competition
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-28, version: '1.0.0'}
    do:
      - race:
          fork:
            compete: true
            branches:
              - slow: {wait: {seconds: 20}}
              - quick: {do: [{pause: {wait: {milliseconds: 10}}}, {won: {set: {winner: quick}}}]}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    winner: quick
    """
    And slow should cancel

  # proves: W1
  Scenario: A failing branch only loses a competition
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-29, version: '1.0.0'}
    do:
      - race:
          fork:
            compete: true
            branches:
              - fails: {raise: {error: {type: 'https://example.com/f', status: 500, title: F}}}
              - wins: {do: [{pause: {wait: {milliseconds: 10}}}, {won: {set: {winner: second}}}]}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    winner: second
    """

  # proves: W1
  Scenario: A competition that all lose faults
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-30, version: '1.0.0'}
    do:
      - race:
          fork:
            compete: true
            branches:
              - one: {raise: {error: {type: 'https://example.com/1', status: 500, title: One}}}
              - two: {raise: {error: {type: 'https://example.com/2', status: 500, title: Two}}}
    """
    When the workflow is executed
    Then the workflow should fault

  # proves: W1
  Scenario: Contexts merge in branch order
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-31, version: '1.0.0'}
    do:
      - both:
          fork:
            branches:
              - one: {set: {v: 1}, export: {as: '${ $context + {one: 1, last: "one"} }'}}
              - two: {set: {v: 2}, export: {as: '${ $context + {two: 2, last: "two"} }'}}
      - show: {set: '${ $context }'}
    """
    And given the workflow input is:
    """yaml
    base: 0
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {base: 0, one: 1, two: 2, last: two}
    """
