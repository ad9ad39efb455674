Feature: Flow directives

  # proves: W1
  Scenario: exit leaves the list, end leaves the workflow
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-39, version: '1.0.0'}
    do:
      - inner:
          do:
            - one: {set: {at: one}, then: exit}
            - two: {set: {at: two}}
      - after: {set: {at: '${ .at + "-after" }'}, then: end}
      - never: {set: {at: never}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    at: one-after
    """

  # proves: W1
  Scenario: end inside a composite ends the workflow
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-40, version: '1.0.0'}
    do:
      - inner: {do: [{stop: {set: {v: 1}, then: end}}]}
      - never: {set: {v: 2}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    v: 1
    """

  # proves: W1
  Scenario: A skipped task passes its raw input on and its then does not fire
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-41, version: '1.0.0'}
    do:
      - maybe: {if: .go, set: {v: went}, then: end}
      - next: {set: {v: '${ .v + "-next" }'}}
    """
    And given the workflow input is:
    """yaml
    {go: false, v: in}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    v: in-next
    """
    And maybe should be skipped

  # proves: W1
  Scenario: A jump back makes a loop
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-42, version: '1.0.0'}
    do:
      - count: {set: {n: '${ (.n // 0) + 1 }'}}
      - again: {switch: [{more: {when: .n < 5, then: count}}, {enough: {then: exit}}]}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 5
    """

  # proves: W1, W3
  Scenario: A loop without end faults instead of hanging
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-43, version: '1.0.0'}
    do:
      - a: {set: {n: 1}, then: b}
      - b: {set: {n: 2}, then: a}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 500
    """
