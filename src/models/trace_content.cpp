#include "models/trace_content.hpp"

#include <algorithm>
#include <string_view>

#include "json/parse.hpp"
#include "json/write.hpp"
#include "models/llm_function.hpp"

namespace pawl::models {
namespace {

using json::Value;

Value text_part(std::string_view text) { return Value::object({{"type", "text"}, {"content", text}}); }

Value part_of(const Part& part) {
  if (part.kind == Part::Kind::text) return text_part(part.text);
  auto told = Value::object({{"type", part.kind == Part::Kind::image ? "image" : "file"}});
  if (!part.media_type.empty()) told.set("mime_type", part.media_type);
  if (!part.name.empty()) told.set("name", part.name);
  if (!part.path.empty()) told.set("path", part.path);
  // What follows may be a signature.
  if (!part.url.empty()) told.set("uri", part.url.substr(0, part.url.find_first_of("?#")));
  if (!part.data.empty()) told.set("size", part.data.size() / 4 * 3);
  return told;
}

Value call_part(std::string_view id, std::string_view name, const Value& arguments) {
  return Value::object({{"type", "tool_call"}, {"id", id}, {"name", name}, {"arguments", arguments}});
}

std::string_view role_of(Role role) {
  switch (role) {
    case Role::system: return "system";
    case Role::assistant: return "assistant";
    case Role::tool: return "tool";
    case Role::user: break;
  }
  return "user";
}

/// What tools answer with is data as text: as data again, so that what stands under the name of a secret is found.
Value answer_of(const Message& message) {
  auto text = message.text();
  if (text.size() > kMostContent || !(text.starts_with('{') || text.starts_with('['))) return {std::move(text)};
  auto data = json::parse(text);
  return data.has_value() ? std::move(data).value() : Value(std::move(text));
}

Value message_of(const Message& message) {
  auto parts = Value::array();
  if (message.role == Role::tool) {
    parts.push_back(Value::object({{"type", "tool_call_response"}, {"id", message.tool_call_id}, {"response", answer_of(message)}}));
  } else {
    for (const auto& part : message.parts) {
      if (part.kind != Part::Kind::text || !part.text.empty()) parts.push_back(part_of(part));
    }
  }
  for (const auto& call : message.tool_calls) parts.push_back(call_part(call.id, call.name, call.arguments));
  return Value::object({{"role", role_of(message.role)}, {"parts", std::move(parts)}});
}

/// The conventions' words.
std::string_view reason_of(const Value& reason) {
  const auto text = reason.is_string() ? reason.as_string() : std::string_view("stop");
  if (text == "tool_calls") return "tool_call";
  if (text == "filtered") return "content_filter";
  return text == "context_full" ? "length" : text;
}

/// The last ones that there is room for, each looked at only then.
template <class At>
void add_newest(Attributes& attributes, std::size_t count, const At& at) {
  std::vector<std::string> texts;
  std::size_t bytes = 2;
  for (auto left = count; left > 0; --left) {
    auto text = at(left - 1);
    bytes += text.size() + 1;
    if (bytes > kMostContent) break;
    texts.push_back(std::move(text));
  }
  if (texts.size() < count) attributes.emplace_back("pawl.content.left_out", Value(count - texts.size()));
  std::string all = "[";
  for (auto text = texts.rbegin(); text != texts.rend(); ++text) {
    if (all.size() > 1) all += ',';
    all += *text;
  }
  attributes.emplace_back("gen_ai.input.messages", Value(all + "]"));
}

void add(Attributes& attributes, std::string_view name, const Value& value, const Clean& clean) {
  auto text = json::to_text(clean(value));
  if (text.size() > kMostContent) text = json::to_text(Value("[too large: " + std::to_string(text.size()) + " bytes]"));
  attributes.emplace_back(std::string(name), Value(std::move(text)));
}

}  // namespace

Attributes content_of_request(const Value& arguments, const Clean& clean) {
  Attributes attributes;
  const auto call = read_call(arguments);
  if (call.has_error()) return attributes;
  const auto& request = call->request;
  if (!request.instructions.empty()) {
    add(attributes, "gen_ai.system_instructions", Value::array({text_part(request.instructions)}), clean);
  }
  add_newest(attributes, request.messages.size(), [&](std::size_t i) { return json::to_text(clean(message_of(request.messages[i]))); });
  if (request.tools.empty()) return attributes;
  auto tools = Value::array();
  for (const auto& tool : request.tools) {
    tools.push_back(
        Value::object({{"type", "function"}, {"name", tool.name}, {"description", tool.description}, {"parameters", tool.parameters}}));
  }
  add(attributes, "gen_ai.tool.definitions", tools, clean);
  return attributes;
}

Attributes content_of_reply(const Value& output, const Clean& clean) {
  auto parts = Value::array();
  if (const auto& text = output.get("content"); text.is_string() && !text.empty()) parts.push_back(text_part(text.as_string()));
  const auto& calls = output.get("tool_calls");
  for (std::size_t i = 0; calls.is_array() && i < calls.size(); ++i) {
    const auto text = [&](std::string_view name) {
      const auto& value = calls.at(i).get(name);
      return value.is_string() ? value.as_string() : std::string_view();
    };
    parts.push_back(call_part(text("id"), text("name"), calls.at(i).get("arguments")));
  }
  Attributes attributes;
  auto message =
      Value::object({{"role", "assistant"}, {"parts", std::move(parts)}, {"finish_reason", reason_of(output.get("finish_reason"))}});
  add(attributes, "gen_ai.output.messages", Value::array({std::move(message)}), clean);
  return attributes;
}

Attributes content_of_tool(const Value& arguments, const Value& result, const Clean& clean) {
  Attributes attributes;
  add(attributes, "gen_ai.tool.call.arguments", arguments, clean);
  if (!result.is_null()) add(attributes, "gen_ai.tool.call.result", result, clean);
  return attributes;
}

}  // namespace pawl::models
