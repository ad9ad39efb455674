Feature: Retries

  # proves: W1
  Scenario: A flaky call is tried until it answers
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-9, version: '1.0.0'}
    do:
      - attempt:
          try:
            - call:
                call: http
                with: {method: get, endpoint: '{local}/flaky/a/2'}
          catch:
            errors: {with: {type: https://serverlessworkflow.io/spec/1.0.0/errors/communication, status: 503}}
            retry: {delay: {milliseconds: 5}, limit: {attempt: {count: 5}}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {attempts: 3}
    """

  # proves: W1
  Scenario: Retries end at the limit and the error goes on
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-10, version: '1.0.0'}
    do:
      - attempt:
          try:
            - call:
                call: http
                with: {method: get, endpoint: '{local}/flaky/b/9'}
          catch:
            errors: {with: {type: https://serverlessworkflow.io/spec/1.0.0/errors/communication, status: 503}}
            retry: {delay: {milliseconds: 1}, backoff: {exponential: {}}, limit: {attempt: {count: 2}}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 503
    instance: /do/0/attempt/try/0/call
    """

  # proves: W1
  Scenario: A retry policy may be named
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-11, version: '1.0.0'}
    use:
      retries:
        quick: {delay: {milliseconds: 2}, backoff: {linear: {}}, limit: {attempt: {count: 4}}}
    do:
      - attempt:
          try:
            - call:
                call: http
                with: {method: get, endpoint: '{local}/flaky/c/3'}
          catch:
            errors: {with: {status: 503}}
            retry: quick
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {attempts: 4}
    """

  # proves: W1
  Scenario: catch.do runs when the retries are used up
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-12, version: '1.0.0'}
    do:
      - attempt:
          try:
            - call:
                call: http
                with: {method: get, endpoint: '{local}/status/503'}
          catch:
            errors: {with: {status: 503}}
            retry: {delay: {milliseconds: 1}, limit: {attempt: {count: 2}}}
            do:
              - giveUp: {set: {gaveUp: '${ $error.status }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    gaveUp: 503
    """

  # proves: W1
  Scenario: retry.when decides by the error
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-13, version: '1.0.0'}
    do:
      - attempt:
          try:
            - fail: {raise: {error: {type: 'https://example.com/e', status: 418, title: Teapot}}}
          catch:
            retry: {when: '$error.status == 503', delay: {milliseconds: 1}, limit: {attempt: {count: 5}}}
            do:
              - seen: {set: {status: '${ $error.status }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    status: 418
    """
