Feature: Waiting and timeouts

  # proves: W1
  Scenario: A wait passes its input on
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-1, version: '1.0.0'}
    do:
      - first: {set: {n: 1}}
      - pause: {wait: {milliseconds: 20}}
      - second: {set: {n: '${ .n + 1 }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 2
    """
    And pause should run after first

  # proves: W1
  Scenario: A wait reads ISO 8601 text
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-2, version: '1.0.0'}
    do:
      - pause: {wait: PT0.02S}
      - done: {set: {ok: true}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    ok: true
    """

  # proves: W1
  Scenario: A wait reads an expression
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-3, version: '1.0.0'}
    do:
      - pause: {wait: '${ {milliseconds: (.n * 10)} }'}
    """
    And given the workflow input is:
    """yaml
    n: 2
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 2
    """

  # proves: W1
  Scenario: A task that takes longer than its timeout faults with 408
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-4, version: '1.0.0'}
    do:
      - slow:
          timeout: {after: {milliseconds: 30}}
          wait: {seconds: 20}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout
    status: 408
    instance: /do/0/slow
    """
    And slow should fault

  # proves: W1
  Scenario: A timeout can be caught
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-5, version: '1.0.0'}
    do:
      - guarded:
          try:
            - slow:
                timeout: {after: {milliseconds: 30}}
                wait: {seconds: 20}
          catch:
            errors: {with: {type: https://serverlessworkflow.io/spec/1.0.0/errors/timeout}}
            do:
              - late: {set: {late: true}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    late: true
    """

  # proves: W1
  Scenario: A timeout may be named in use.timeouts
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-6, version: '1.0.0'}
    use: {timeouts: {short: {after: {milliseconds: 30}}}}
    do:
      - slow:
          timeout: short
          wait: {seconds: 20}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 408
    """

  # proves: W1
  Scenario: The workflow's timeout ends it
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-7, version: '1.0.0'}
    timeout: {after: {milliseconds: 40}}
    do:
      - slow: {wait: {seconds: 20}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout
    status: 408
    """

  # proves: W1
  Scenario: A timeout on a composite cancels what is below
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-8, version: '1.0.0'}
    do:
      - outer:
          timeout: {after: {milliseconds: 30}}
          do:
            - inner: {wait: {seconds: 20}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 408
    instance: /do/0/outer
    """
    And inner should cancel
