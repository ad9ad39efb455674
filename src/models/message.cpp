#include "models/message.hpp"

#include <fmt/format.h>

#include <utility>

namespace pawl::models {
namespace {

Error bad(std::string message) { return {ErrorClass::invalid, "llm.arguments", std::move(message)}; }

std::string text_of(const json::Value& object, std::string_view name) {
  const auto& value = object.get(name);
  return value.is_string() ? std::string(value.as_string()) : std::string();
}

Result<Part> read_part(const json::Value& value, std::string_view where) {
  if (value.is_string()) return Part{.text = std::string(value.as_string())};
  const auto type = text_of(value, "type");
  Part part;
  if (type == "text") {
    if (!value.get("text").is_string()) return bad(fmt::format("{}: a text part needs `text`", where));
    part.text = text_of(value, "text");
    return part;
  }
  if (type != "image" && type != "file") return bad(fmt::format("{}: the type of a part is `text`, `image` or `file`", where));
  part.kind = type == "image" ? Part::Kind::image : Part::Kind::file;
  part.media_type = text_of(value, "media_type");
  part.data = text_of(value, "data");
  part.url = text_of(value, "url");
  part.path = text_of(value, "path");
  part.name = text_of(value, "name");
  const int sources = (part.data.empty() ? 0 : 1) + (part.url.empty() ? 0 : 1) + (part.path.empty() ? 0 : 1);
  if (sources != 1) return bad(fmt::format("{}: a part of type `{}` needs one of `data`, `url` and `path`", where, type));
  if (!part.data.empty() && part.media_type.empty()) return bad(fmt::format("{}: `data` needs `media_type`", where));
  return part;
}

Result<std::vector<Part>> read_content(const json::Value& value, std::string_view where) {
  std::vector<Part> parts;
  if (value.is_null()) return parts;
  if (value.is_string()) {
    parts.push_back({.text = std::string(value.as_string())});
    return parts;
  }
  if (!value.is_array()) return bad(fmt::format("{}: `content` is text or an array of parts", where));
  for (const auto& item : value.items()) {
    PAWL_TRY(part, read_part(item, where));
    parts.push_back(std::move(part));
  }
  return parts;
}

Result<std::vector<ToolCall>> read_calls(const json::Value& value, std::string_view where) {
  std::vector<ToolCall> calls;
  if (value.is_null()) return calls;
  if (!value.is_array()) return bad(fmt::format("{}: `tool_calls` is an array", where));
  for (const auto& item : value.items()) {
    ToolCall call{.id = text_of(item, "id"), .name = text_of(item, "name"), .arguments = item.get("arguments"), .arguments_error = {}};
    if (call.name.empty()) return bad(fmt::format("{}: a tool call needs `name`", where));
    // A call that could not be read goes back as an empty one: the provider refuses a history with broken arguments.
    if (!call.arguments.is_object()) call.arguments = json::Value::object();
    calls.push_back(std::move(call));
  }
  return calls;
}

std::optional<Role> role_of(std::string_view text) {
  if (text == "system" || text == "developer") return Role::system;
  if (text == "user") return Role::user;
  if (text == "assistant") return Role::assistant;
  if (text == "tool") return Role::tool;
  return std::nullopt;
}

}  // namespace

std::string Message::text() const {
  std::string all;
  for (const auto& part : parts) all += part.text;
  return all;
}

Message Message::of(Role role, std::string text) {
  Message message;
  message.role = role;
  message.parts.push_back({.text = std::move(text)});
  return message;
}

std::string_view to_text(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop: return "stop";
    case FinishReason::tool_calls: return "tool_calls";
    case FinishReason::length: return "length";
    case FinishReason::context_full: return "context_full";
    case FinishReason::filtered: return "filtered";
    case FinishReason::paused: return "paused";
  }
  return "stop";
}

Usage& Usage::operator+=(const Usage& other) noexcept {
  input += other.input;
  output += other.output;
  cached += other.cached;
  cache_write += other.cache_write;
  reasoning += other.reasoning;
  return *this;
}

Result<std::vector<Message>> read_messages(const json::Value& value) {
  std::vector<Message> messages;
  if (value.is_null()) return messages;
  if (!value.is_array()) return bad("`messages` is an array");
  std::size_t index = 0;
  for (const auto& item : value.items()) {
    const auto where = fmt::format("/messages/{}", index++);
    const auto role = role_of(text_of(item, "role"));
    if (!role) return bad(fmt::format("{}: `role` is `system`, `user`, `assistant` or `tool`", where));
    Message message;
    message.role = *role;
    PAWL_TRY(parts, read_content(item.get("content"), where));
    message.parts = std::move(parts);
    if (*role == Role::assistant) {
      PAWL_TRY(calls, read_calls(item.get("tool_calls"), where));
      message.tool_calls = std::move(calls);
      message.raw = item.get("raw");
    }
    if (*role == Role::tool) {
      message.tool_call_id = text_of(item, "tool_call_id");
      message.name = text_of(item, "name");
      message.is_error = item.get("is_error").truthy();
      if (message.tool_call_id.empty()) return bad(fmt::format("{}: a tool's message needs `tool_call_id`", where));
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

Result<std::vector<Tool>> read_tools(const json::Value& value) {
  std::vector<Tool> tools;
  if (value.is_null()) return tools;
  if (!value.is_array()) return bad("`tools` is an array");
  for (const auto& item : value.items()) {
    Tool tool{.name = text_of(item, "name"), .description = text_of(item, "description"), .parameters = item.get("parameters")};
    if (tool.name.empty()) return bad(fmt::format("/tools/{}: `name` is missing", tools.size()));
    if (!tool.parameters.is_object()) {
      tool.parameters = json::Value::object({{"type", "object"}, {"properties", json::Value::object()}});
    }
    tools.push_back(std::move(tool));
  }
  return tools;
}

Result<ToolChoice> read_tool_choice(const json::Value& value) {
  if (value.is_null()) return ToolChoice{};
  const auto name = value.is_string() ? std::string(value.as_string()) : text_of(value, "name");
  if (name.empty()) return bad("`tool_choice` is `auto`, `none`, `required` or a tool's name");
  if (name == "auto") return ToolChoice{};
  if (name == "none") return ToolChoice{.mode = ToolChoice::Mode::none, .name = {}};
  if (name == "required" || name == "any") return ToolChoice{.mode = ToolChoice::Mode::required, .name = {}};
  return ToolChoice{.mode = ToolChoice::Mode::named, .name = name};
}

json::Value to_json(const ToolCall& call) {
  auto value = json::Value::object({{"id", call.id}, {"name", call.name}});
  if (call.arguments_error.empty()) {
    value.set("arguments", call.arguments);
  } else {
    value.set("arguments_error", call.arguments_error);
  }
  return value;
}

json::Value to_json(const Usage& usage) {
  return json::Value::object({{"input_tokens", usage.input},
                              {"output_tokens", usage.output},
                              {"cached_tokens", usage.cached},
                              {"reasoning_tokens", usage.reasoning}});
}

Message to_message(const Reply& reply) {
  auto message = Message::of(Role::assistant, reply.content);
  message.tool_calls = reply.tool_calls;
  for (auto& call : message.tool_calls) {
    if (!call.arguments.is_object()) call.arguments = json::Value::object();
  }
  message.raw = reply.raw;
  return message;
}

}  // namespace pawl::models
