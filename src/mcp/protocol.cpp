#include "mcp/protocol.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "crypto/encoding.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::mcp {
namespace {

using json::Value;

constexpr std::string_view kVersionKey = "io.modelcontextprotocol/protocolVersion";
constexpr std::string_view kCapabilitiesKey = "io.modelcontextprotocol/clientCapabilities";
/// With `initialize`, newest first.
constexpr std::array<std::string_view, 3> kLegacy{"2025-11-25", "2025-06-18", "2025-03-26"};
constexpr std::string_view kElicits = "-elicitation";
constexpr std::string_view kEncodedPrefix = "=?base64?";
constexpr std::string_view kEncodedSuffix = "?=";
constexpr std::size_t kMostCompletions = 100;  // as the protocol has it
constexpr std::size_t kMaxDepth = 128;
constexpr std::size_t kMaxName = 64;
/// How long a client may keep a list.
constexpr std::int64_t kListTtlMs = 30'000;
constexpr std::int64_t kTaskPollMs = 500;

bool is_legacy(std::string_view version) { return std::find(kLegacy.begin(), kLegacy.end(), version) != kLegacy.end(); }

Value supported_versions() {
  auto list = Value::array({Value(kNewest)});
  for (const auto version : kLegacy) list.push_back(Value(version));
  return list;
}

/// A field whose text HTTP would not carry comes as `=?base64?...?=`.
std::optional<std::string> plain(std::string_view field) {
  constexpr auto kAround = kEncodedPrefix.size() + kEncodedSuffix.size();
  if (!field.starts_with(kEncodedPrefix) || !field.ends_with(kEncodedSuffix) || field.size() < kAround) return std::string(field);
  std::string text(field.substr(kEncodedPrefix.size(), field.size() - kAround));
  while (text.ends_with('=')) text.pop_back();
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return crypto::from_base64url(text);
}

/// One message on its way to a `Request`.
class Reading {
 public:
  Reading(const Value& message, const Fields& fields, const ServerInfo& server) : message_(message), fields_(fields), server_(server) {}

  [[nodiscard]] std::variant<Request, Fault> read() {
    if (message_.is_array()) return fault(Code::invalid_request, "Batches are not part of the protocol: send one message.", 400);
    if (!message_.is_object() || message_.get("jsonrpc") != Value("2.0")) {
      return fault(Code::invalid_request, "This is not a JSON-RPC 2.0 message.", 400);
    }
    const auto& id = message_.get("id");
    if (!id.is_null() && !id.is_string() && !id.is_integer()) return fault(Code::invalid_request, "`id` is a string or an integer.", 400);
    request_.id = id;
    if (message_.find("method") == nullptr && (message_.find("result") != nullptr || message_.find("error") != nullptr)) {
      return answer();
    }
    if (!message_.get("method").is_string()) return fault(Code::invalid_request, "`method` is missing.", 400);
    method_ = message_.get("method").as_string();
    if (const auto* params = message_.find("params"); params != nullptr && !params->is_object()) {
      return fault(Code::invalid_params, "`params` is an object.", 400);
    }
    return id.is_null() ? notification() : request();
  }

 private:
  [[nodiscard]] Fault fault(Code code, std::string message, int status, Value data = {}) const {
    return {code, std::move(message), status, std::move(data), request_.id};
  }
  [[nodiscard]] const Value& params() const { return message_.get("params"); }
  [[nodiscard]] int bad_status() const { return request_.stateless ? 400 : 200; }

  [[nodiscard]] std::variant<Request, Fault> answer() {
    request_.act = Nothing{};
    if (request_.id.is_string()) request_.act = Answer{std::string(request_.id.as_string()), message_.get("result")};
    return std::move(request_);
  }

  [[nodiscard]] std::variant<Request, Fault> notification() {
    request_.act = Nothing{};
    return std::move(request_);
  }

  [[nodiscard]] std::variant<Request, Fault> request() {
    const auto& meta = params().get("_meta");
    // The newest revision has no such method: who speaks it is told so, and no session begins.
    const bool is_newest = meta.find(kVersionKey) != nullptr && !params().get("protocolVersion").is_string();
    if (method_ == "initialize" && !is_newest) return initialize();
    request_.stateless = meta.find(kVersionKey) != nullptr || fields_.version == kNewest || method_ == "server/discover";
    if (request_.stateless) {
      if (auto problem = check_stateless(meta)) return std::move(*problem);
    } else if (!fields_.version.empty() && !is_legacy(fields_.version)) {
      return unsupported(fields_.version);
    } else {
      request_.elicits = fields_.session.ends_with(kElicits);
    }
    return act();
  }

  [[nodiscard]] Fault unsupported(std::string_view version) const {
    return fault(Code::unsupported_version, "The protocol version is not supported.", 400,
                 Value::object({{"supported", supported_versions()}, {"requested", Value(version)}}));
  }

  /// Every request says its version and the client's capabilities; the HTTP fields say the same as the body.
  [[nodiscard]] std::optional<Fault> check_stateless(const Value& meta) {
    const auto& version = meta.get(kVersionKey);
    if (!version.is_string()) return fault(Code::invalid_params, "`params._meta` lacks `" + std::string(kVersionKey) + "`.", 400);
    if (!fields_.version.empty() && fields_.version != version.as_string()) return mismatch("MCP-Protocol-Version");
    if (version.as_string() != kNewest) return unsupported(version.as_string());
    const auto& capabilities = meta.get(kCapabilitiesKey);
    if (!capabilities.is_object()) return fault(Code::invalid_params, "`params._meta` lacks `" + std::string(kCapabilitiesKey) + "`.", 400);
    request_.elicits = takes_forms(capabilities);
    request_.takes_tasks = capabilities.get("extensions").find(kTasksExtension) != nullptr;
    if (fields_.version != kNewest) return mismatch("MCP-Protocol-Version");
    if (fields_.method != method_) return mismatch("Mcp-Method");
    const auto named = name_in_body();
    if (named.is_string() && plain(fields_.name) != std::string(named.as_string())) return mismatch("Mcp-Name");
    return std::nullopt;
  }
  /// Without modes it is forms that are meant.
  [[nodiscard]] static bool takes_forms(const Value& capabilities) {
    const auto& elicitation = capabilities.get("elicitation");
    return elicitation.is_object() && (elicitation.find("form") != nullptr || elicitation.find("url") == nullptr);
  }
  [[nodiscard]] Fault mismatch(std::string_view field) const {
    return fault(Code::header_mismatch, "The field `" + std::string(field) + "` does not say what the body says.", 400);
  }
  [[nodiscard]] Value name_in_body() const {
    if (method_ == "tools/call" || method_ == "prompts/get") return params().get("name");
    if (method_ == "resources/read") return params().get("uri");
    return method_.starts_with("tasks/") ? params().get("taskId") : Value();
  }

  [[nodiscard]] std::variant<Request, Fault> initialize() {
    const auto& wish = params().get("protocolVersion");
    if (!wish.is_string()) return fault(Code::invalid_params, "`protocolVersion` is missing.", 200);
    const auto version = is_legacy(wish.as_string()) ? wish.as_string() : kLegacy.front();
    request_.elicits = version != "2025-03-26" && takes_forms(params().get("capabilities"));
    request_.act = Known{Value::object({{"protocolVersion", Value(version)},
                                        {"capabilities", capabilities()},
                                        {"serverInfo", server_info()},
                                        {"instructions", server_.instructions}})};
    return std::move(request_);
  }
  [[nodiscard]] Value server_info() const {
    return Value::object({{"name", server_.name}, {"title", server_.title}, {"version", server_.version}});
  }
  [[nodiscard]] static Value capabilities() {
    return Value::object(
        {{"tools", Value::object()}, {"prompts", Value::object()}, {"resources", Value::object()}, {"completions", Value::object()}});
  }
  [[nodiscard]] Value discovery() const {
    auto offered = capabilities();
    offered.set("extensions", Value::object({{kTasksExtension, Value::object()}}));
    return Value::object({{"resultType", "complete"},
                          {"supportedVersions", supported_versions()},
                          {"capabilities", std::move(offered)},
                          {"instructions", server_.instructions},
                          {"ttlMs", kListTtlMs},
                          {"cacheScope", "private"},
                          {"_meta", Value::object({{"io.modelcontextprotocol/serverInfo", server_info()}})}});
  }

  [[nodiscard]] std::variant<Request, Fault> act() {
    if (method_ == "tools/list") return list<ListTools>();
    if (method_ == "tools/call") return call();
    if (method_ == "prompts/list") return list<ListPrompts>();
    if (method_ == "prompts/get") return get_prompt();
    if (method_ == "resources/list") return list<ListResources>();
    if (method_ == "resources/templates/list") return list<ListTemplates>();
    if (method_ == "resources/read") return read_resource();
    if (method_ == "completion/complete") return complete();
    if (request_.stateless) {
      if (method_ == "server/discover") return known(discovery());
      if (method_ == "tasks/get" || method_ == "tasks/cancel" || method_ == "tasks/update") return task();
    } else if (method_ == "ping") {
      return known(Value::object());
    }
    return fault(Code::method_not_found, "There is no method `" + std::string(method_.substr(0, kMaxName)) + "` here.",
                 request_.stateless ? 404 : 200);
  }
  [[nodiscard]] std::variant<Request, Fault> known(Value result) {
    request_.act = Known{std::move(result)};
    return std::move(request_);
  }
  template <class List>
  [[nodiscard]] std::variant<Request, Fault> list() {
    const auto& cursor = params().get("cursor");
    if (!cursor.is_null() && !cursor.is_string()) return fault(Code::invalid_params, "`cursor` is a string.", bad_status());
    request_.act = List{cursor.is_string() ? std::string(cursor.as_string()) : std::string()};
    return std::move(request_);
  }
  [[nodiscard]] std::variant<Request, Fault> get_prompt() {
    const auto& name = params().get("name");
    if (!name.is_string() || name.as_string().empty()) return fault(Code::invalid_params, "`name` is missing.", bad_status());
    const auto& arguments = params().get("arguments");
    if (!arguments.is_null() && !arguments.is_object()) return fault(Code::invalid_params, "`arguments` is an object.", bad_status());
    if (arguments.is_object()) {
      for (const auto& argument : arguments.members()) {
        if (!argument.value.is_string()) return fault(Code::invalid_params, "A prompt's arguments are texts.", bad_status());
      }
    }
    request_.act = GetPrompt{std::string(name.as_string()), arguments.is_object() ? arguments : Value::object()};
    return std::move(request_);
  }
  [[nodiscard]] std::variant<Request, Fault> read_resource() {
    const auto& uri = params().get("uri");
    if (!uri.is_string() || uri.as_string().empty()) return fault(Code::invalid_params, "`uri` is missing.", bad_status());
    request_.act = ReadResource{std::string(uri.as_string())};
    return std::move(request_);
  }
  [[nodiscard]] std::variant<Request, Fault> complete() {
    const auto& ref = params().get("ref");
    const auto& argument = params().get("argument");
    const auto& name = argument.get("name");
    const auto& value = argument.get("value");
    if (!name.is_string() || !value.is_string()) {
      return fault(Code::invalid_params, "`argument` has `name` and `value`, both texts.", bad_status());
    }
    Complete wish{{}, {}, std::string(name.as_string()), std::string(value.as_string())};
    const auto of = [&ref](std::string_view type, std::string_view member) {
      return ref.get("type") == Value(type) && ref.get(member).is_string() && !ref.get(member).empty();
    };
    if (of("ref/prompt", "name")) {
      wish.prompt = ref.get("name").as_string();
    } else if (of("ref/resource", "uri")) {
      wish.uri = ref.get("uri").as_string();
    } else {
      return fault(Code::invalid_params, "`ref` names a prompt (`ref/prompt`) or a template (`ref/resource`).", bad_status());
    }
    request_.act = std::move(wish);
    return std::move(request_);
  }
  [[nodiscard]] std::variant<Request, Fault> call() {
    const auto& name = params().get("name");
    if (!name.is_string() || name.as_string().empty()) return fault(Code::invalid_params, "`name` is missing.", bad_status());
    const auto& arguments = params().get("arguments");
    if (!arguments.is_null() && !arguments.is_object()) return fault(Code::invalid_params, "`arguments` is an object.", bad_status());
    const auto& token = params().get("_meta").get("progressToken");
    if (!token.is_null() && !token.is_string() && !token.is_integer()) {
      return fault(Code::invalid_params, "`progressToken` is a string or an integer.", bad_status());
    }
    CallTool call{std::string(name.as_string()), arguments.is_object() ? arguments : Value::object(), token};
    if (request_.stateless) {
      const auto& responses = params().get("inputResponses");
      const auto& state = params().get("requestState");
      if (!responses.is_null() && !responses.is_object()) return fault(Code::invalid_params, "`inputResponses` is an object.", 400);
      if (!state.is_null() && !state.is_string()) return fault(Code::invalid_params, "`requestState` is a string.", 400);
      if (responses.is_object() && !state.is_string()) return fault(Code::invalid_params, "`requestState` is missing.", 400);
      call.responses = responses;
      if (state.is_string()) call.state = state.as_string();
    }
    request_.act = std::move(call);
    return std::move(request_);
  }
  [[nodiscard]] std::variant<Request, Fault> task() {
    if (!request_.takes_tasks) {
      const auto needed = Value::object({{"extensions", Value::object({{kTasksExtension, Value::object()}})}});
      return fault(Code::missing_capability, "The request does not declare the extension `" + std::string(kTasksExtension) + "`.", 400,
                   Value::object({{"requiredCapabilities", needed}}));
    }
    const auto& id = params().get("taskId");
    if (!id.is_string()) return fault(Code::invalid_params, "`taskId` is missing.", 400);
    if (method_ == "tasks/update") {
      const auto& responses = params().get("inputResponses");
      if (!responses.is_object()) return fault(Code::invalid_params, "`inputResponses` is missing.", 400);
      request_.act = UpdateTask{std::string(id.as_string()), responses};
    } else if (method_ == "tasks/get") {
      request_.act = GetTask{std::string(id.as_string())};
    } else {
      request_.act = CancelTask{std::string(id.as_string())};
    }
    return std::move(request_);
  }

  const Value& message_;
  const Fields& fields_;
  const ServerInfo& server_;
  std::string_view method_;
  Request request_;
};

/// Content blocks as the protocol has them; anything else is a value of the tool's own.
bool is_content(const Value& value) {
  constexpr std::array<std::string_view, 5> kTypes{"text", "image", "audio", "resource", "resource_link"};
  if (!value.is_array() || value.empty()) return false;
  const auto blocks = value.items();
  return std::all_of(blocks.begin(), blocks.end(), [&](const Value& block) {
    const auto& type = block.get("type");
    return block.is_object() && type.is_string() && std::find(kTypes.begin(), kTypes.end(), type.as_string()) != kTypes.end();
  });
}

Value text_block(std::string text) { return Value::object({{"type", "text"}, {"text", std::move(text)}}); }

std::string_view to_text(TaskStatus status) {
  switch (status) {
    case TaskStatus::working: return "working";
    case TaskStatus::input_required: return "input_required";
    case TaskStatus::completed: return "completed";
    case TaskStatus::failed: return "failed";
    case TaskStatus::cancelled: return "cancelled";
  }
  return "failed";
}

void describe(Value& object, const TaskState& task) {
  object.set("taskId", task.id);
  object.set("status", Value(to_text(task.status)));
  object.set("createdAt", task.created_at);
  object.set("lastUpdatedAt", task.updated_at);
  object.set("ttlMs", Value());
  object.set("pollIntervalMs", kTaskPollMs);
  if (!task.message.empty()) object.set("statusMessage", task.message);
}

Value typed(const Request& request) {
  auto result = Value::object();
  if (request.stateless) result.set("resultType", "complete");
  return result;
}

Value listed(const Request& request, std::string_view name, Value list) {
  auto result = typed(request);
  result.set(name, std::move(list));
  if (request.stateless) {
    result.set("ttlMs", kListTtlMs);
    result.set("cacheScope", "private");
  }
  return result;
}

Value entry_of(const Resource& resource, std::string_view address) {
  return Value::object({{address, Value(resource.uri)},
                        {"name", resource.name},
                        {"title", resource.title},
                        {"description", resource.description},
                        {"mimeType", resource.mime_type}});
}

bool are_messages(const Value& value) {
  if (!value.is_array() || value.empty()) return false;
  const auto messages = value.items();
  return std::all_of(messages.begin(), messages.end(), [](const Value& message) {
    const auto& role = message.get("role");
    return (role == Value("user") || role == Value("assistant")) && is_content(Value::array({message.get("content")}));
  });
}

/// Of a choice: `enum`, or titles with their values.
bool is_choice(const Value& field) {
  return field.find("enum") != nullptr || field.find("oneOf") != nullptr || field.find("anyOf") != nullptr;
}

bool is_plain_field(const Value& field) {
  constexpr std::array<std::string_view, 4> kTypes{"string", "number", "integer", "boolean"};
  const auto& type = field.get("type");
  if (!type.is_string()) return false;
  if (type.as_string() == "array") return field.get("items").is_object() && is_choice(field.get("items"));
  return std::find(kTypes.begin(), kTypes.end(), type.as_string()) != kTypes.end();
}

Value request_of(const Question& question) {
  auto form = Value::object({{"type", "object"}, {"properties", Value::object()}});
  if (question.form.is_object()) {
    form.set("properties", question.form.get("properties"));
    if (const auto* required = question.form.find("required")) form.set("required", *required);
  }
  return Value::object(
      {{"method", "elicitation/create"},
       {"params", Value::object({{"mode", "form"}, {"message", question.message}, {"requestedSchema", std::move(form)}})}});
}

Value requests_of(const std::vector<Question>& questions) {
  auto requests = Value::object();
  for (const auto& question : questions) requests.set(question.key, request_of(question));
  return requests;
}

}  // namespace

std::variant<Request, Fault> interpret(std::string_view message, const Fields& fields, const ServerInfo& server) {
  json::ParseLimits limits;
  limits.max_depth = kMaxDepth;
  const auto parsed = json::parse(message, limits);
  if (parsed.has_error()) return Fault{Code::parse_error, "The message is not valid JSON: " + parsed.error().message, 400};
  return Reading(*parsed, fields, server).read();
}

Value tools_result(const Request& request, const std::vector<Tool>& tools, const std::string& next_cursor) {
  auto list = Value::array();
  for (const auto& tool : tools) {
    auto entry =
        Value::object({{"name", tool.name}, {"title", tool.title}, {"description", tool.description}, {"inputSchema", tool.input_schema}});
    if (!tool.output_schema.is_null()) entry.set("outputSchema", tool.output_schema);
    if (tool.hints) {
      entry.set("annotations", Value::object({{"readOnlyHint", tool.hints->read_only},
                                              {"destructiveHint", tool.hints->destructive},
                                              {"idempotentHint", tool.hints->idempotent},
                                              {"openWorldHint", tool.hints->open_world}}));
    }
    list.push_back(std::move(entry));
  }
  auto result = listed(request, "tools", std::move(list));
  if (!next_cursor.empty()) result.set("nextCursor", next_cursor);
  return result;
}

Value call_result(const Request& request, Outcome outcome) {
  auto result = typed(request);
  if (!outcome.meta.is_null()) result.set("_meta", std::move(outcome.meta));
  if (!outcome.failure.empty()) {
    result.set("content", Value::array({text_block(std::move(outcome.failure))}));
    result.set("isError", true);
    return result;
  }
  if (const auto& content = outcome.output.get("content"); is_content(content)) {
    result.set("content", content);
    const auto* structured = outcome.declared ? &outcome.output : outcome.output.find("structuredContent");
    if (structured != nullptr) result.set("structuredContent", *structured);
    result.set("isError", outcome.output.get("isError") == Value(true));
    return result;
  }
  const bool is_text = outcome.output.is_string();
  result.set("content", Value::array({text_block(is_text ? std::string(outcome.output.as_string()) : json::to_text(outcome.output))}));
  // Until 2025-11-25 structured content is an object.
  if (outcome.output.is_object() || (request.stateless && !is_text)) result.set("structuredContent", std::move(outcome.output));
  result.set("isError", false);
  return result;
}

Value task_created(const TaskState& task) {
  auto result = Value::object({{"resultType", "task"}});
  describe(result, task);
  return result;
}

Value task_result(const Request& request, const TaskState& task, Outcome outcome, const std::vector<Question>& questions) {
  auto result = typed(request);
  describe(result, task);
  if (task.status == TaskStatus::input_required) result.set("inputRequests", requests_of(questions));
  if (task.status == TaskStatus::completed) result.set("result", call_result(request, std::move(outcome)));
  return result;
}

Value input_required(const std::vector<Question>& questions, const std::string& state) {
  return Value::object({{"resultType", "input_required"}, {"inputRequests", requests_of(questions)}, {"requestState", state}});
}

Value prompts_result(const Request& request, const std::vector<Prompt>& prompts) {
  auto list = Value::array();
  for (const auto& prompt : prompts) {
    auto entry = Value::object({{"name", prompt.name}, {"title", prompt.title}, {"description", prompt.description}});
    auto arguments = Value::array();
    for (const auto& argument : prompt.arguments) {
      auto one = Value::object({{"name", argument.name}, {"required", argument.required}});
      if (!argument.description.empty()) one.set("description", argument.description);
      arguments.push_back(std::move(one));
    }
    if (!prompt.arguments.empty()) entry.set("arguments", std::move(arguments));
    if (!prompt.meta.is_null()) entry.set("_meta", prompt.meta);
    list.push_back(std::move(entry));
  }
  return listed(request, "prompts", std::move(list));
}

Value prompt_result(const Request& request, const std::string& description, const Value& output, Value meta) {
  auto result = typed(request);
  result.set("description", description);
  if (!meta.is_null()) result.set("_meta", std::move(meta));
  if (const auto& messages = output.get("messages"); are_messages(messages)) {
    result.set("messages", messages);
    return result;
  }
  auto text = output.is_string() ? std::string(output.as_string()) : json::to_text(output);
  result.set("messages", Value::array({Value::object({{"role", "user"}, {"content", text_block(std::move(text))}})}));
  return result;
}

Value resources_result(const Request& request, const std::vector<Resource>& resources) {
  auto list = Value::array();
  for (const auto& resource : resources) list.push_back(entry_of(resource, "uri"));
  return listed(request, "resources", std::move(list));
}

Value templates_result(const Request& request, const std::vector<Resource>& templates) {
  auto list = Value::array();
  for (const auto& each : templates) list.push_back(entry_of(each, "uriTemplate"));
  return listed(request, "resourceTemplates", std::move(list));
}

Value read_result(const Request& request, const Contents& contents) {
  auto one = Value::object({{"uri", contents.uri}, {"mimeType", contents.mime_type}, {"text", contents.text}});
  if (!contents.meta.is_null()) one.set("_meta", contents.meta);
  auto result = typed(request);
  result.set("contents", Value::array({std::move(one)}));
  if (request.stateless) {
    result.set("ttlMs", std::int64_t{0});  // a run moves on
    result.set("cacheScope", "private");
  }
  return result;
}

Value completion_result(const Request& request, const std::vector<std::string>& values) {
  auto list = Value::array();
  for (std::size_t i = 0; i < std::min(values.size(), kMostCompletions); ++i) list.push_back(values[i]);
  auto result = typed(request);
  result.set("completion", Value::object({{"values", std::move(list)},
                                          {"total", static_cast<std::int64_t>(values.size())},
                                          {"hasMore", values.size() > kMostCompletions}}));
  return result;
}

Fault no_resource(const Request& request, const std::string& uri) {
  return {request.stateless ? Code::invalid_params : Code::resource_not_found, "There is no resource of this address.",
          request.stateless ? 400 : 200, Value::object({{"uri", uri}}), request.id};
}

bool is_plain_form(const Value& form) {
  if (form.is_null()) return true;
  if (form.get("type") != Value("object")) return false;
  const auto& properties = form.get("properties");
  if (!properties.is_object()) return false;
  for (const auto& member : form.members()) {  // clients know these and no others
    constexpr std::array<std::string_view, 6> kKnown{"type", "properties", "required", "title", "description", "additionalProperties"};
    if (std::find(kKnown.begin(), kKnown.end(), member.name()) == kKnown.end()) return false;
  }
  const auto members = properties.members();
  return std::all_of(members.begin(), members.end(), [](const auto& member) { return is_plain_field(member.value); });
}

std::string eliciting_session(std::string_view unique) { return std::string(unique).append(kElicits); }

Value empty_result(const Request& request) { return typed(request); }

std::string reply_text(const Request& request, Value result) {
  return json::to_text(Value::object({{"jsonrpc", "2.0"}, {"id", request.id}, {"result", std::move(result)}}));
}

std::string fault_text(const Fault& fault) {
  auto error = Value::object({{"code", static_cast<std::int64_t>(fault.code)}, {"message", fault.message}});
  if (!fault.data.is_null()) error.set("data", fault.data);
  return json::to_text(Value::object({{"jsonrpc", "2.0"}, {"id", fault.id}, {"error", std::move(error)}}));
}

std::string question_text(const Question& question) {
  auto message = request_of(question);
  message.set("jsonrpc", "2.0");
  message.set("id", question.key);
  return json::to_text(message);
}

std::string progress_text(const Value& token, std::uint64_t done, std::string_view message) {
  auto params = Value::object({{"progressToken", token}, {"progress", static_cast<std::int64_t>(done)}, {"message", Value(message)}});
  return json::to_text(Value::object({{"jsonrpc", "2.0"}, {"method", "notifications/progress"}, {"params", std::move(params)}}));
}

std::string field_of(std::string_view text) {
  const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (is_plain && !text.starts_with(kEncodedPrefix)) return std::string(text);
  auto encoded = crypto::to_base64url(text);
  std::replace(encoded.begin(), encoded.end(), '-', '+');
  std::replace(encoded.begin(), encoded.end(), '_', '/');
  encoded.append((4 - encoded.size() % 4) % 4, '=');
  return std::string(kEncodedPrefix) + encoded + std::string(kEncodedSuffix);
}

std::string tool_name(std::string_view text) {
  std::string name;
  for (const char c : text.substr(0, kMaxName)) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    name.push_back(fits ? c : '_');
  }
  return name.empty() ? "workflow" : name;
}

}  // namespace pawl::mcp
