// Ollama's own API: JSON lines, arguments as objects, calls without ids.
#include <fmt/format.h>

#include "json/write.hpp"
#include "models/detail/wire.hpp"

namespace pawl::models::detail {
namespace {

json::Value message_of(const Message& message, const std::vector<Message>& all) {
  switch (message.role) {
    case Role::system: return object_of({{"role", "system"}, {"content", message.text()}});
    case Role::user: {
      auto value = object_of({{"role", "user"}, {"content", message.text()}});
      auto images = json::Value::array();
      for (const auto& part : message.parts) {
        if (part.kind == Part::Kind::image && !part.data.empty()) images.push_back(part.data);
      }
      if (!images.empty()) value.set("images", std::move(images));
      return value;
    }
    case Role::tool: {
      auto name = message.name;
      // A result is answered by the tool's name there: the call that it belongs to knows it.
      for (const auto& other : all) {
        for (const auto& call : other.tool_calls) {
          if (name.empty() && call.id == message.tool_call_id) name = call.name;
        }
      }
      return object_of({{"role", "tool"}, {"tool_name", name}, {"content", message.text()}});
    }
    case Role::assistant: break;
  }
  if (auto raw = replay_of(message, Wire::ollama); raw.is_object()) return raw;
  auto value = object_of({{"role", "assistant"}, {"content", message.text()}});
  if (message.tool_calls.empty()) return value;
  auto calls = json::Value::array();
  for (const auto& call : message.tool_calls) {
    calls.push_back(object_of({{"function", object_of({{"name", call.name}, {"arguments", call.arguments}})}}));
  }
  value.set("tool_calls", std::move(calls));
  return value;
}

/// Without a number Ollama cuts the conversation to a few thousand tokens and says nothing. Steps of two, so that the server keeps its
/// model loaded from one turn to the next; images count by themselves there.
std::int64_t context_of(const Request& request) {
  constexpr std::size_t kBytesPerToken = 3;
  constexpr std::int64_t kLeast = 4'096;
  constexpr std::int64_t kMost = 131'072;
  constexpr std::int64_t kAnswer = 1'024;
  constexpr std::size_t kImage = 4'096;
  std::size_t bytes = request.instructions.size();
  for (const auto& message : request.messages) {
    bytes += message.text().size();
    for (const auto& part : message.parts) bytes += part.kind == Part::Kind::text ? 0 : kImage;
    for (const auto& call : message.tool_calls) bytes += json::to_text(call.arguments).size();
  }
  for (const auto& tool : request.tools) bytes += tool.description.size() + json::to_text(tool.parameters).size();
  const auto wanted = static_cast<std::int64_t>(bytes / kBytesPerToken) + request.max_tokens.value_or(kAnswer);
  auto context = kLeast;
  while (context < wanted && context < kMost) context *= 2;
  return context;
}

Usage usage_of(const json::Value& value) {
  Usage usage;
  usage.input = tokens_of(value, "prompt_eval_count");
  usage.output = tokens_of(value, "eval_count");
  return usage;
}

FinishReason finish_of(std::string_view reason) { return reason == "length" ? FinishReason::length : FinishReason::stop; }

ToolCall call_of(const json::Value& item, std::size_t index) {
  const auto& function = item.get("function");
  ToolCall call{.id = text_of(item, "id"), .name = text_of(function, "name"), .arguments = {}, .arguments_error = {}};
  if (call.id.empty()) call.id = fmt::format("call_{}", index);
  take_arguments(call, function.get("arguments"));
  return call;
}

class OllamaStream final : public GrowingReply {
 public:
  void feed(std::string_view bytes, const OnChunk& on_chunk) override {
    if (failure_) return;
    lines_.feed(bytes, [&](std::string_view line) { take(line, on_chunk); });
    if (lines_.overflown()) fail(protocol_failure("a line of the answer is too large"));
  }

  [[nodiscard]] Outcome<Reply> finish() override {
    const std::string rest(lines_.rest());
    take(rest, {});
    if (failure_) return *failure_;
    if (!over_) return truncated();
    settle(reply_);
    auto message = object_of({{"role", "assistant"}, {"content", reply_.content}});
    if (!reply_.reasoning.empty()) message.set("thinking", reply_.reasoning);
    if (!raw_calls_.empty()) message.set("tool_calls", raw_calls_);
    reply_.raw = raw_of(Wire::ollama, reply_.model, std::move(message));
    return std::move(reply_);
  }

 private:
  void take(std::string_view line, const OnChunk& on_chunk) {
    if (failure_ || over_ || line.find_first_not_of(" \t") == std::string_view::npos) return;
    auto parsed = parse_body(line);
    if (parsed.has_error()) return fail(parsed.error());
    const auto& value = *parsed;
    if (value.get("error").truthy()) return fail(failure_in(Wire::ollama, 0, value));
    if (reply_.model.empty()) reply_.model = text_of(value, "model");
    const auto& message = value.get("message");
    reasoning(text_of(message, "thinking"), on_chunk);
    text(text_of(message, "content"), on_chunk);
    if (message.get("tool_calls").is_array()) {
      for (const auto& item : message.get("tool_calls").items()) take_call(item, on_chunk);
    }
    if (!value.get("done").truthy()) return;
    over_ = true;
    reply_.finish_detail = text_of(value, "done_reason");
    reply_.finish = finish_of(reply_.finish_detail);
    reply_.usage = usage_of(value);
  }

  void take_call(const json::Value& item, const OnChunk& on_chunk) {
    begun_ = true;
    raw_calls_.push_back(item);
    const auto index = reply_.tool_calls.size();
    auto call = call_of(item, index);
    if (on_chunk) {
      on_chunk({.kind = Chunk::Kind::tool_call, .text = {}, .index = index, .id = call.id, .name = call.name});
      on_chunk({.kind = Chunk::Kind::arguments, .text = json::to_text(call.arguments), .index = index, .id = {}, .name = {}});
    }
    reply_.tool_calls.push_back(std::move(call));
  }

  net::LineSplitter lines_;
  json::Value raw_calls_ = json::Value::array();
};

class OllamaCodec final : public Codec {
 public:
  [[nodiscard]] Wire wire() const override { return Wire::ollama; }

  [[nodiscard]] WireRequest encode(const Request& request, bool stream) const override {
    auto body = object_of({{"model", request.model}, {"stream", stream}});
    auto messages = json::Value::array();
    if (!request.instructions.empty()) messages.push_back(object_of({{"role", "system"}, {"content", request.instructions}}));
    for (const auto& message : request.messages) messages.push_back(message_of(message, request.messages));
    body.set("messages", std::move(messages));
    if (!request.tools.empty() && request.tool_choice.mode != ToolChoice::Mode::none) {
      auto tools = json::Value::array();
      for (const auto& tool : request.tools) {
        tools.push_back(object_of(
            {{"type", "function"},
             {"function", object_of({{"name", tool.name}, {"description", tool.description}, {"parameters", tool.parameters}})}}));
      }
      body.set("tools", std::move(tools));
    }
    if (request.output) body.set("format", request.output->schema);
    auto options = object_of({{"num_ctx", context_of(request)}});
    if (request.temperature) options.set("temperature", *request.temperature);
    if (request.max_tokens) options.set("num_predict", *request.max_tokens);
    if (!request.stop.empty()) {
      auto stop = json::Value::array();
      for (const auto& word : request.stop) stop.push_back(word);
      options.set("stop", std::move(stop));
    }
    body.set("options", std::move(options));
    return {.path = "/api/chat", .headers = {{"Content-Type", "application/json"}}, .body = json::to_text(body)};
  }

  [[nodiscard]] Outcome<Reply> decode(std::string_view text) const override {
    auto parsed = parse_body(text);
    if (parsed.has_error()) return parsed.error();
    const auto& body = *parsed;
    if (body.get("error").truthy()) return failure_in(Wire::ollama, 0, body);
    const auto& message = body.get("message");
    if (!message.is_object()) return protocol_failure("the answer has no message");
    if (!body.get("done").truthy()) return truncated();
    Reply reply;
    reply.model = text_of(body, "model");
    reply.content = text_of(message, "content");
    reply.reasoning = text_of(message, "thinking");
    reply.finish_detail = text_of(body, "done_reason");
    reply.finish = finish_of(reply.finish_detail);
    reply.usage = usage_of(body);
    if (message.get("tool_calls").is_array()) {
      for (const auto& item : message.get("tool_calls").items()) reply.tool_calls.push_back(call_of(item, reply.tool_calls.size()));
    }
    settle(reply);
    reply.raw = raw_of(Wire::ollama, reply.model, message);
    return reply;
  }

  [[nodiscard]] std::unique_ptr<StreamDecoder> stream() const override { return std::make_unique<OllamaStream>(); }
};

}  // namespace

const Codec& ollama_codec() {
  static const OllamaCodec codec;
  return codec;
}

}  // namespace pawl::models::detail
