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
constexpr std::string_view kEncodedPrefix = "=?base64?";
constexpr std::string_view kEncodedSuffix = "?=";
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
      request_.act = Nothing{};
      return std::move(request_);
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

  [[nodiscard]] std::variant<Request, Fault> notification() {
    request_.act = Nothing{};
    return std::move(request_);
  }

  [[nodiscard]] std::variant<Request, Fault> request() {
    if (method_ == "initialize") return initialize();
    const auto& meta = params().get("_meta");
    request_.stateless = meta.find(kVersionKey) != nullptr || fields_.version == kNewest || method_ == "server/discover";
    if (request_.stateless) {
      if (auto problem = check_stateless(meta)) return std::move(*problem);
    } else if (!fields_.version.empty() && !is_legacy(fields_.version)) {
      return unsupported(fields_.version);
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
    if (version.as_string() != kNewest) return unsupported(version.as_string());
    const auto& capabilities = meta.get(kCapabilitiesKey);
    if (!capabilities.is_object()) return fault(Code::invalid_params, "`params._meta` lacks `" + std::string(kCapabilitiesKey) + "`.", 400);
    request_.takes_tasks = capabilities.get("extensions").find(kTasksExtension) != nullptr;
    if (fields_.version != kNewest) return mismatch("MCP-Protocol-Version");
    if (fields_.method != method_) return mismatch("Mcp-Method");
    const auto named = name_in_body();
    if (named.is_string() && plain(fields_.name) != std::string(named.as_string())) return mismatch("Mcp-Name");
    return std::nullopt;
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
    request_.act = Known{Value::object({{"protocolVersion", Value(version)},
                                        {"capabilities", Value::object({{"tools", Value::object()}})},
                                        {"serverInfo", server_info()},
                                        {"instructions", server_.instructions}})};
    return std::move(request_);
  }
  [[nodiscard]] Value server_info() const {
    return Value::object({{"name", server_.name}, {"title", server_.title}, {"version", server_.version}});
  }
  [[nodiscard]] Value discovery() const {
    auto capabilities = Value::object({{"tools", Value::object()}, {"extensions", Value::object({{kTasksExtension, Value::object()}})}});
    return Value::object({{"resultType", "complete"},
                          {"supportedVersions", supported_versions()},
                          {"capabilities", std::move(capabilities)},
                          {"instructions", server_.instructions},
                          {"ttlMs", kListTtlMs},
                          {"cacheScope", "private"},
                          {"_meta", Value::object({{"io.modelcontextprotocol/serverInfo", server_info()}})}});
  }

  [[nodiscard]] std::variant<Request, Fault> act() {
    if (method_ == "tools/list") return list();
    if (method_ == "tools/call") return call();
    if (request_.stateless) {
      if (method_ == "server/discover") return known(discovery());
      if (method_ == "tasks/get" || method_ == "tasks/cancel") return task();
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
  [[nodiscard]] std::variant<Request, Fault> list() {
    const auto& cursor = params().get("cursor");
    if (!cursor.is_null() && !cursor.is_string()) return fault(Code::invalid_params, "`cursor` is a string.", bad_status());
    request_.act = ListTools{cursor.is_string() ? std::string(cursor.as_string()) : std::string()};
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
    request_.act = CallTool{std::string(name.as_string()), arguments.is_object() ? arguments : Value::object(), token};
    return std::move(request_);
  }
  [[nodiscard]] std::variant<Request, Fault> task() {
    if (!request_.takes_tasks) {
      return fault(Code::missing_capability, "The request does not declare the extension `" + std::string(kTasksExtension) + "`.", 400);
    }
    const auto& id = params().get("taskId");
    if (!id.is_string()) return fault(Code::invalid_params, "`taskId` is missing.", 400);
    if (method_ == "tasks/get") {
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
    list.push_back(std::move(entry));
  }
  auto result = typed(request);
  result.set("tools", std::move(list));
  if (!next_cursor.empty()) result.set("nextCursor", next_cursor);
  if (request.stateless) {
    result.set("ttlMs", kListTtlMs);
    result.set("cacheScope", "private");
  }
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
    if (const auto* structured = outcome.output.find("structuredContent")) result.set("structuredContent", *structured);
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

Value task_result(const Request& request, const TaskState& task, Outcome outcome) {
  auto result = typed(request);
  describe(result, task);
  if (task.status == TaskStatus::completed) result.set("result", call_result(request, std::move(outcome)));
  return result;
}

Value empty_result(const Request& request) { return typed(request); }

std::string reply_text(const Request& request, Value result) {
  return json::to_text(Value::object({{"jsonrpc", "2.0"}, {"id", request.id}, {"result", std::move(result)}}));
}

std::string fault_text(const Fault& fault) {
  auto error = Value::object({{"code", static_cast<std::int64_t>(fault.code)}, {"message", fault.message}});
  if (!fault.data.is_null()) error.set("data", fault.data);
  return json::to_text(Value::object({{"jsonrpc", "2.0"}, {"id", fault.id}, {"error", std::move(error)}}));
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
