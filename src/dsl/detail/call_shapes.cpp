#include "dsl/detail/call_shapes.hpp"

#include <map>

#include "base/assert.hpp"
#include "yaml/yaml.hpp"

namespace pawl::dsl::detail {
namespace {

// Differences from the official schema, all in the direction of accepting more: numbers and booleans as header and query values,
// `arguments` as list or map, `version` of a sub-workflow optional (default: latest), `retry`-free members as in DSL 1.0.0.
constexpr std::string_view kShapes = R"yaml(
$defs:
  text: {type: string}
  scalar: {type: [string, number, boolean]}
  scalars: {type: object, additionalProperties: {$ref: '#/$defs/scalar'}}
  name: {type: string, minLength: 1}
  uri: {type: string, pattern: '^\S+$'}
  duration: {type: [object, string]}
  count: {type: integer, minimum: 1, maximum: 1000000000}
  secret: {type: object, additionalProperties: false, required: [use], properties: {use: {$ref: '#/$defs/name'}}}
  userPassword:
    type: object
    additionalProperties: false
    properties: {use: {$ref: '#/$defs/name'}, username: {$ref: '#/$defs/text'}, password: {$ref: '#/$defs/text'}}
    if: {required: [use]}
    then: {maxProperties: 1}
    else: {required: [username, password]}
  bearer:
    type: object
    additionalProperties: false
    properties: {use: {$ref: '#/$defs/name'}, token: {$ref: '#/$defs/text'}}
    if: {required: [use]}
    then: {maxProperties: 1}
    else: {required: [token]}
  token:
    type: object
    additionalProperties: false
    required: [token, type]
    properties: {token: {$ref: '#/$defs/text'}, type: {$ref: '#/$defs/text'}}
  oauth2:
    type: object
    additionalProperties: false
    properties:
      use: {$ref: '#/$defs/name'}
      authority: {$ref: '#/$defs/uri'}
      grant:
        type: string
        enum: [authorization_code, client_credentials, password, refresh_token, 'urn:ietf:params:oauth:grant-type:token-exchange']
      endpoints:
        type: object
        properties: {token: {$ref: '#/$defs/uri'}, revocation: {$ref: '#/$defs/uri'}, introspection: {$ref: '#/$defs/uri'}}
      client:
        type: object
        additionalProperties: false
        properties:
          id: {$ref: '#/$defs/text'}
          secret: {$ref: '#/$defs/text'}
          assertion: {$ref: '#/$defs/text'}
          authentication: {type: string, enum: [client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt, none]}
      request:
        type: object
        properties: {encoding: {type: string, enum: [application/x-www-form-urlencoded, application/json]}}
      issuers: {type: array, items: {$ref: '#/$defs/text'}}
      scopes: {type: array, items: {$ref: '#/$defs/text'}}
      audiences: {type: array, items: {$ref: '#/$defs/text'}}
      username: {$ref: '#/$defs/text'}
      password: {$ref: '#/$defs/text'}
      subject: {$ref: '#/$defs/token'}
      actor: {$ref: '#/$defs/token'}
    if: {required: [use]}
    then: {maxProperties: 1}
    else: {required: [authority, grant]}
  authentication:
    type: object
    minProperties: 1
    maxProperties: 1
    additionalProperties: false
    properties:
      use: {$ref: '#/$defs/name'}
      basic: {$ref: '#/$defs/userPassword'}
      bearer: {$ref: '#/$defs/bearer'}
      digest: {$ref: '#/$defs/userPassword'}
      oauth2: {$ref: '#/$defs/oauth2'}
      oidc: {$ref: '#/$defs/oauth2'}
  endpoint:
    oneOf:
      - {$ref: '#/$defs/uri'}
      - type: object
        additionalProperties: false
        required: [uri]
        properties: {uri: {$ref: '#/$defs/uri'}, authentication: {$ref: '#/$defs/authentication'}}
  resource:
    type: object
    additionalProperties: false
    required: [endpoint]
    properties: {name: {$ref: '#/$defs/text'}, endpoint: {$ref: '#/$defs/endpoint'}}
  catalog:
    type: object
    additionalProperties: false
    required: [endpoint]
    properties:
      endpoint: {$ref: '#/$defs/endpoint'}
      pins: {type: object, additionalProperties: {type: string, pattern: '^sha256:[0-9a-f]{64}$'}}
  output: {type: string, enum: [raw, content, response]}
  environment: {type: object}
  arguments: {type: [array, object]}

  http:
    type: object
    additionalProperties: false
    required: [method, endpoint]
    properties:
      method: {$ref: '#/$defs/name'}
      endpoint: {$ref: '#/$defs/endpoint'}
      headers: {$ref: '#/$defs/scalars'}
      body: true
      query: {$ref: '#/$defs/scalars'}
      output: {$ref: '#/$defs/output'}
      redirect: {type: boolean}
      timeout: true
  openapi:
    type: object
    additionalProperties: false
    required: [document, operationId]
    properties:
      document: {$ref: '#/$defs/resource'}
      operationId: {$ref: '#/$defs/name'}
      parameters: {type: object}
      authentication: {$ref: '#/$defs/authentication'}
      output: {$ref: '#/$defs/output'}
      redirect: {type: boolean}
  grpc:
    type: object
    additionalProperties: false
    required: [proto, service, method]
    properties:
      proto: {$ref: '#/$defs/resource'}
      service:
        type: object
        additionalProperties: false
        required: [name, host]
        properties:
          name: {$ref: '#/$defs/name'}
          host: {$ref: '#/$defs/name'}
          port: {type: integer, minimum: 0, maximum: 65535}
          authentication: {$ref: '#/$defs/authentication'}
      method: {$ref: '#/$defs/name'}
      arguments: {type: object}
      authentication: {$ref: '#/$defs/authentication'}
  asyncapi:
    type: object
    additionalProperties: false
    required: [document]
    properties:
      document: {$ref: '#/$defs/resource'}
      channel: {$ref: '#/$defs/name'}
      operation: {$ref: '#/$defs/name'}
      server:
        type: object
        additionalProperties: false
        required: [name]
        properties: {name: {$ref: '#/$defs/name'}, variables: {type: object}}
      protocol:
        type: string
        enum: [amqp, amqp1, anypointmq, googlepubsub, http, ibmmq, jms, kafka, mercure, mqtt, mqtt5, nats, pulsar, redis, sns, solace, sqs,
          stomp, ws]
      message:
        type: object
        additionalProperties: false
        properties: {payload: {type: object}, headers: {type: object}}
      subscription:
        type: object
        additionalProperties: false
        required: [consume]
        properties:
          filter: {$ref: '#/$defs/text'}
          consume:
            type: object
            additionalProperties: false
            properties:
              for: {$ref: '#/$defs/duration'}
              amount: {type: integer, minimum: 1}
              while: {$ref: '#/$defs/text'}
              until: {$ref: '#/$defs/text'}
            oneOf: [{required: [amount]}, {required: [while]}, {required: [until]}]
          foreach: {type: object}
      authentication: {$ref: '#/$defs/authentication'}
    allOf:
      - oneOf: [{required: [operation]}, {required: [channel]}]
      - oneOf: [{required: [message]}, {required: [subscription]}]
  a2a:
    type: object
    additionalProperties: false
    required: [method]
    properties:
      agentCard: {$ref: '#/$defs/resource'}
      server: {$ref: '#/$defs/endpoint'}
      method:
        type: string
        enum: [message/send, message/stream, tasks/get, tasks/list, tasks/cancel, tasks/resubscribe, tasks/pushNotificationConfig/set,
          tasks/pushNotificationConfig/get, tasks/pushNotificationConfig/list, tasks/pushNotificationConfig/delete,
          agent/getAuthenticatedExtendedCard]
      parameters: {type: [object, string]}
    anyOf: [{required: [agentCard]}, {required: [server]}]
  mcp:
    type: object
    additionalProperties: false
    required: [method, transport]
    properties:
      protocolVersion: {$ref: '#/$defs/text'}
      method:
        type: string
        enum: [tools/list, tools/call, prompts/list, prompts/get, resources/list, resources/read, resources/templates/list]
      parameters: {type: [object, string]}
      timeout: {$ref: '#/$defs/duration'}
      transport:
        type: object
        properties:
          http:
            type: object
            required: [endpoint]
            properties: {endpoint: {$ref: '#/$defs/endpoint'}, headers: {$ref: '#/$defs/scalars'}}
          stdio:
            type: object
            required: [command]
            properties:
              command: {$ref: '#/$defs/name'}
              arguments: {type: array, items: {$ref: '#/$defs/scalar'}}
              environment: {$ref: '#/$defs/scalars'}
          server: {$ref: '#/$defs/name'}
          options: {$ref: '#/$defs/scalars'}
        oneOf: [{required: [http]}, {required: [stdio]}, {required: [server]}]
      client:
        type: object
        required: [name, version]
        properties: {name: {$ref: '#/$defs/text'}, version: {$ref: '#/$defs/text'}}
      # Ours beside those of the DSL; the function checks what they hold.
      tool: {}
      input: {}
      tools: {}
      pins: {}
      pin: {}
      read_only: {}
      output: {}

  run.container:
    type: object
    additionalProperties: false
    required: [image]
    properties:
      image: {$ref: '#/$defs/name'}
      name: {$ref: '#/$defs/text'}
      command: {$ref: '#/$defs/text'}
      ports: {type: object}
      volumes: {type: object}
      environment: {$ref: '#/$defs/environment'}
      stdin: {$ref: '#/$defs/text'}
      arguments: {$ref: '#/$defs/arguments'}
      lifetime:
        type: object
        additionalProperties: false
        required: [cleanup]
        properties: {cleanup: {type: string, enum: [always, never, eventually]}, after: {$ref: '#/$defs/duration'}}
        if: {properties: {cleanup: {const: eventually}}}
        then: {required: [after]}
        else: {properties: {after: false}}
      pullPolicy: {type: string, enum: [ifNotPresent, always, never]}
  run.script:
    type: object
    additionalProperties: false
    required: [language]
    properties:
      language: {type: string, enum: [js, python]}
      code: {$ref: '#/$defs/name'}
      source: {$ref: '#/$defs/resource'}
      stdin: true
      arguments: {$ref: '#/$defs/arguments'}
      environment: {$ref: '#/$defs/environment'}
    oneOf: [{required: [code]}, {required: [source]}]
  run.shell:
    type: object
    additionalProperties: false
    required: [command]
    properties:
      command: {$ref: '#/$defs/name'}
      stdin: true
      arguments: {$ref: '#/$defs/arguments'}
      environment: {$ref: '#/$defs/environment'}
  run.workflow:
    type: object
    additionalProperties: false
    required: [namespace, name]
    properties:
      namespace: {$ref: '#/$defs/name'}
      name: {$ref: '#/$defs/name'}
      version: {$ref: '#/$defs/name'}
      input: true
  # In pieces: the lists of tools and what stands in them is checked one by one, so that a mistake is told once, where it is.
  agent:
    type: object
    additionalProperties: false
    required: [model]
    properties:
      model: {$ref: '#/$defs/name'}
      provider: {$ref: '#/$defs/name'}
      instructions: {$ref: '#/$defs/text'}
      prompt: true
      input: true
      messages: {type: array}
      tools: {type: array, maxItems: 64}
      tool_choice: {type: [string, object]}
      output: {type: object, additionalProperties: false, required: [schema], properties: {schema: {type: object}}}
      temperature: {type: number, minimum: 0, maximum: 2}
      max_tokens: {$ref: '#/$defs/count'}
      timeout: true
      fallback: {type: array}
      max_turns: {type: integer, minimum: 1, maximum: 1000}
      max_tool_calls: {$ref: '#/$defs/count'}
      max_repairs: {type: integer, minimum: 0, maximum: 100}
      max_result_bytes: {type: integer, minimum: 256, maximum: 1048576}
      parallel_tool_calls: {type: [boolean, integer], minimum: 1, maximum: 64}
      budget:
        type: object
        additionalProperties: false
        minProperties: 1
        properties: {tokens: {$ref: '#/$defs/count'}, cost: {type: number, exclusiveMinimum: 0}, steps: {$ref: '#/$defs/count'}, time: true}
      on_budget: {type: string, enum: [fault, finish]}
      memory:
        type: object
        additionalProperties: false
        minProperties: 1
        properties:
          window: {type: integer, minimum: 1, maximum: 1000}
          summary:
            type: object
            additionalProperties: false
            required: [after]
            properties:
              after: {type: integer, minimum: 4, maximum: 1000}
              keep: {type: integer, minimum: 1, maximum: 1000}
              model: {$ref: '#/$defs/name'}
              max_tokens: {$ref: '#/$defs/count'}
          stored:
            type: object
            additionalProperties: false
            required: [key]
            properties:
              key: {$ref: '#/$defs/name'}
              scope: {type: string, enum: [workflow, organization]}
              ttl: true
              keep: {type: integer, minimum: 1, maximum: 1000}
      approval: {type: [array, string, boolean]}
      approvers: {type: object}
      approval_deadline: true
      untrusted: {type: boolean}
      stream: {type: boolean}
      after_untrusted: {type: string, enum: [refuse, ask]}
      allow_after_untrusted: {type: array, items: {$ref: '#/$defs/name'}}
      stop_when: {$ref: '#/$defs/name'}
      guardrails:
        type: object
        additionalProperties: false
        minProperties: 1
        properties: {input: {$ref: '#/$defs/name'}, output: {$ref: '#/$defs/name'}}
  agent.tool:
    type: object
    additionalProperties: false
    properties:
      function: {$ref: '#/$defs/name'}
      workflow:
        type: object
        additionalProperties: false
        required: [namespace, name]
        properties: {namespace: {$ref: '#/$defs/name'}, name: {$ref: '#/$defs/name'}, version: {$ref: '#/$defs/name'}}
      agent: {type: object}
      mcp:
        type: object
        additionalProperties: false
        properties:
          http:
            type: object
            required: [endpoint]
            properties: {endpoint: {$ref: '#/$defs/endpoint'}, headers: {$ref: '#/$defs/scalars'}}
          server: {$ref: '#/$defs/name'}
        oneOf: [{required: [http]}, {required: [server]}]
      tool: {type: string, pattern: '^[A-Za-z0-9_./-]{1,128}$'}
      pin: {$ref: '#/$defs/name'}
      timeout: {$ref: '#/$defs/duration'}
      name: {type: string, pattern: '^[A-Za-z0-9_-]{1,64}$'}
      description: {$ref: '#/$defs/text'}
      with: {type: object}
      parameters: {type: object}
      approval: {type: [boolean, string]}
      effect: {type: string, enum: [pure, read, idempotent, once]}
      trusted: {type: boolean}
)yaml";

using Shapes = std::map<std::string, JsonSchema, std::less<>>;

Shapes make_shapes() {
  auto read = yaml::parse(kShapes);
  PAWL_ASSERT(read.ok(), "the shapes are part of the program");
  Shapes shapes;
  for (const std::string_view name : {"http", "openapi", "grpc", "asyncapi", "a2a", "mcp", "run.container", "run.script", "run.shell",
                                      "run.workflow", "authentication", "catalog", "agent", "agent.tool"}) {
    json::Value document = read.value->value;
    document.set("$ref", json::Value("#/$defs/" + std::string(name)));
    auto compiled = JsonSchema::compile(document);
    PAWL_ASSERT(compiled.has_value(), "the shapes are part of the program");
    shapes.emplace(name, std::move(compiled).value());
  }
  return shapes;
}

}  // namespace

const JsonSchema* call_shape(std::string_view name) {
  static const Shapes shapes = make_shapes();
  const auto found = shapes.find(name);
  return found == shapes.end() ? nullptr : &found->second;
}

}  // namespace pawl::dsl::detail
