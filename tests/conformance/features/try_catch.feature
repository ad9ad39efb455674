Feature: Catching errors

  # proves: W1
  Scenario: Without a filter every error is caught and a try without do passes its input
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-14, version: '1.0.0'}
    do:
      - guarded:
          try:
            - boom: {raise: {error: {type: 'https://example.com/errors/odd', status: 409, title: Odd, detail: 'it is odd'}}}
          catch: {}
    """
    And given the workflow input is:
    """yaml
    n: 7
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    n: 7
    """

  # proves: W1
  Scenario: The error variable has the error's members
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-15, version: '1.0.0'}
    do:
      - guarded:
          try:
            - boom: {raise: {error: {type: 'https://example.com/errors/odd', status: 409, title: Odd, detail: 'it is odd'}}}
          catch:
            as: problem
            do:
              - tell: {set: {title: '${ $problem.title }', detail: '${ $problem.detail }', at: '${ $problem.instance }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {title: Odd, detail: it is odd, at: /do/0/guarded/try/0/boom}
    """

  # proves: W1
  Scenario: catch.when refuses an error
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-16, version: '1.0.0'}
    do:
      - guarded:
          try:
            - boom: {raise: {error: {type: 'https://example.com/errors/odd', status: 409, title: Odd, detail: 'it is odd'}}}
          catch: {when: '$error.status == 500'}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 409
    """

  # proves: W1
  Scenario: catch.exceptWhen refuses an error
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-17, version: '1.0.0'}
    do:
      - guarded:
          try:
            - boom: {raise: {error: {type: 'https://example.com/errors/odd', status: 409, title: Odd, detail: 'it is odd'}}}
          catch: {exceptWhen: '$error.status == 409'}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 409
    """

  # proves: W1
  Scenario: catch.then directs the flow
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-18, version: '1.0.0'}
    do:
      - guarded:
          try:
            - boom: {raise: {error: {type: 'https://example.com/errors/odd', status: 409, title: Odd, detail: 'it is odd'}}}
          catch: {then: other}
      - skipped: {set: {way: wrong}, then: end}
      - other: {set: {way: right}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    way: right
    """

  # proves: W1
  Scenario: An error in catch.do goes up
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-19, version: '1.0.0'}
    do:
      - guarded:
          try:
            - boom: {raise: {error: {type: 'https://example.com/errors/odd', status: 409, title: Odd, detail: 'it is odd'}}}
          catch:
            do:
              - again: {raise: {error: {type: 'https://example.com/second', status: 500, title: Second}}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://example.com/second', instance: /do/0/guarded/catch/do/0/again}
    """

  # proves: W1
  Scenario: The inner try catches first
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-20, version: '1.0.0'}
    do:
      - outer:
          try:
            - inner:
                try:
                  - boom: {raise: {error: {type: 'https://example.com/errors/odd', status: 409, title: Odd, detail: 'it is odd'}}}
                catch:
                  do:
                    - handled: {set: {by: inner}}
          catch:
            do:
              - late: {set: {by: outer}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    by: inner
    """

  # proves: W1
  Scenario: An expression that fails is an expression error
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-21, version: '1.0.0'}
    do:
      - bad: {set: {x: '${ .a + {} }'}}
    """
    And given the workflow input is:
    """yaml
    a: 1
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/expression
    status: 400
    instance: /do/0/bad
    """

  # proves: W1
  Scenario: Both hosts of the standard error types mean the same
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-22, version: '1.0.0'}
    do:
      - guarded:
          try:
            - bad: {set: {x: '${ error("no") }'}}
          catch:
            errors: {with: {type: https://open-workflow-specification.org/dsl/errors/types/expression}}
            do:
              - caught: {set: {caught: true}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    caught: true
    """
