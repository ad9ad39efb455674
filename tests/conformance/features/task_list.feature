Feature: The task-list form

  # proves: W2
  Scenario: Tasks run after what they depend on and see its output
    Given a workflow with definition:
    """yaml
    name: graph
    tasks:
      - {id: total, type: noop, depends_on: [a, b], params: {sum: '${ .a.v + .b.v + .input.plus }'}}
      - {id: a, type: noop, params: {v: 1}}
      - {id: b, type: noop, params: {v: 2}}
    """
    And given the workflow input is:
    """yaml
    plus: 10
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {a: {v: 1}, b: {v: 2}, total: {sum: 13}}
    """
    And total should run after a
    And total should run after b

  # proves: W2, N-19
  Scenario: run_if gates a task, and tasks after it run
    Given a workflow with definition:
    """yaml
    name: graph
    tasks:
      - {id: a, type: noop, params: {v: 1}}
      - {id: b, type: noop, depends_on: [a], run_if: '${ .a.v > 5 }', params: {v: 2}}
      - {id: c, type: noop, depends_on: [b], params: {v: 3}}
    """
    When the workflow is executed
    Then the workflow should complete
    And b should be skipped
    And c should complete

  # proves: W2, N-19
  Scenario: A dependency that must complete skips the task
    Given a workflow with definition:
    """yaml
    name: graph
    tasks:
      - {id: a, type: noop, run_if: 'false', params: {v: 1}}
      - {id: b, type: noop, depends_on: [{id: a, status: completed}], params: {v: 2}}
    """
    When the workflow is executed
    Then the workflow should complete
    And b should be skipped

  # proves: W2, N-19
  Scenario: What depends on a failure is skipped, its grandchildren too
    Given a workflow with definition:
    """yaml
    name: graph
    tasks:
      - {id: bad, type: run_shell, params: {command: 'exit 1'}}
      - {id: child, type: noop, depends_on: [bad], params: {v: 1}}
      - {id: grandchild, type: noop, depends_on: [child], params: {v: 2}}
      - {id: free, type: noop, params: {v: 3}}
    """
    When the workflow is executed
    Then the workflow should fault
    And child should be skipped
    And grandchild should be skipped
    And free should complete

  # proves: W2
  Scenario: max_retries tries again
    Given a workflow with definition:
    """yaml
    name: graph
    tasks:
      - {id: get, type: http, max_retries: 3, params: {method: get, endpoint: '{local}/flaky/tasklist/1'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    get: {attempts: 2}
    """

  # proves: W2
  Scenario: A task's timeout holds
    Given a workflow with definition:
    """yaml
    name: graph
    tasks:
      - {id: slow, type: wait, timeout: 30ms, params: {seconds: 20}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    status: 408
    """
