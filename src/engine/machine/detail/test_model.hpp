/// For tests of agents: what a model replies.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::engine::testing {

/// In words.
inline json::Value reply(std::string_view text, int input_tokens = 100, int output_tokens = 10) {
  auto value = json::Value::object(
      {{"content", text}, {"tool_calls", json::Value::array()}, {"finish_reason", "stop"}, {"model", "m-1"}, {"cost", 0.25}});
  value.set("usage", json::Value::object({{"input_tokens", input_tokens}, {"output_tokens", output_tokens}}));
  return value;
}

/// One that asks for tools: `[{"name": ..., "arguments": ...}]`. They get the ids `c0`, `c1` ...
inline json::Value reply_with_calls(std::string_view calls, int input_tokens = 100, int output_tokens = 10) {
  auto value = reply({}, input_tokens, output_tokens);
  auto list = json::Value::array();
  const auto wanted = json::parse(calls).value();
  for (const auto& wish : wanted.items()) {
    auto call = json::Value::object({{"id", "c" + std::to_string(list.size())}});
    for (const auto& member : wish.members()) call.set(member.name(), member.value);
    list.push_back(std::move(call));
  }
  value.set("content", nullptr);
  value.set("tool_calls", std::move(list));
  value.set("finish_reason", "tool_calls");
  return value;
}

inline std::string says(std::string_view text, int input_tokens = 100, int output_tokens = 10) {
  return json::to_text(reply(text, input_tokens, output_tokens));
}
inline std::string asks(std::string_view calls, int input_tokens = 100, int output_tokens = 10) {
  return json::to_text(reply_with_calls(calls, input_tokens, output_tokens));
}

}  // namespace pawl::engine::testing
