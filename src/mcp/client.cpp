#include "mcp/client.hpp"

#include <algorithm>
#include <array>

#include "base/utf8.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "mcp/definition.hpp"
#include "mcp/protocol.hpp"

namespace pawl::mcp {
namespace {

using json::Value;

constexpr std::string_view kMeta = "io.modelcontextprotocol/";
constexpr std::array<std::string_view, 3> kWithSessions{"2025-11-25", "2025-06-18", "2025-03-26"};
/// Also understood where a server insists: nothing that is used here differs.
constexpr std::string_view kOldest = "2024-11-05";
constexpr std::size_t kMaxNote = 500;

bool has_sessions(std::string_view version) {
  return version == kOldest || std::find(kWithSessions.begin(), kWithSessions.end(), version) != kWithSessions.end();
}

/// The member of the result that holds a list's entries; empty: not a list.
std::string_view entries_of(std::string_view method) {
  if (method == "tools/list") return "tools";
  if (method == "prompts/list") return "prompts";
  if (method == "resources/list") return "resources";
  return method == "resources/templates/list" ? "resourceTemplates" : std::string_view();
}

/// A stranger's text in a message for people.
std::string shown(std::string_view text) {
  std::string made = to_utf8(std::string(text.substr(0, kMaxNote)));
  std::replace_if(
      made.begin(), made.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return made;
}

}  // namespace

Conversation::Conversation(Ask ask, ClientOptions options) : ask_(std::move(ask)), options_(std::move(options)), era_(options_.era) {
  if (!ask_.params.is_object()) ask_.params = Value::object();
  if (options_.protocol_version == kNewest) era_ = Era::stateless;
  if (has_sessions(options_.protocol_version)) era_ = Era::sessions;
  entries_ = Value::array();
}

std::vector<Outgoing> Conversation::begin() {
  if (!options_.protocol_version.empty() && era_ == Era::unknown) {
    return fail({ErrorClass::unavailable, "mcp.version",
                 "The revision " + shown(options_.protocol_version) + " of the protocol is not known here."});
  }
  if (era_ == Era::stateless) return proceed();
  if (era_ == Era::sessions || options_.initialize_first) return initialize();
  return discover();
}

// ---- what goes out ------------------------------------------------------------------------------------------------------------------

Outgoing Conversation::message_of(Value message, std::string_view method, const Value& params) const {
  Outgoing made;
  made.text = json::to_text(message);
  if (era_ == Era::sessions) {
    if (!revision_.empty()) made.fields.emplace_back("MCP-Protocol-Version", revision_);
    return made;
  }
  made.fields.emplace_back("MCP-Protocol-Version", kNewest);
  if (method.empty()) return made;
  made.fields.emplace_back("Mcp-Method", method);
  const auto& name = params.get(method == "resources/read" ? "uri" : "name");
  const bool is_named = method == "tools/call" || method == "prompts/get" || method == "resources/read";
  if (is_named && name.is_string()) made.fields.emplace_back("Mcp-Name", field_of(name.as_string()));
  return made;
}

Outgoing Conversation::request(std::string_view method, Value params) {
  if (era_ != Era::sessions) {
    auto meta = params.get("_meta").is_object() ? params.get("_meta") : Value::object();
    meta.set(std::string(kMeta) + "protocolVersion", kNewest);
    meta.set(std::string(kMeta) + "clientCapabilities", Value::object());
    meta.set(std::string(kMeta) + "clientInfo", Value::object({{"name", options_.name}, {"version", options_.version}}));
    params.set("_meta", std::move(meta));
  }
  auto message = Value::object({{"jsonrpc", "2.0"}, {"id", ++last_id_}, {"method", method}, {"params", params}});
  auto made = message_of(std::move(message), method, params);
  made.expects_answer = true;
  return made;
}

std::vector<Outgoing> Conversation::discover() {
  stage_ = Stage::discovering;
  tried_stateless_ = true;
  return {request("server/discover", Value::object())};
}

std::vector<Outgoing> Conversation::initialize() {
  stage_ = Stage::initializing;
  era_ = Era::sessions;
  tried_initialize_ = true;
  const auto wish = options_.protocol_version.empty() ? std::string(kWithSessions.front()) : options_.protocol_version;
  return {request("initialize", Value::object({{"protocolVersion", wish},
                                               {"capabilities", Value::object()},
                                               {"clientInfo", Value::object({{"name", options_.name}, {"version", options_.version}})}}))};
}

/// The two know each other: what is wanted comes next.
std::vector<Outgoing> Conversation::proceed() {
  const bool looks_up = ask_.method == "tools/call" && (era_ == Era::stateless || !ask_.pin.empty());
  if (looks_up) return list_page("tools/list", {});
  if (!entries_of(ask_.method).empty()) return list_page(ask_.method, {});
  return ask();
}

std::vector<Outgoing> Conversation::list_page(std::string_view method, const std::string& cursor) {
  stage_ = Stage::listing;
  auto params = ask_.method == method ? ask_.params : Value::object();
  if (!cursor.empty()) params.set("cursor", cursor);
  return {request(method, std::move(params))};
}

std::vector<Outgoing> Conversation::ask() {
  stage_ = Stage::asking;
  auto params = ask_.params;
  if (ask_.method == "tools/call") {
    auto meta = params.get("_meta").is_object() ? params.get("_meta") : Value::object();
    meta.set("progressToken", last_id_ + 1);
    if (!ask_.key.empty()) meta.set("io.pawl/idempotencyKey", ask_.key);
    params.set("_meta", std::move(meta));
    if (!params.get("arguments").is_object()) params.set("arguments", Value::object());
  }
  auto made = request(ask_.method, params);
  made.acts = ask_.method == "tools/call";
  if (era_ == Era::stateless && definition_.is_object()) {
    for (auto& field : mirrored_arguments(definition_, params.get("arguments"))) made.fields.push_back(std::move(field));
  }
  return {std::move(made)};
}

std::vector<Outgoing> Conversation::cancel() const {
  if (ended() || era_ != Era::sessions || stage_ == Stage::initializing || last_id_ == 0) return {};
  auto params = Value::object({{"requestId", last_id_}, {"reason", "The run does not wait any more."}});
  auto message = Value::object({{"jsonrpc", "2.0"}, {"method", "notifications/cancelled"}, {"params", std::move(params)}});
  return {message_of(std::move(message), {}, {})};
}

// ---- what comes in ------------------------------------------------------------------------------------------------------------------

std::vector<Outgoing> Conversation::take(std::string_view text) {
  if (ended()) return {};
  if (++messages_ > options_.limits.max_messages) return fail("The server sends more messages than can be meant.");
  const auto message = json::parse(text, {.max_depth = options_.limits.max_depth, .max_bytes = options_.limits.max_message});
  if (message.has_error()) return fail("The server's message cannot be read: " + message.error().message);
  if (!message->is_object() || message->get("jsonrpc") != Value("2.0")) return fail("The server's message is not one of JSON-RPC 2.0.");
  if (message->get("method").is_string()) {
    if (!message->get("id").is_null()) return server_request(*message);
    notification(*message);
    return {};
  }
  const auto& error = message->get("error");
  // Who could not read a request does not know its id either.
  const bool is_ours = message->get("id") == Value(last_id_) || (message->get("id").is_null() && error.is_object());
  if (!is_ours) return {};
  if (error.is_object()) return failed(error);
  if (const auto* result = message->find("result"); result != nullptr && result->is_object()) return answered(*result);
  return fail("The server's answer has neither a result nor an error.");
}

std::vector<Outgoing> Conversation::server_request(const Value& message) {
  auto reply = Value::object({{"jsonrpc", "2.0"}, {"id", message.get("id")}});
  if (message.get("method") == Value("ping")) {
    reply.set("result", Value::object());
  } else {
    reply.set("error",
              Value::object({{"code", static_cast<std::int64_t>(Code::method_not_found)}, {"message", "The client does not offer this."}}));
  }
  return {message_of(std::move(reply), {}, {})};
}

void Conversation::notification(const Value& message) {
  if (notes_.size() >= options_.limits.max_notes) return;
  const auto& params = message.get("params");
  if (message.get("method") == Value("notifications/progress")) {
    if (params.get("progressToken") != Value(last_id_)) return;
    const auto& said = params.get("message");
    auto text = "progress " + json::to_text(params.get("progress")) +
                (params.get("total").is_number() ? " of " + json::to_text(params.get("total")) : "");
    notes_.push_back({"info", shown(text + (said.is_string() ? ": " + std::string(said.as_string()) : ""))});
  } else if (message.get("method") == Value("notifications/message")) {
    const auto& data = params.get("data");
    const bool is_bad = params.get("level") == Value("error") || params.get("level") == Value("warning");
    notes_.push_back({is_bad ? "warning" : "info", shown(data.is_string() ? std::string(data.as_string()) : json::to_text(data))});
  }
}

std::vector<Outgoing> Conversation::answered(const Value& result) {
  switch (stage_) {
    case Stage::discovering: return discovered(result);
    case Stage::initializing: return initialized(result);
    case Stage::listing: return is_right_type(result) ? listed(result) : std::vector<Outgoing>();
    case Stage::asking: break;
  }
  if (is_right_type(result)) result_.emplace(result);
  return {};
}

/// Results of the newer era say what they are.
bool Conversation::is_right_type(const Value& result) {
  const auto& type = result.get("resultType");
  if (type.is_null() || type == Value("complete")) return true;
  if (type == Value("input_required")) {
    static_cast<void>(fail({ErrorClass::unsupported, "mcp.input_required",
                            "The server wants to ask a person before it goes on, which is not offered to it."}));
  } else {
    static_cast<void>(fail("The server's result is of a kind that was not asked for."));
  }
  return false;
}

std::vector<Outgoing> Conversation::failed(const Value& error) {
  // The other era is worth one try: nothing has been asked yet.
  const bool may_change = options_.protocol_version.empty() && options_.era == Era::unknown;
  if (stage_ == Stage::discovering && !tried_initialize_) return initialize();
  if (stage_ == Stage::initializing && may_change && !tried_stateless_) {
    tried_stateless_ = true;
    era_ = Era::stateless;
    return proceed();
  }
  const auto& code = error.get("code");
  const auto& said = error.get("message");
  return fail({ErrorClass::unprocessable, "mcp.error",
               "The server answered " + (code.is_integer() ? std::to_string(code.as_integer()) : std::string("an error")) + ": " +
                   (said.is_string() ? shown(said.as_string()) : std::string("no message"))});
}

bool Conversation::refused(int status, std::string_view body, std::vector<Outgoing>& next) {
  if (ended()) return true;
  // Who refuses a method may be of the other era; who refuses the caller is not asked again.
  const bool says_who = status == 401 || status == 403 || status == 407 || status == 429 || status >= 500;
  if (says_who) return false;
  if (stage_ == Stage::discovering && !tried_initialize_) {
    next = initialize();
    return true;
  }
  const auto message = json::parse(body, {.max_depth = options_.limits.max_depth, .max_bytes = options_.limits.max_message});
  if (message.has_error() || !message->get("error").is_object()) return false;
  next = failed(message->get("error"));
  return true;
}

std::vector<Outgoing> Conversation::discovered(const Value& result) {
  const auto& versions = result.get("supportedVersions");
  if (!versions.is_array()) return initialize();  // it answers to what it does not know
  const auto has = [&](auto&& wanted) {
    return versions.is_array() && std::any_of(versions.items().begin(), versions.items().end(),
                                              [&](const Value& each) { return each.is_string() && wanted(each.as_string()); });
  };
  if (has([](std::string_view version) { return version == kNewest; })) {
    era_ = Era::stateless;
    return proceed();
  }
  if (has([](std::string_view version) { return has_sessions(version); })) return initialize();
  return fail({ErrorClass::unavailable, "mcp.version", "The server speaks no revision of the protocol that is known here."});
}

std::vector<Outgoing> Conversation::initialized(const Value& result) {
  const auto& version = result.get("protocolVersion");
  if (!version.is_string() || !has_sessions(version.as_string())) {
    return fail({ErrorClass::unavailable, "mcp.version", "The server speaks no revision of the protocol that is known here."});
  }
  revision_ = version.as_string();
  std::vector<Outgoing> next{message_of(Value::object({{"jsonrpc", "2.0"}, {"method", "notifications/initialized"}}), {}, {})};
  for (auto& message : proceed()) next.push_back(std::move(message));
  return next;
}

std::vector<Outgoing> Conversation::listed(const Value& result) {
  const bool looks_up = ask_.method == "tools/call";
  const auto& method = looks_up ? std::string("tools/list") : ask_.method;
  const auto& page = result.get(entries_of(method));
  if (!page.is_array()) return fail("The server's list has no entries.");
  list_bytes_ += json::to_text(page).size();
  if (entries_.size() + page.size() > options_.limits.max_entries || list_bytes_ > options_.limits.max_list) {
    return fail("The server's list is longer than can be meant.");
  }
  for (const auto& entry : page.items()) entries_.push_back(entry);
  const auto& cursor = result.get("nextCursor");
  if (cursor.is_string() && !cursor.empty()) {
    const std::string place(cursor.as_string());
    const bool comes_round = std::find(cursors_.begin(), cursors_.end(), place) != cursors_.end();
    if (++pages_ >= options_.limits.max_pages || comes_round) return fail("The server's list does not end.");
    cursors_.push_back(place);
    return list_page(method, place);
  }
  if (looks_up) return tool_found();
  if (method == "tools/list") {
    auto pinned = Value::array();
    for (auto tool : entries_.items()) {
      if (!tool.is_object()) return fail("The server's list holds something that is no tool.");
      auto meta = tool.get("_meta").is_object() ? tool.get("_meta") : Value::object();
      meta.set("io.pawl/pin", pin_of(tool));
      tool.set("_meta", std::move(meta));
      pinned.push_back(std::move(tool));
    }
    entries_ = std::move(pinned);
  }
  result_.emplace(Value::object({{entries_of(method), std::move(entries_)}}));
  return {};
}

std::vector<Outgoing> Conversation::tool_found() {
  const auto& name = ask_.params.get("name");
  const auto is_it = [&](const Value& tool) { return tool.get("name") == name; };
  const auto entries = entries_.items();
  const auto found = std::find_if(entries.begin(), entries.end(), is_it);
  const auto called = name.is_string() ? shown(name.as_string()) : std::string();
  if (found == entries.end()) return fail({ErrorClass::not_found, "mcp.unknown_tool", "The server has no tool `" + called + "`."});
  if (std::count_if(entries.begin(), entries.end(), is_it) > 1) return fail("The server has two tools `" + called + "`.");
  if (const auto checked = check_definition(*found); checked.has_error()) return fail(checked.error());
  if (!ask_.pin.empty()) {
    if (const auto changes = changes_since(ask_.pin, *found); !changes.empty()) {
      return fail({ErrorClass::denied, "mcp.tool_changed",
                   "The tool `" + called + "` is not what was pinned. " + changes + " Its pin is now " + pin_of(*found) + "."});
    }
  }
  definition_ = *found;
  return ask();
}

std::vector<Outgoing> Conversation::fail(Error error) {
  result_.emplace(std::move(error));
  return {};
}

std::vector<Outgoing> Conversation::fail(std::string message) {
  return fail(Error(ErrorClass::unavailable, "mcp.protocol", std::move(message)));
}

// ---- results ------------------------------------------------------------------------------------------------------------------------

Value content_of(const Value& result) {
  if (const auto* structured = result.find("structuredContent"); structured != nullptr && !structured->is_null()) return *structured;
  const auto& content = result.get("content");
  if (!content.is_array()) return result;
  const auto is_text = [](const Value& block) { return block.get("type") == Value("text"); };
  if (std::all_of(content.items().begin(), content.items().end(), is_text)) return Value(text_of_result(result));
  return content;
}

std::string text_of_result(const Value& result) {
  std::string text;
  const auto& content = result.get("content");
  if (!content.is_array()) return text;
  for (const auto& block : content.items()) {
    if (!block.get("text").is_string()) continue;
    if (!text.empty()) text += '\n';
    text += block.get("text").as_string();
  }
  return text;
}

}  // namespace pawl::mcp
