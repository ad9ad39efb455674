Feature: HTTP calls

  # proves: W1, F2
  Scenario: Headers, query and body are sent
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-70, version: '1.0.0'}
    do:
      - post:
          call: http
          with:
            method: post
            endpoint: '{local}/anything'
            headers: {X-Test: '${ .h }'}
            query: {q: '${ .q }'}
            body: {n: '${ .n }'}
          output: {as: '{ method: .method, test: .headers["X-Test"], q: .args.q, n: .json.n }'}
    """
    And given the workflow input is:
    """yaml
    {h: head, q: 'a b&c', n: 5}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {method: POST, test: head, q: 'a b&c', n: 5}
    """

  # proves: W1, F2
  Scenario: A status of 400 and above is a communication error
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-71, version: '1.0.0'}
    do:
      - get: {call: http, with: {method: get, endpoint: '{local}/status/418'}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
    status: 418
    instance: /do/0/get
    """

  # proves: W1, F2
  Scenario: A redirect is followed only where asked for
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-72, version: '1.0.0'}
    do:
      - get: {call: http, with: {method: get, endpoint: '{local}/redirect', redirect: true}, output: {as: .arrived}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    true
    """

  # proves: W1, F2
  Scenario: redirect false makes a 3xx an error
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-73, version: '1.0.0'}
    do:
      - get: {call: http, with: {method: get, endpoint: '{local}/redirect', redirect: false}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 302
    """

  # proves: W1, F2
  Scenario: output response has status and headers
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-74, version: '1.0.0'}
    do:
      - get:
          call: http
          with: {method: get, endpoint: '{local}/anything', output: response}
          output: {as: '{ code: .statusCode, type: (.headers | with_entries(.key |= ascii_downcase) | ."content-type"), method: (.request.method | ascii_downcase) }'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {code: 200, type: application/json, method: get}
    """

  # proves: W1, F2
  Scenario: A bearer token is sent
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-75, version: '1.0.0'}
    do:
      - get:
          call: http
          with: {method: get, endpoint: {uri: '{local}/bearer', authentication: {bearer: {token: '${ .t }'}}}}
    """
    And given the workflow input is:
    """yaml
    t: abc
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {authenticated: true, token: abc}
    """

  # proves: W1, F2
  Scenario: A named authentication is used
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-76, version: '1.0.0'}
    use: {authentications: {me: {basic: {username: u, password: p}}}}
    do:
      - get:
          call: http
          with: {method: get, endpoint: {uri: '{local}/basic-auth/u/p', authentication: {use: me}}}
          output: {as: .authenticated}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    true
    """

  # proves: W1, F2
  Scenario: A host that cannot be reached is a communication error
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-77, version: '1.0.0'}
    do:
      - get: {call: http, with: {method: get, endpoint: 'http://127.0.0.1:1/'}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
    status: 500
    """

  # proves: W1, F2
  Scenario: A path parameter is encoded
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-78, version: '1.0.0'}
    do:
      - get: {call: http, with: {method: get, endpoint: '{local}/anything/{id}'}, output: {as: .path}}
    """
    And given the workflow input is:
    """yaml
    id: 'a?b c'
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    /anything/a%3Fb%20c
    """
