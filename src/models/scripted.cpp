#include "models/scripted.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "dsl/schema.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "models/detail/wire.hpp"
#include "yaml/yaml.hpp"

namespace pawl::models {
namespace {

namespace fs = std::filesystem;
using detail::integer_of;
using detail::text_of;
using detail::tokens_of;

constexpr std::size_t kBytesPerToken = 4;

constexpr std::string_view kSchema = R"({
  "type": "object",
  "properties": {
    "description": {"type": "string"},
    "replies": {"type": "array", "minItems": 1, "items": {
      "type": "object",
      "properties": {
        "match": {"type": "object", "properties": {
          "contains": {"type": "string"}, "instructions": {"type": "string"}, "turn": {"type": "integer", "minimum": 1}, "tool": {"type": "string"}
        }, "additionalProperties": false},
        "content": {},
        "tool_calls": {"type": "array", "items": {
          "type": "object",
          "properties": {"id": {"type": "string"}, "name": {"type": "string", "minLength": 1}, "arguments": {}},
          "required": ["name"], "additionalProperties": false
        }},
        "finish_reason": {"enum": ["stop", "tool_calls", "length", "context_full", "filtered", "paused"]},
        "usage": {"type": "object", "properties": {
          "input_tokens": {"type": "integer", "minimum": 0}, "output_tokens": {"type": "integer", "minimum": 0},
          "cached_tokens": {"type": "integer", "minimum": 0}, "reasoning_tokens": {"type": "integer", "minimum": 0}
        }, "additionalProperties": false},
        "error": {"type": "object", "properties": {
          "status": {"type": "integer", "minimum": 400, "maximum": 599}, "message": {"type": "string"},
          "retry_after": {"type": "number", "minimum": 0}, "attempts": {"type": "integer", "minimum": 1}
        }, "required": ["status"], "additionalProperties": false}
      },
      "additionalProperties": false
    }}
  },
  "required": ["replies"],
  "additionalProperties": false
})";

Error bad(std::string message) { return {ErrorClass::invalid, "llm.script", std::move(message)}; }

const Message* last_of(const Request& request, Role role) {
  for (auto it = request.messages.rbegin(); it != request.messages.rend(); ++it) {
    if (it->role == role) return &*it;
  }
  return nullptr;
}

std::string last_text(const Request& request, Role role) {
  const auto* message = last_of(request, role);
  return message == nullptr ? std::string() : message->text();
}

/// The tool whose result is the last message: by its name, else by the call that it answers.
std::string last_tool(const Request& request) {
  if (request.messages.empty() || request.messages.back().role != Role::tool) return {};
  const auto& result = request.messages.back();
  if (!result.name.empty()) return result.name;
  for (auto it = request.messages.rbegin(); it != request.messages.rend(); ++it) {
    for (const auto& call : it->tool_calls) {
      if (call.id == result.tool_call_id) return call.name;
    }
  }
  return {};
}

bool fits(const json::Value& match, const Request& request) {
  const auto turn = 1 + std::count_if(request.messages.begin(), request.messages.end(),
                                      [](const Message& message) { return message.role == Role::assistant; });
  if (match.get("turn").is_integer() && match.get("turn").as_integer() != turn) return false;
  if (const auto* part = match.find("contains"); part != nullptr) {
    if (last_text(request, Role::user).find(part->as_string()) == std::string::npos) return false;
  }
  if (const auto* part = match.find("instructions"); part != nullptr) {
    if (request.instructions.find(part->as_string()) == std::string::npos) return false;
  }
  if (const auto* tool = match.find("tool"); tool != nullptr && tool->as_string() != last_tool(request)) return false;
  return true;
}

std::string filled(std::string_view text, const Request& request) {
  std::string result;
  while (!text.empty()) {
    const auto start = text.find("{{");
    result += text.substr(0, start);
    if (start == std::string_view::npos) break;
    text.remove_prefix(start);
    if (text.starts_with("{{user}}")) {
      result += last_text(request, Role::user);
      text.remove_prefix(8);
    } else if (text.starts_with("{{tool}}")) {
      result += last_text(request, Role::tool);
      text.remove_prefix(8);
    } else {
      result += "{{";
      text.remove_prefix(2);
    }
  }
  return result;
}

json::Value filled(const json::Value& value, const Request& request) {
  if (value.is_string()) return filled(value.as_string(), request);
  if (value.is_array()) {
    auto result = json::Value::array();
    for (const auto& item : value.items()) result.push_back(filled(item, request));
    return result;
  }
  if (!value.is_object()) return value;
  auto result = json::Value::object();
  for (const auto& member : value.members()) result.set(member.name(), filled(member.value, request));
  return result;
}

FinishReason finish_of(std::string_view text) {
  for (const auto reason :
       {FinishReason::tool_calls, FinishReason::length, FinishReason::context_full, FinishReason::filtered, FinishReason::paused}) {
    if (text == to_text(reason)) return reason;
  }
  return FinishReason::stop;
}

std::int64_t tokens(std::size_t bytes) { return static_cast<std::int64_t>((bytes + kBytesPerToken - 1) / kBytesPerToken); }

Usage counted(const Request& request, const Reply& reply) {
  std::size_t in = request.instructions.size();
  for (const auto& message : request.messages) in += message.text().size();
  for (const auto& tool : request.tools) in += tool.name.size() + tool.description.size();
  std::size_t out = reply.content.size();
  for (const auto& call : reply.tool_calls) out += call.name.size() + json::to_text(call.arguments).size();
  Usage usage;
  usage.input = tokens(in);
  usage.output = tokens(out);
  return usage;
}

void give_out(const Reply& reply, const OnChunk& on_chunk) {
  if (!on_chunk) return;
  std::string_view rest = reply.content;
  while (!rest.empty()) {
    const auto space = rest.find(' ');
    const auto size = space == std::string_view::npos ? rest.size() : space + 1;
    on_chunk({.kind = Chunk::Kind::text, .text = std::string(rest.substr(0, size)), .index = 0, .id = {}, .name = {}});
    rest.remove_prefix(size);
  }
  for (std::size_t i = 0; i < reply.tool_calls.size(); ++i) {
    const auto& call = reply.tool_calls[i];
    on_chunk({.kind = Chunk::Kind::tool_call, .text = {}, .index = i, .id = call.id, .name = call.name});
    on_chunk({.kind = Chunk::Kind::arguments, .text = json::to_text(call.arguments), .index = i, .id = {}, .name = {}});
  }
}

Failure failure_from(const json::Value& error) {
  const auto status = static_cast<int>(integer_of(error, "status"));
  auto message = text_of(error, "message");
  if (message.empty()) message = "the script says so";
  auto failure = failure_of(Wire::chat, status, {}, json::to_text(json::Value::object({{"error", message}})), {});
  if (const auto& wait = error.get("retry_after"); wait.is_number()) {
    failure.retry_after = Millis(static_cast<std::int64_t>(wait.as_double() * 1000));
  }
  return failure;
}

Reply reply_from(const json::Value& item, std::string_view name, const Request& request) {
  Reply reply;
  reply.model = name;
  const auto turn = std::count_if(request.messages.begin(), request.messages.end(),
                                  [](const Message& message) { return message.role == Role::assistant; });
  reply.id = fmt::format("scripted-{}-{}", name, turn + 1);
  const auto& content = item.get("content");
  if (!content.is_null()) {
    const auto value = filled(content, request);
    reply.content = value.is_string() ? std::string(value.as_string()) : json::to_text(value);
  }
  if (item.get("tool_calls").is_array()) {
    for (const auto& entry : item.get("tool_calls").items()) {
      ToolCall call{.id = text_of(entry, "id"), .name = text_of(entry, "name"), .arguments = {}, .arguments_error = {}};
      if (call.id.empty()) call.id = fmt::format("call_{}_{}", turn + 1, reply.tool_calls.size() + 1);
      detail::take_arguments(call, filled(entry.get("arguments"), request));
      reply.tool_calls.push_back(std::move(call));
    }
  }
  reply.finish = finish_of(text_of(item, "finish_reason"));
  reply.usage = counted(request, reply);
  if (const auto* usage = item.find("usage"); usage != nullptr) {
    reply.usage = {.input = tokens_of(*usage, "input_tokens"),
                   .output = tokens_of(*usage, "output_tokens"),
                   .cached = tokens_of(*usage, "cached_tokens"),
                   .cache_write = 0,
                   .reasoning = tokens_of(*usage, "reasoning_tokens")};
  }
  detail::settle(reply);
  reply.finish_detail = to_text(reply.finish);
  return reply;
}

Result<json::Value> read_script(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return bad(path.filename().string() + " cannot be read");
  auto document = yaml::parse(text.str());
  if (!document.ok()) {
    return bad(path.filename().string() + ": " + (document.findings.empty() ? "not YAML" : document.findings.front().message));
  }
  return std::move(document.value->value);
}

}  // namespace

Result<Scripts> Scripts::load(const std::string& folder) {
  Scripts scripts;
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const auto extension = it->path().extension();
    if (extension == ".yaml" || extension == ".yml" || extension == ".json") files.push_back(it->path());
  }
  if (error) return bad("the folder of scripts cannot be read: " + error.message());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    PAWL_TRY(script, read_script(file));
    PAWL_TRY_VOID(scripts.add(file.stem().string(), script));
  }
  return scripts;
}

Result<void> Scripts::add(std::string name, const json::Value& script) {
  static const auto schema = dsl::Schema::compile(json::parse(kSchema).value()).value();
  if (const auto findings = schema.validate(script); !findings.empty()) {
    return bad(fmt::format("{}: {} {}", name, findings.front().pointer, findings.front().message));
  }
  scripts_[std::move(name)] = script;
  return {};
}

std::vector<std::string> Scripts::names() const {
  std::vector<std::string> names;
  for (const auto& [name, script] : scripts_) names.push_back(name);
  return names;
}

Outcome<Reply> Scripts::answer(std::string_view name, const Request& request, std::uint32_t attempt, const OnChunk& on_chunk) const {
  const auto found = scripts_.find(name);
  if (found == scripts_.end()) {
    return Failure{.kind = FailureClass::invalid, .code = "llm.script", .message = fmt::format("there is no script \"{}\"", name)};
  }
  for (const auto& item : found->second.get("replies").items()) {
    if (!fits(item.get("match"), request)) continue;
    if (const auto& error = item.get("error"); error.is_object()) {
      const auto attempts = integer_of(error, "attempts");
      if (attempts == 0 || attempt < attempts) return failure_from(error);
      if (item.find("content") == nullptr && item.find("tool_calls") == nullptr) continue;
    }
    auto reply = reply_from(item, name, request);
    give_out(reply, on_chunk);
    return reply;
  }
  return Failure{
      .kind = FailureClass::invalid, .code = "llm.script", .message = fmt::format("no reply of the script \"{}\" fits the request", name)};
}

}  // namespace pawl::models
