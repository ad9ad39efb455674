Feature: Events

  # proves: W1
  Scenario: A listen waits for one event and gives its data
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-79, version: '1.0.0'}
    do:
      - hear: {listen: {to: {one: {with: {type: com.example.ping}}}}}
    """
    When the workflow is started
    When the event is published:
    """yaml
    {specversion: '1.0', id: e1, source: test, type: com.example.ping, data: {n: 1}}
    """
    Then the workflow should complete with output:
    """yaml
    [{n: 1}]
    """

  # proves: W1
  Scenario: read envelope gives the whole event
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-80, version: '1.0.0'}
    do:
      - hear:
          listen: {to: {one: {with: {type: com.example.ping}}}, read: envelope}
          output: {as: '.[0] | {id, type, data}'}
    """
    When the workflow is started
    When the event is published:
    """yaml
    {specversion: '1.0', id: e2, source: test, type: com.example.ping, data: {n: 2}}
    """
    Then the workflow should complete with output:
    """yaml
    {id: e2, type: com.example.ping, data: {n: 2}}
    """

  # proves: W1
  Scenario: A filter on data is a predicate
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-81, version: '1.0.0'}
    do:
      - hear: {listen: {to: {any: [{with: {type: com.example.temp, data: '${ .celsius > 38 }'}}]}}}
    """
    When the workflow is started
    When the event is published:
    """yaml
    {specversion: '1.0', id: c1, source: test, type: com.example.temp, data: {celsius: 37}}
    """
    When the event is published:
    """yaml
    {specversion: '1.0', id: c2, source: test, type: com.example.temp, data: {celsius: 39}}
    """
    Then the workflow should complete with output:
    """yaml
    [{celsius: 39}]
    """

  # proves: W1
  Scenario: all waits for every filter
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-82, version: '1.0.0'}
    do:
      - hear: {listen: {to: {all: [{with: {type: a}}, {with: {type: b}}]}}}
      - count: {set: {n: '${ length }'}}
    """
    When the workflow is started
    When the event is published:
    """yaml
    {specversion: '1.0', id: x1, source: test, type: b, data: 1}
    """
    When the event is published:
    """yaml
    {specversion: '1.0', id: x2, source: test, type: a, data: 2}
    """
    Then the workflow should complete with output:
    """yaml
    n: 2
    """

  # proves: W1
  Scenario: until ends an open listen
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-83, version: '1.0.0'}
    do:
      - hear: {listen: {to: {any: [], until: '( . | length ) >= 2'}}}
    """
    When the workflow is started
    When the event is published:
    """yaml
    {specversion: '1.0', id: u1, source: test, type: p, data: 1}
    """
    When the event is published:
    """yaml
    {specversion: '1.0', id: u2, source: test, type: q, data: 2}
    """
    Then the workflow should complete with output:
    """yaml
    [1, 2]
    """

  # proves: W1
  Scenario: The same event is consumed once
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-84, version: '1.0.0'}
    do:
      - hear: {listen: {to: {any: [{with: {type: p}}], until: '( . | length ) >= 2'}}}
    """
    When the workflow is started
    When the event is published:
    """yaml
    {specversion: '1.0', id: d1, source: test, type: p, data: 1}
    """
    When the event is published:
    """yaml
    {specversion: '1.0', id: d1, source: test, type: p, data: 1}
    """
    When the event is published:
    """yaml
    {specversion: '1.0', id: d2, source: test, type: p, data: 2}
    """
    Then the workflow should complete with output:
    """yaml
    [1, 2]
    """

  # proves: W1, W5
  Scenario: A waiting workflow can be cancelled
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-85, version: '1.0.0'}
    do:
      - hear: {listen: {to: {one: {with: {type: never}}}}}
    """
    When the workflow is started
    When the workflow is cancelled
    Then the workflow should cancel
    And hear should cancel

  # proves: W1
  Scenario: emit sends what another branch hears
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-86, version: '1.0.0'}
    do:
      - both:
          fork:
            branches:
              - hear: {listen: {to: {one: {with: {type: com.example.note}}}}}
              - tell:
                  do:
                    - pause: {wait: {milliseconds: 20}}
                    - say: {emit: {event: {with: {source: 'https://example.com', type: com.example.note, data: {n: 3}}}}}
          output: {as: '.[0]'}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    [{n: 3}]
    """
