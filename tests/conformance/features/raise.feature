Feature: Raising errors

  # proves: W1
  Scenario: A reusable error is raised by name
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-23, version: '1.0.0'}
    use: {errors: {notReady: {type: 'https://example.com/not-ready', status: 503, title: Not ready}}}
    do:
      - fail: {raise: {error: notReady}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    {type: 'https://example.com/not-ready', status: 503, title: Not ready, instance: /do/0/fail}
    """

  # proves: W1
  Scenario: An error's detail may be an expression
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-24, version: '1.0.0'}
    do:
      - fail:
          raise:
            error: {type: 'https://example.com/x', status: 400, title: Bad, detail: '${ "item \(.id) of \($workflow.definition.document.namespace)" }'}
    """
    And given the workflow input is:
    """yaml
    id: 4
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    detail: item 4 of default
    """
