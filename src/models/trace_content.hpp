/// What was said in a call of a model, and given to a tool, as attributes of its span: in the form that OpenTelemetry's conventions for
/// generative AI have (`gen_ai.input.messages` and the others that are opt-in; status Development).
///
/// https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
///
/// Values are JSON as text. Each has at most `kMostContent` bytes: of a conversation the newest messages are told, and how many are left
/// out. Images and files are told by their type and size.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "json/value.hpp"

namespace pawl::models {

using Attributes = std::vector<std::pair<std::string, json::Value>>;

inline constexpr std::size_t kMostContent = 64U << 10U;

/// A value without what must not be shown; it cuts long texts.
using Clean = std::function<json::Value(const json::Value&)>;

/// Of the arguments of `call: llm`. Nothing where they are none.
[[nodiscard]] Attributes content_of_request(const json::Value& arguments, const Clean& clean);
/// Of its output.
[[nodiscard]] Attributes content_of_reply(const json::Value& output, const Clean& clean);
/// Of what a tool was given, and what it answered; null: nothing.
[[nodiscard]] Attributes content_of_tool(const json::Value& arguments, const json::Value& result, const Clean& clean);

}  // namespace pawl::models
