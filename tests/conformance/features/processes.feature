Feature: Processes

  # proves: W1, F4
  Scenario: A shell command gets stdin and arguments
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-62, version: '1.0.0'}
    do:
      - hello: {run: {shell: {command: 'read line; echo "$line $1 $2"', stdin: '${ .who }', arguments: [a, b]}}}
      - show: {set: {text: '${ . | rtrimstr("\n") }'}}
    """
    And given the workflow input is:
    """yaml
    who: Ann
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    text: Ann a b
    """

  # proves: W1, F4
  Scenario: return all gives code, stdout and stderr
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-63, version: '1.0.0'}
    do:
      - mixed: {run: {shell: {command: 'printf out; printf err >&2; exit 3'}, return: all}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    {code: 3, stdout: out, stderr: err}
    """

  # proves: W1, F4
  Scenario: A non-zero exit is a runtime error
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-64, version: '1.0.0'}
    do:
      - fails: {run: {shell: {command: 'exit 4'}}}
    """
    When the workflow is executed
    Then the workflow should fault with error:
    """yaml
    type: https://open-workflow-specification.org/spec/1.0.0/errors/runtime
    status: 500
    instance: /do/0/fails
    """

  # proves: W1, F4
  Scenario: return code gives the code
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-65, version: '1.0.0'}
    do:
      - code: {run: {shell: {command: 'exit 7'}, return: code}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    7
    """

  # proves: W1, F4
  Scenario: return none passes the input on
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-66, version: '1.0.0'}
    do:
      - quiet: {run: {shell: {command: 'echo loud'}, return: none}}
    """
    And given the workflow input is:
    """yaml
    k: 1
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    k: 1
    """

  # proves: W1, F4
  Scenario: A python script reads its arguments
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-67, version: '1.0.0'}
    do:
      - add: {run: {script: {language: python, code: 'import sys; print(int(sys.argv[1]) + int(sys.argv[2]))', arguments: ['2', '3']}}}
      - show: {set: {sum: '${ rtrimstr("\n") | tonumber }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    sum: 5
    """

  # proves: W1, F4
  Scenario: A javascript script reads stdin
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-68, version: '1.0.0'}
    do:
      - up: {run: {script: {language: js, code: 'process.stdin.on("data", d => process.stdout.write(String(d).toUpperCase()))', stdin: shout}}}
      - show: {set: {text: '${ . }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    text: SHOUT
    """

  # proves: W1, F4
  Scenario: The environment is empty but for what is given
    Given a workflow with definition:
    """yaml
    document: {dsl: '1.0.3', namespace: default, name: case-69, version: '1.0.0'}
    do:
      - env: {run: {shell: {command: 'echo "$GIVEN:$SECRET_KEY"', environment: {GIVEN: yes-it-is}}}}
      - show: {set: {text: '${ . | rtrimstr("\n") }'}}
    """
    When the workflow is executed
    Then the workflow should complete with output:
    """yaml
    text: 'yes-it-is:'
    """
