// `mcp`: asks a server of the Model Context Protocol (DSL, "MCP call"): calls its tools, reads its lists, prompts and resources.
//
// - A server is reached over HTTP, at an address that the workflow gives, or is one of the administrator's catalogue (`mcp_servers.hpp`).
//   Programs are started from the catalogue only, whatever a document says of commands.
// - What a tool does nobody here knows: a call is of class `once`, unless the workflow says `read_only`. What the server itself says of it
//   (`readOnlyHint`) counts where the catalogue trusts it.
// - What the catalogue gives a server (header fields, environment) is the operator's secret: it comes back to no workflow.
// - With a pin a tool is called only if its definition is still what it was when somebody read it.

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "audit/redact.hpp"
#include "engine/machine/machine.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/http_call.hpp"
#include "functions/detail/http_exchanger.hpp"
#include "functions/detail/mcp_functions.hpp"
#include "functions/detail/mcp_talk.hpp"
#include "functions/detail/process_runner.hpp"
#include "functions/detail/secret_hosts.hpp"
#include "mcp/definition.hpp"

namespace pawl::functions {
namespace {

constexpr Millis kUsualTimeout{60'000};
constexpr std::size_t kMaxKnown = 1000;
constexpr std::size_t kMaxDetail = 4000;

/// Which era a server speaks, so that it is asked once.
class Eras {
 public:
  [[nodiscard]] mcp::Era of(const std::string& url) {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(url);
    return found == known_.end() ? mcp::Era::unknown : found->second;
  }
  void learn(const std::string& url, mcp::Era era, bool is_right) {
    const std::lock_guard lock(mutex_);
    if (!is_right) {
      known_.erase(url);
    } else if (known_.size() < kMaxKnown) {
      known_[url] = era;
    }
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, mcp::Era> known_;
};

/// Where a call goes.
struct Destination {
  const McpServer* server = nullptr;  ///< of the catalogue
  HttpCall http;                      ///< where it has no program
  [[nodiscard]] bool is_program() const { return server != nullptr && !server->command.empty(); }
};

json::Value parameters_of(const json::Value& arguments) {
  auto parameters = arguments.get("parameters").is_object() ? arguments.get("parameters") : json::Value::object();
  if (const auto* tool = arguments.find("tool"); tool != nullptr) parameters.set("name", *tool);
  if (const auto* input = arguments.find("input"); input != nullptr) parameters.set("arguments", *input);
  return parameters;
}

Error refused(std::string message) { return {ErrorClass::denied, "mcp.server", std::move(message)}; }

json::Value error_of(const Error& error, const json::Value& secrets) {
  const auto detail = redact(error.message, secrets);
  if (error.code == "mcp.error") return engine::make_error("runtime", 500, error.code, detail);
  if (error.code == "mcp.protocol" || error.code == "mcp.version") return engine::make_error("communication", 502, error.code, detail);
  if (error.code == "mcp.unknown_tool") return engine::make_error("validation", 404, error.code, detail);
  return to_workflow_error(Error(error.kind, error.code, detail));
}

/// Of what the operator gives a server what must not come back from it. A field's value may have a scheme before what is secret.
std::vector<std::string> secrets_of(const McpServer& server) {
  std::vector<std::string> values;
  const auto add = [&](std::string_view value) {
    if (value.size() >= audit::kShortestSecret) values.emplace_back(value);
  };
  for (const auto& [name, value] : server.headers) {
    add(value);
    if (const auto space = value.rfind(' '); space != std::string::npos) add(std::string_view(value).substr(space + 1));
  }
  for (const auto& [name, value] : server.environment) add(value);
  return values;
}

/// Those of the call, and those of the server: under a name that no integration has.
json::Value with_server(json::Value secrets, const std::vector<std::string>& own) {
  if (own.empty()) return secrets;
  if (!secrets.is_object()) secrets = json::Value::object();
  auto list = json::Value::array();
  for (const auto& value : own) list.push_back(value);
  secrets.set("mcp-servers.yaml", std::move(list));
  return secrets;
}

engine::Outcome without(engine::Outcome outcome, const std::vector<std::string>& secrets) {
  if (secrets.empty()) return outcome;
  audit::Needles needles;
  for (const auto& secret : secrets) needles.add(secret);
  const audit::Redactor redactor(std::move(needles));
  constexpr audit::RedactOptions kByContent{.by_name = false, .max_depth = 1000};
  outcome.output = redactor.value(outcome.output, kByContent);
  outcome.error = redactor.value(outcome.error, kByContent);
  for (auto& line : outcome.logs) line.text = redactor.text(line.text, kByContent);
  return outcome;
}

bool only_reads(const json::Value& tool) { return tool.get("annotations").get("readOnlyHint") == json::Value(true); }

/// The tools that are wanted of those that there are; an error where one is missing, is not what was pinned, or cannot be used.
Result<json::Value> chosen(const json::Value& arguments, const json::Value& result, bool trusts_annotations) {
  const auto& tools = result.get("tools");
  const auto& names = arguments.get("tools");
  const auto& pins = arguments.get("pins");
  auto wanted = json::Value::array();
  const bool chooses = names.is_array() || pins.is_object();
  std::vector<std::string> left;
  if (names.is_array()) {
    for (const auto& name : names.items()) left.push_back(as_text(name));
  } else if (pins.is_object()) {
    for (const auto& pin : pins.members()) left.emplace_back(pin.name());
  }
  std::vector<std::string> seen;
  for (auto tool : tools.items()) {
    const auto name = text_or(tool, "name", "");
    const auto place = std::find(left.begin(), left.end(), name);
    if (chooses && place == left.end() && std::find(seen.begin(), seen.end(), name) == seen.end()) continue;
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
      return Error(ErrorClass::unavailable, "mcp.protocol", fmt::format("The server has two tools `{}`.", name));
    }
    seen.push_back(name);
    if (place != left.end()) left.erase(place);
    const auto checked = mcp::check_definition(tool);
    if (checked.has_error()) {
      if (!chooses) continue;  // the others can be used
      return Error(ErrorClass::unprocessable, "mcp.tool", fmt::format("The tool `{}` cannot be used: {}", name, checked.error().message));
    }
    if (const auto& pin = pins.get(name); pin.is_string()) {
      const auto changes = mcp::changes_since(pin.as_string(), tool);
      if (!changes.empty()) {
        return Error(ErrorClass::denied, "mcp.tool_changed",
                     fmt::format("The tool `{}` is not what was pinned. {} Its pin is now {}.", name, changes, mcp::pin_of(tool)));
      }
    }
    auto meta = tool.get("_meta");
    meta.set("io.pawl/readOnly", trusts_annotations && only_reads(tool));
    tool.set("_meta", std::move(meta));
    wanted.push_back(std::move(tool));
  }
  if (!left.empty()) return Error(ErrorClass::not_found, "mcp.unknown_tool", fmt::format("The server has no tool `{}`.", left.front()));
  return json::Value::object({{"tools", std::move(wanted)}});
}

/// A structured result that is not what its tool promised is none.
std::string broken_promise(const json::Value& definition, const json::Value& result) {
  const auto& promised = definition.get("outputSchema");
  if (!promised.is_object() || result.get("isError").truthy()) return {};
  const auto schema = dsl::Schema::compile(promised);
  if (schema.has_error()) return {};  // one that nobody can check
  const auto* structured = result.find("structuredContent");
  if (structured == nullptr) return "the tool promises structured content and gives none";
  const auto findings = schema->validate(*structured);
  return findings.empty() ? std::string() : fmt::format("{} {}", findings[0].pointer, findings[0].message);
}

class Mcp final : public Builtin {
 public:
  Mcp(const Parts& parts, McpOptions options)
      : Builtin(
            {.name = "mcp",
             .summary = "Asks a server of the Model Context Protocol: calls its tools, reads its lists, prompts and resources",
             .parameters = literal(R"json({
                   "type": "object",
                   "properties": {
                     "method": {"type": "string", "enum": ["tools/list", "tools/call", "prompts/list", "prompts/get", "resources/list", "resources/read", "resources/templates/list"]},
                     "transport": {"type": "object", "description": "one of: http, a server of the administrator's catalogue (server), or the same in the DSL's words (stdio.command)", "properties": {
                       "http": {"type": "object", "required": ["endpoint"], "properties": {
                         "endpoint": {"type": ["string", "object"], "description": "URI, or {uri, authentication}"},
                         "headers": {"type": "object"}}},
                       "server": {"type": "string", "minLength": 1},
                       "stdio": {"type": "object", "required": ["command"], "properties": {
                         "command": {"type": "string", "description": "the server's name in the catalogue, which alone says how it is started"}}}
                     }, "oneOf": [{"required": ["http"]}, {"required": ["server"]}, {"required": ["stdio"]}]},
                     "parameters": {"type": "object", "description": "of the method: {name, arguments} of a tool, {uri} of a resource"},
                     "tool": {"type": "string", "description": "tools/call: the same as parameters.name"},
                     "input": {"type": "object", "description": "tools/call: the same as parameters.arguments; an agent's model fills it"},
                     "tools": {"type": "array", "items": {"type": "string"}, "description": "tools/list: these, and an error where one is missing"},
                     "pins": {"type": "object", "additionalProperties": {"type": "string"}, "description": "tools/list: by name of the tool what its definition must be; `_meta[\"io.pawl/pin\"]` of a list has it"},
                     "pin": {"type": "string", "description": "tools/call: likewise"},
                     "read_only": {"type": "boolean", "default": false, "description": "tools/call: the tool is known to change nothing, so the step may be repeated"},
                     "output": {"type": "string", "enum": ["result", "content"], "default": "result", "description": "tools/call: the whole result, or what it holds: structured content, else text, else the list of contents"},
                     "timeout": {"description": "seconds, ISO 8601 text or a duration object; default 60 s"},
                     "protocolVersion": {"type": "string", "description": "a revision to insist on; default: the newest that both sides speak"},
                     "client": {"type": "object", "required": ["name", "version"], "properties": {"name": {"type": "string"}, "version": {"type": "string"}}}
                   },
                   "required": ["method", "transport"],
                   "additionalProperties": false
                 })json"),
             .output = literal(
                 R"({"description": "the method's result as the server gave it, of lists all pages; with output: content what a tool's result holds"})"),
             .examples = literal(R"([
                   {"method": "tools/call", "transport": {"http": {"endpoint": "https://tools.example.com/mcp"}},
                    "parameters": {"name": "search", "arguments": {"query": "durable"}}, "output": "content"},
                   {"method": "tools/list", "transport": {"server": "files"}}
                 ])"),
             .reach = {{engine::Access::Kind::host, "/transport/http/endpoint", ""},
                       {engine::Access::Kind::host, "/transport/http/endpoint/uri", ""},
                       {engine::Access::Kind::process, "/transport/server", ""},
                       {engine::Access::Kind::process, "/transport/stdio/command", ""}}}),
        parts_(parts),
        options_(std::move(options)),
        eras_(std::make_shared<Eras>()) {}

  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override {
    const bool calls = text_or(arguments, "method", "tools/call") == "tools/call";
    return calls && !flag_or(arguments, "read_only", false) ? engine::EffectClass::once : engine::EffectClass::read;
  }

 private:
  [[nodiscard]] Result<const McpServer*> server_named(const std::string& name, const OrganizationId& organization) const {
    const auto& servers = options_.servers;
    const auto found = std::find_if(servers.begin(), servers.end(), [&](const McpServer& each) { return each.name == name; });
    const auto unknown =
        refused(fmt::format("The administrator's catalogue has no MCP server `{}` for this organization.", name.substr(0, 100)));
    if (found == servers.end()) return unknown;
    const auto& allowed = found->organizations;
    const bool may = found->for_all || (allowed.empty() ? organization == options_.installation
                                                        : std::find(allowed.begin(), allowed.end(), organization) != allowed.end());
    if (!may) return unknown;
    return &*found;
  }

  [[nodiscard]] Result<Destination> place_of(const engine::Invocation& call) const {
    Destination place;
    const auto& transport = call.arguments.get("transport");
    if (const auto* http = transport.find("http"); http != nullptr) {
      PAWL_TRY(endpoint, read_endpoint(http->get("endpoint"), call.input));
      place.http.request.url = endpoint.uri;
      place.http.authentication = endpoint.authentication;
      PAWL_TRY(headers, read_pairs(http->get("headers"), "headers"));
      place.http.request.headers = std::move(headers);
      return place;
    }
    const auto& stdio = transport.get("stdio");
    if (stdio.find("arguments") != nullptr || stdio.find("environment") != nullptr) {
      return refused("Programs are started as the administrator's catalogue says: `arguments` and `environment` cannot be given.");
    }
    PAWL_TRY(server, server_named(stdio.is_object() ? text_or(stdio, "command", "") : text_or(transport, "server", ""), call.organization));
    place.server = server;
    place.http.request.url = server->url;
    place.http.request.headers = {server->headers.begin(), server->headers.end()};
    return place;
  }

  [[nodiscard]] Result<Talk> talk_of(const engine::Invocation& call, const Destination& place) const {
    Talk talk;
    const auto& arguments = call.arguments;
    talk.ask.method = text_or(arguments, "method", "");
    talk.ask.params = parameters_of(arguments);
    if (talk.ask.method == "tools/call" && !talk.ask.params.get("name").is_string()) {
      return Error(ErrorClass::invalid, "arguments.invalid", "`parameters.name` must be the name of the tool");
    }
    const auto& given = talk.ask.params.get("arguments");
    if (talk.ask.method == "tools/call" && !given.is_null() && !given.is_object()) {
      return Error(ErrorClass::invalid, "arguments.invalid", "`parameters.arguments` must be an object");
    }
    talk.ask.pin = text_or(arguments, "pin", "");
    if (!talk.ask.pin.empty() && !mcp::is_pin(talk.ask.pin)) {
      return Error(ErrorClass::invalid, "arguments.invalid", "`pin` is not one: `_meta[\"io.pawl/pin\"]` of a tool in a list has it");
    }
    talk.ask.key = call.idempotency_key;
    talk.options.name = text_or(arguments.get("client"), "name", "pawl");
    talk.options.version = text_or(arguments.get("client"), "version", options_.version);
    talk.options.protocol_version = text_or(arguments, "protocolVersion", "");
    talk.options.limits.max_message = parts_.options.max_response;
    if (!place.is_program()) talk.options.era = eras_->of(place.http.request.url);
    PAWL_TRY(timeout, duration_argument(arguments, "timeout"));
    talk.timeout = timeout.value_or(kUsualTimeout);
    talk.secrets = call.secrets;
    talk.at_most_once = call.effect == engine::EffectClass::once;
    talk.may_destroy = call.may_destroy;
    return talk;
  }

  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY(place, place_of(call));
    auto step = json::Value::object({{"action", call.arguments.get("method") == json::Value("tools/call") ? "call_tool" : "read"},
                                     {"method", call.arguments.get("method")},
                                     {"server", place.server != nullptr ? place.server->name : without_userinfo(place.http.request.url)}});
    const auto parameters = parameters_of(call.arguments);
    if (parameters.get("name").is_string()) step.set("name", parameters.get("name"));
    return json::Value::array({std::move(step)});
  }

  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    auto place = place_of(call);
    if (place.has_error()) {
      done(failed(place.error()));
      return {};
    }
    auto talk = talk_of(call, *place);
    if (talk.has_error()) {
      done(failed(talk.error()));
      return {};
    }
    // A program is no host that an integration's credentials are meant for.
    if (place->is_program()) {
      if (const auto held = hold_to_host(call.arguments, "", call.secrets); held.has_error()) {
        done(failed(held.error()));
        return {};
      }
    }
    const auto own = place->server != nullptr ? secrets_of(*place->server) : std::vector<std::string>();
    talk->secrets = with_server(std::move(talk->secrets), own);
    const bool trusts = place->server != nullptr && place->server->trust_annotations;
    const auto url = place->http.request.url;
    const bool is_known = talk->options.era != mcp::Era::unknown;
    auto ended = [call = std::move(call), done = std::move(done), trusts, own, url, is_known, eras = eras_](Talked talked) {
      const bool is_right = !talked.failure && talked.result.has_value();
      if (!url.empty() && (is_right || is_known)) eras->learn(url, talked.era, is_right);
      done(without(outcome_of(call, std::move(talked), trusts), own));
    };
    if (place->is_program()) return talk_with_program(parts_.processes, *place->server, std::move(*talk), std::move(ended));
    return talk_over_http(parts_.http, std::move(place->http), std::move(*talk), std::move(ended));
  }

  static engine::Outcome outcome_of(const engine::Invocation& call, Talked talked, bool trusts_annotations) {
    std::vector<engine::LogLine> logs;
    for (auto& note : talked.notes) logs.push_back({call.now, std::move(note.level), redact(std::move(note.text), call.secrets)});
    if (talked.failure) {
      talked.failure->logs = std::move(logs);
      return std::move(*talked.failure);
    }
    const auto wrong = [&](json::Value error) { return engine::Outcome::failure(std::move(error), std::move(logs)); };
    if (talked.result.has_error()) return wrong(error_of(talked.result.error(), call.secrets));
    auto result = std::move(*talked.result);
    const auto method = text_or(call.arguments, "method", "");
    if (method == "tools/list") {
      auto tools = chosen(call.arguments, result, trusts_annotations);
      if (tools.has_error()) return wrong(error_of(tools.error(), call.secrets));
      return engine::Outcome::success(std::move(*tools), std::move(logs));
    }
    if (method != "tools/call") return engine::Outcome::success(std::move(result), std::move(logs));
    if (result.get("isError").truthy()) {
      auto said = redact(mcp::text_of_result(result), call.secrets).substr(0, kMaxDetail);
      return wrong(engine::make_error("runtime", 500, "Tool failed", said.empty() ? std::string("The tool says that it failed.") : said));
    }
    if (const auto promise = broken_promise(talked.definition, result); !promise.empty()) {
      return wrong(engine::make_error("communication", 502, "mcp.output", "The result is not what the tool promises: " + promise));
    }
    if (text_or(call.arguments, "output", "result") == "content") result = mcp::content_of(result);
    return engine::Outcome::success(std::move(result), std::move(logs));
  }

  const Parts parts_;
  const McpOptions options_;
  const std::shared_ptr<Eras> eras_;
};

}  // namespace

std::unique_ptr<engine::Function> make_mcp(const Parts& parts, McpOptions options) {
  return std::make_unique<Mcp>(parts, std::move(options));
}

Result<void> add_mcp_functions(engine::FunctionRegistry& registry, const Dependencies& dependencies, const FunctionsOptions& options,
                               McpOptions mcp) {
  PAWL_TRY(roots, Roots::open(options.roots, options.hidden));
  Parts parts{dependencies, options, roots, nullptr, nullptr};
  parts.options.roots = roots->paths();
  parts.options.hidden = roots->hidden();
  parts.processes = std::make_shared<ProcessRunner>(parts.options);
  parts.http = std::make_shared<HttpExchanger>(dependencies.outbound);
  registry.add(make_mcp(parts, std::move(mcp)));
  registry.add(make_a2a(parts));
  return boost::system::in_place_value;
}

}  // namespace pawl::functions
