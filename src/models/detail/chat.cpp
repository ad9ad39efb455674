// OpenAI Chat Completions, and the many servers that are more or less compatible: what they get wrong is tolerated.
#include <fmt/format.h>

#include "json/write.hpp"
#include "models/detail/wire.hpp"

namespace pawl::models::detail {
namespace {

json::Value part_of(const Part& part) {
  if (part.kind == Part::Kind::text) return object_of({{"type", "text"}, {"text", part.text}});
  const auto address = part.url.empty() ? fmt::format("data:{};base64,{}", part.media_type, part.data) : part.url;
  if (part.kind == Part::Kind::image) return object_of({{"type", "image_url"}, {"image_url", object_of({{"url", address}})}});
  return object_of({{"type", "file"}, {"file", object_of({{"filename", part.name.empty() ? "file" : part.name}, {"file_data", address}})}});
}

json::Value content_of(const Message& message) {
  bool only_text = true;
  for (const auto& part : message.parts) only_text = only_text && part.kind == Part::Kind::text;
  if (only_text) return message.text();
  auto parts = json::Value::array();
  for (const auto& part : message.parts) parts.push_back(part_of(part));
  return parts;
}

json::Value message_of(const Message& message) {
  switch (message.role) {
    case Role::system: return object_of({{"role", "system"}, {"content", message.text()}});
    case Role::user: return object_of({{"role", "user"}, {"content", content_of(message)}});
    case Role::tool: return object_of({{"role", "tool"}, {"tool_call_id", message.tool_call_id}, {"content", message.text()}});
    case Role::assistant: break;
  }
  if (auto raw = replay_of(message, Wire::chat); raw.is_object()) return raw;
  auto value = object_of({{"role", "assistant"}, {"content", message.text()}});
  if (message.tool_calls.empty()) return value;
  if (message.text().empty()) value.set("content", nullptr);
  auto calls = json::Value::array();
  for (const auto& call : message.tool_calls) {
    calls.push_back(object_of({{"id", call.id},
                               {"type", "function"},
                               {"function", object_of({{"name", call.name}, {"arguments", json::to_text(call.arguments)}})}}));
  }
  value.set("tool_calls", std::move(calls));
  return value;
}

json::Value choice_of(const ToolChoice& choice) {
  switch (choice.mode) {
    case ToolChoice::Mode::automatic: return "auto";
    case ToolChoice::Mode::none: return "none";
    case ToolChoice::Mode::required: return "required";
    case ToolChoice::Mode::named: break;
  }
  return object_of({{"type", "function"}, {"function", object_of({{"name", choice.name}})}});
}

FinishReason finish_of(std::string_view reason) {
  if (reason == "length") return FinishReason::length;
  if (reason == "content_filter") return FinishReason::filtered;
  return FinishReason::stop;  // `tool_calls`, and what says `stop` with calls, are settled by the calls
}

Usage usage_of(const json::Value& value) {
  const auto& in = value.get("prompt_tokens_details");
  return {.input = tokens_of(value, "prompt_tokens"),
          .output = tokens_of(value, "completion_tokens"),
          .cached = tokens_of(in, "cached_tokens"),
          .cache_write = tokens_of(in, "cache_write_tokens"),
          .reasoning = tokens_of(value.get("completion_tokens_details"), "reasoning_tokens")};
}

std::string reasoning_of(const json::Value& message) {
  auto text = text_of(message, "reasoning_content");
  return text.empty() ? text_of(message, "reasoning") : text;
}

class ChatStream final : public GrowingReply {
 public:
  void feed(std::string_view bytes, const OnChunk& on_chunk) override {
    if (failure_) return;
    events_.feed(bytes, [&](std::string_view, std::string_view data) { take(data, on_chunk); });
    if (events_.overflown()) fail(protocol_failure("an event of the answer is too large"));
  }

  [[nodiscard]] Outcome<Reply> finish() override {
    events_.finish([&](std::string_view, std::string_view data) { take(data, {}); });
    if (failure_) return *failure_;
    // Some servers never say [DONE]; a reason to finish is as good.
    if (!over_ && !finished_) return truncated();
    collect_calls(false);
    if (!refusal_.empty()) {
      reply_.finish = FinishReason::filtered;
      if (reply_.content.empty()) reply_.content = refusal_;
    }
    auto message = object_of({{"role", "assistant"}, {"content", reply_.content}});
    if (!reply_.reasoning.empty()) message.set("reasoning_content", reply_.reasoning);
    if (!calls_.empty()) {
      if (reply_.content.empty()) message.set("content", nullptr);
      auto calls = json::Value::array();
      for (std::size_t i = 0; i < reply_.tool_calls.size(); ++i) {
        const auto& call = reply_.tool_calls[i];
        calls.push_back(
            object_of({{"id", call.id},
                       {"type", "function"},
                       {"function",
                        object_of({{"name", call.name},
                                   {"arguments", json::to_text(call.arguments.is_object() ? call.arguments : json::Value::object())}})}}));
      }
      message.set("tool_calls", std::move(calls));
    }
    settle(reply_);
    reply_.raw = raw_of(Wire::chat, reply_.model, std::move(message));
    return std::move(reply_);
  }

 private:
  void take(std::string_view data, const OnChunk& on_chunk) {
    if (failure_ || over_) return;
    if (data == "[DONE]") {
      over_ = true;
      return;
    }
    auto parsed = parse_body(data);
    if (parsed.has_error()) return fail(parsed.error());
    const auto& chunk = *parsed;
    if (chunk.get("error").truthy()) return fail(failure_in(Wire::chat, 0, chunk));
    if (reply_.id.empty()) reply_.id = text_of(chunk, "id");
    if (reply_.model.empty()) reply_.model = text_of(chunk, "model");
    if (chunk.get("usage").is_object()) reply_.usage = usage_of(chunk.get("usage"));
    if (!chunk.get("choices").is_array()) return;
    for (const auto& choice : chunk.get("choices").items()) {
      if (integer_of(choice, "index") != 0) continue;
      take_delta(choice.get("delta"), on_chunk);
      if (const auto reason = text_of(choice, "finish_reason"); !reason.empty()) {
        finished_ = true;
        reply_.finish = finish_of(reason);
        reply_.finish_detail = reason;
      }
    }
  }

  void take_delta(const json::Value& delta, const OnChunk& on_chunk) {
    reasoning(reasoning_of(delta), on_chunk);
    text(text_of(delta, "content"), on_chunk);
    refusal_ += text_of(delta, "refusal");
    if (!delta.get("tool_calls").is_array()) return;
    for (const auto& call : delta.get("tool_calls").items()) {
      const auto& function = call.get("function");
      const auto id = text_of(call, "id");
      // Without an index a new id is a new call, and what has no id belongs to the last one.
      std::int64_t index = integer_of(call, "index");
      if (!call.get("index").is_number()) {
        const auto last = calls_.empty() ? -1 : calls_.rbegin()->first;
        const bool is_new = calls_.empty() || (!id.empty() && calls_.rbegin()->second.id != id);
        index = is_new ? last + 1 : last;
      }
      if (index < 0 || index > kMostCalls) return fail(protocol_failure("a call has an index out of range"));
      call_begins(index, id, text_of(function, "name"), on_chunk);
      const auto& arguments = function.get("arguments");
      call_goes_on(index,
                   arguments.is_string() ? std::string(arguments.as_string())
                   : arguments.is_null() ? ""
                                         : json::to_text(arguments),
                   on_chunk);
    }
  }

  static constexpr std::int64_t kMostCalls = 1000;
  net::EventStream events_;
  std::string refusal_;
  bool finished_ = false;
};

class ChatCodec final : public Codec {
 public:
  [[nodiscard]] Wire wire() const override { return Wire::chat; }

  [[nodiscard]] WireRequest encode(const Request& request, bool stream) const override {
    auto body = object_of({{"model", request.model}});
    auto messages = json::Value::array();
    if (!request.instructions.empty()) messages.push_back(object_of({{"role", "system"}, {"content", request.instructions}}));
    for (const auto& message : request.messages) messages.push_back(message_of(message));
    body.set("messages", std::move(messages));
    if (!request.tools.empty()) {
      auto tools = json::Value::array();
      for (const auto& tool : request.tools) {
        tools.push_back(object_of(
            {{"type", "function"},
             {"function", object_of({{"name", tool.name}, {"description", tool.description}, {"parameters", tool.parameters}})}}));
      }
      body.set("tools", std::move(tools));
      body.set("tool_choice", choice_of(request.tool_choice));
    }
    if (request.output) {
      body.set("response_format",
               object_of({{"type", "json_schema"},
                          {"json_schema",
                           object_of({{"name", "output"}, {"schema", request.output->schema}, {"strict", request.output->strict}})}}));
    }
    if (request.temperature) body.set("temperature", *request.temperature);
    if (request.max_tokens) body.set("max_completion_tokens", *request.max_tokens);
    if (!request.stop.empty()) {
      auto stop = json::Value::array();
      for (const auto& word : request.stop) stop.push_back(word);
      body.set("stop", std::move(stop));
    }
    if (stream) {
      body.set("stream", true);
      body.set("stream_options", object_of({{"include_usage", true}}));
    }
    return {.path = "/chat/completions", .headers = {{"Content-Type", "application/json"}}, .body = json::to_text(body)};
  }

  [[nodiscard]] Outcome<Reply> decode(std::string_view text) const override {
    auto parsed = parse_body(text);
    if (parsed.has_error()) return parsed.error();
    const auto& body = *parsed;
    if (body.get("error").truthy()) return failure_in(Wire::chat, 0, body);
    if (!body.get("choices").is_array() || body.get("choices").empty()) return protocol_failure("the answer has no `choices`");
    const auto& choice = body.get("choices").at(0);
    const auto& message = choice.get("message");
    if (!message.is_object()) return protocol_failure("the answer has no message");
    Reply reply;
    reply.id = text_of(body, "id");
    reply.model = text_of(body, "model");
    reply.content = text_of(message, "content");
    reply.reasoning = reasoning_of(message);
    reply.finish_detail = text_of(choice, "finish_reason");
    reply.finish = finish_of(reply.finish_detail);
    reply.usage = usage_of(body.get("usage"));
    if (const auto refusal = text_of(message, "refusal"); !refusal.empty()) {
      reply.finish = FinishReason::filtered;
      if (reply.content.empty()) reply.content = refusal;
    }
    if (message.get("tool_calls").is_array()) {
      for (const auto& item : message.get("tool_calls").items()) {
        const auto& function = item.get("function");
        ToolCall call{.id = text_of(item, "id"), .name = text_of(function, "name"), .arguments = {}, .arguments_error = {}};
        if (call.id.empty()) call.id = fmt::format("call_{}", reply.tool_calls.size());
        take_arguments(call, function.get("arguments"));
        reply.tool_calls.push_back(std::move(call));
      }
    }
    settle(reply);
    reply.raw = raw_of(Wire::chat, reply.model, message);
    return reply;
  }

  [[nodiscard]] std::unique_ptr<StreamDecoder> stream() const override { return std::make_unique<ChatStream>(); }
};

}  // namespace

const Codec& chat_codec() {
  static const ChatCodec codec;
  return codec;
}

}  // namespace pawl::models::detail
