#include "models/detail/wire.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.hpp"
#include "json/parse.hpp"

namespace pawl::models::detail {

std::string text_of(const json::Value& object, std::string_view name) {
  const auto& value = object.get(name);
  return value.is_string() ? std::string(value.as_string()) : std::string();
}

std::int64_t integer_of(const json::Value& object, std::string_view name) {
  const auto& value = object.get(name);
  if (value.is_integer()) return value.as_integer();
  constexpr double kMost = 9e15;
  return value.is_number() && value.as_double() > 0 && value.as_double() < kMost ? static_cast<std::int64_t>(value.as_double()) : 0;
}

std::int64_t tokens_of(const json::Value& object, std::string_view name) {
  constexpr std::int64_t kMost = 1'000'000'000;
  const auto& value = object.get(name);
  if (!value.is_number()) return 0;
  // Also of what no integer holds: 1e300 is as absurd as 10^12.
  return static_cast<std::int64_t>(std::clamp(value.as_double(), 0.0, static_cast<double>(kMost)));
}

json::Value object_of(std::initializer_list<std::pair<std::string_view, json::Value>> members) { return json::Value::object(members); }

json::Value text_content(const Message& message) { return message.text(); }

Outcome<json::Value> parse_body(std::string_view body) {
  if (!is_utf8(body)) return protocol_failure("the answer is not UTF-8");
  auto value = json::parse(body);
  if (value.has_error()) return protocol_failure("the answer is not JSON");
  return std::move(value).value();
}

Failure protocol_failure(std::string message) {
  return {.kind = FailureClass::protocol, .status = 0, .code = "llm.protocol", .message = std::move(message)};
}

Failure truncated() {
  return {.kind = FailureClass::partial, .status = 0, .code = "llm.truncated", .message = "the answer ended before it was complete"};
}

void read_arguments(ToolCall& call, std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) {
    call.arguments = json::Value::object();
    return;
  }
  auto value = is_utf8(text) ? json::parse(text) : Result<json::Value>(Error(ErrorClass::invalid, "json.syntax", "not UTF-8"));
  if (value.has_error()) {
    call.arguments_error = "the arguments are not JSON: " + value.error().message;
  } else if (!value->is_object()) {
    call.arguments_error = "the arguments are not a JSON object";
  } else {
    call.arguments = std::move(*value);
  }
}

void take_arguments(ToolCall& call, const json::Value& value) {
  if (value.is_string()) return read_arguments(call, value.as_string());
  if (value.is_object()) {
    call.arguments = value;
  } else if (value.is_null()) {
    call.arguments = json::Value::object();
  } else {
    call.arguments_error = "the arguments are not a JSON object";
  }
}

json::Value raw_of(Wire wire, std::string_view model, json::Value message) {
  return object_of({{"wire", to_text(wire)}, {"model", model}, {"message", std::move(message)}});
}

json::Value replay_of(const Message& message, Wire wire) {
  const auto& name = message.raw.get("wire");
  if (!name.is_string() || name.as_string() != to_text(wire)) return {};
  return message.raw.get("message");
}

Result<void> check_parts(Wire wire, const Request& request) {
  for (std::size_t i = 0; i < request.messages.size(); ++i) {
    const auto& message = request.messages[i];
    const auto refuse = [&](std::string_view what) {
      return Error(ErrorClass::invalid, "llm.arguments", fmt::format("/messages/{}: {}", i, what));
    };
    const bool replayed = message.role == Role::assistant && !replay_of(message, wire).is_null();
    if (replayed) continue;
    for (const auto& part : message.parts) {
      if (part.kind == Part::Kind::text) continue;
      if (!part.path.empty()) return refuse("a part by `path` is read in workflows only; send its `data`");
      const bool carries = message.role == Role::user || (message.role == Role::system && wire == Wire::responses) ||
                           (message.role == Role::assistant && (wire == Wire::anthropic || wire == Wire::gemini));
      if (!carries) return refuse("this provider takes images and files in messages of the user only");
      if (wire == Wire::ollama && part.kind == Part::Kind::file) return refuse("this provider takes no files");
      if (wire == Wire::ollama && part.data.empty()) return refuse("this provider takes images as `data` only");
      if (wire == Wire::chat && part.kind == Part::Kind::file && part.data.empty())
        return refuse("this provider takes files as `data` only");
    }
  }
  return {};
}

void settle(Reply& reply) {
  if (reply.tool_calls.empty()) return;
  if (reply.finish == FinishReason::stop) reply.finish = FinishReason::tool_calls;
  if (reply.finish == FinishReason::tool_calls || reply.finish == FinishReason::paused) return;
  // Which one was under way when the answer ended is not told: it can only be the last.
  auto& last = reply.tool_calls.back();
  last.arguments = {};
  last.arguments_error =
      reply.finish == FinishReason::length ? "the call was cut off by the limit of tokens" : "the call was cut off before its end";
}

void GrowingReply::text(std::string_view piece, const OnChunk& on_chunk) {
  if (piece.empty()) return;
  begun_ = true;
  reply_.content += piece;
  if (on_chunk) on_chunk({.kind = Chunk::Kind::text, .text = std::string(piece), .index = 0, .id = {}, .name = {}});
}

void GrowingReply::reasoning(std::string_view piece, const OnChunk& on_chunk) {
  if (piece.empty()) return;
  begun_ = true;
  reply_.reasoning += piece;
  if (on_chunk) on_chunk({.kind = Chunk::Kind::reasoning, .text = std::string(piece), .index = 0, .id = {}, .name = {}});
}

void GrowingReply::call_begins(std::int64_t index, std::string id, std::string name, const OnChunk& on_chunk) {
  begun_ = true;
  auto& call = calls_[index];
  const bool known = !call.name.empty();
  if (!id.empty()) call.id = std::move(id);
  if (!name.empty()) call.name = std::move(name);
  if (known || call.name.empty() || !on_chunk) return;
  on_chunk({.kind = Chunk::Kind::tool_call, .text = {}, .index = static_cast<std::size_t>(index), .id = call.id, .name = call.name});
}

void GrowingReply::call_goes_on(std::int64_t index, std::string_view piece, const OnChunk& on_chunk) {
  if (piece.empty()) return;
  begun_ = true;
  calls_[index].arguments += piece;
  if (on_chunk) {
    on_chunk({.kind = Chunk::Kind::arguments, .text = std::string(piece), .index = static_cast<std::size_t>(index), .id = {}, .name = {}});
  }
}

void GrowingReply::collect_calls(bool need_completion) {
  for (auto& [index, growing] : calls_) {
    ToolCall call{.id = growing.id, .name = growing.name, .arguments = {}, .arguments_error = {}};
    if (call.id.empty()) call.id = fmt::format("call_{}", index);
    if (need_completion && !growing.complete) {
      call.arguments_error = "the call was cut off";
    } else {
      read_arguments(call, growing.arguments);
    }
    reply_.tool_calls.push_back(std::move(call));
  }
}

void GrowingReply::fail(Failure failure) {
  if (!failure_) failure_ = std::move(failure);
}

}  // namespace pawl::models::detail
