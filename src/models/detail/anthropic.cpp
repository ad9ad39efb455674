// Anthropic Messages.
#include "json/write.hpp"
#include "models/detail/wire.hpp"

namespace pawl::models::detail {
namespace {

constexpr std::int64_t kDefaultMaxTokens = 4096;  // the one thing that this provider insists on

json::Value source_of(const Part& part) {
  if (!part.url.empty()) return object_of({{"type", "url"}, {"url", part.url}});
  return object_of({{"type", "base64"}, {"media_type", part.media_type}, {"data", part.data}});
}

json::Value part_of(const Part& part) {
  switch (part.kind) {
    case Part::Kind::text: return object_of({{"type", "text"}, {"text", part.text}});
    case Part::Kind::image: return object_of({{"type", "image"}, {"source", source_of(part)}});
    case Part::Kind::file: break;
  }
  return object_of({{"type", "document"}, {"source", source_of(part)}});
}

/// The blocks of a message. Empty text blocks are refused there, so there are none.
json::Value blocks_of(const Message& message) {
  if (message.role == Role::tool) {
    auto result = object_of({{"type", "tool_result"}, {"tool_use_id", message.tool_call_id}, {"content", message.text()}});
    if (message.is_error) result.set("is_error", true);
    return json::Value::array({std::move(result)});
  }
  if (auto raw = replay_of(message, Wire::anthropic); raw.is_array()) return raw;
  auto blocks = json::Value::array();
  for (const auto& part : message.parts) {
    if (part.kind != Part::Kind::text || !part.text.empty()) blocks.push_back(part_of(part));
  }
  for (const auto& call : message.tool_calls) {
    blocks.push_back(object_of({{"type", "tool_use"}, {"id", call.id}, {"name", call.name}, {"input", call.arguments}}));
  }
  return blocks;
}

/// Roles alternate: all results of a turn, and what the user says then, are one message.
json::Value messages_of(const std::vector<Message>& messages, std::string& system) {
  auto result = json::Value::array();
  std::string last_role;
  for (const auto& message : messages) {
    if (message.role == Role::system) {
      system.append(system.empty() ? "" : "\n\n").append(message.text());
      continue;
    }
    const std::string role = message.role == Role::assistant ? "assistant" : "user";
    auto blocks = blocks_of(message);
    if (blocks.empty()) continue;
    if (role == last_role) {
      auto joined = result.take(result.size() - 1);
      auto content = joined.take("content");
      for (const auto& block : blocks.items()) content.push_back(block);
      joined.set("content", std::move(content));
      result.set(result.size() - 1, std::move(joined));
    } else {
      result.push_back(object_of({{"role", role}, {"content", std::move(blocks)}}));
    }
    last_role = role;
  }
  return result;
}

json::Value choice_of(const ToolChoice& choice) {
  switch (choice.mode) {
    case ToolChoice::Mode::automatic: return object_of({{"type", "auto"}});
    case ToolChoice::Mode::none: return object_of({{"type", "none"}});
    case ToolChoice::Mode::required: return object_of({{"type", "any"}});
    case ToolChoice::Mode::named: break;
  }
  return object_of({{"type", "tool"}, {"name", choice.name}});
}

FinishReason finish_of(std::string_view reason) {
  if (reason == "max_tokens") return FinishReason::length;
  if (reason == "tool_use") return FinishReason::tool_calls;
  if (reason == "pause_turn") return FinishReason::paused;
  if (reason == "refusal") return FinishReason::filtered;
  if (reason == "model_context_window_exceeded") return FinishReason::context_full;
  return FinishReason::stop;
}

/// What a later report does not say stays as it was: `message_delta` repeats only some of it.
void read_usage(const json::Value& value, Usage& usage, std::int64_t& plain_input) {
  if (!value.is_object()) return;
  if (value.find("input_tokens") != nullptr) plain_input = tokens_of(value, "input_tokens");
  if (value.find("cache_read_input_tokens") != nullptr) usage.cached = tokens_of(value, "cache_read_input_tokens");
  if (value.find("cache_creation_input_tokens") != nullptr) usage.cache_write = tokens_of(value, "cache_creation_input_tokens");
  if (value.find("output_tokens") != nullptr) usage.output = tokens_of(value, "output_tokens");
  usage.input = plain_input + usage.cached + usage.cache_write;
}

/// Text, reasoning and calls of finished blocks.
void read_blocks(Reply& reply, const json::Value& content) {
  for (const auto& block : content.items()) {
    const auto type = text_of(block, "type");
    if (type == "text") reply.content += text_of(block, "text");
    if (type == "thinking") reply.reasoning += text_of(block, "thinking");
    if (type != "tool_use") continue;
    ToolCall call{.id = text_of(block, "id"), .name = text_of(block, "name"), .arguments = {}, .arguments_error = {}};
    take_arguments(call, block.get("input"));
    reply.tool_calls.push_back(std::move(call));
  }
}

class AnthropicStream final : public GrowingReply {
 public:
  void feed(std::string_view bytes, const OnChunk& on_chunk) override {
    if (failure_) return;
    events_.feed(bytes, [&](std::string_view, std::string_view data) { take(data, on_chunk); });
    if (events_.overflown()) fail(protocol_failure("an event of the answer is too large"));
  }

  [[nodiscard]] Outcome<Reply> finish() override {
    events_.finish([&](std::string_view, std::string_view data) { take(data, {}); });
    if (failure_) return *failure_;
    if (!over_) return truncated();
    collect_calls(true);
    auto content = json::Value::array();
    for (auto& [index, growing] : blocks_) {
      auto& block = growing.value;
      for (auto& [member, grown] : growing.texts) block.set(member, std::move(grown));
      if (text_of(block, "type") == "tool_use") {
        ToolCall call;
        read_arguments(call, calls_[index].arguments);
        block.set("input", call.arguments.is_object() ? call.arguments : json::Value::object());
      }
      // An empty text block may come, but may not go back.
      if (text_of(block, "type") != "text" || !text_of(block, "text").empty()) content.push_back(block);
    }
    settle(reply_);
    reply_.raw = raw_of(Wire::anthropic, reply_.model, std::move(content));
    return std::move(reply_);
  }

 private:
  void take(std::string_view data, const OnChunk& on_chunk) {
    if (failure_ || over_) return;
    auto parsed = parse_body(data);
    if (parsed.has_error()) return fail(parsed.error());
    const auto& event = *parsed;
    const auto type = text_of(event, "type");
    const auto index = integer_of(event, "index");
    if (type == "message_start") {
      begun_ = true;
      const auto& message = event.get("message");
      reply_.id = text_of(message, "id");
      reply_.model = text_of(message, "model");
      read_usage(message.get("usage"), reply_.usage, plain_input_);
    } else if (type == "content_block_start") {
      if (blocks_.size() >= kMostBlocks) return fail(protocol_failure("the answer has too many blocks"));
      start_block(index, event.get("content_block"), on_chunk);
    } else if (type == "content_block_delta") {
      take_delta(index, event.get("delta"), on_chunk);
    } else if (type == "content_block_stop") {
      if (const auto call = calls_.find(index); call != calls_.end()) call->second.complete = true;
    } else if (type == "message_delta") {
      reply_.finish_detail = text_of(event.get("delta"), "stop_reason");
      reply_.finish = finish_of(reply_.finish_detail);
      read_usage(event.get("usage"), reply_.usage, plain_input_);
    } else if (type == "message_stop") {
      over_ = true;
    } else if (type == "error") {
      fail(failure_in(Wire::anthropic, 0, event));
    }
  }

  void start_block(std::int64_t index, const json::Value& block, const OnChunk& on_chunk) {
    if (!block.is_object()) return fail(protocol_failure("a block of the answer is no object"));
    blocks_[index] = {.value = block, .texts = {}};
    const auto type = text_of(block, "type");
    if (type == "text") text(text_of(block, "text"), on_chunk);
    if (type == "thinking") reasoning(text_of(block, "thinking"), on_chunk);
    if (type == "tool_use") call_begins(index, text_of(block, "id"), text_of(block, "name"), on_chunk);
  }

  void take_delta(std::int64_t index, const json::Value& delta, const OnChunk& on_chunk) {
    const auto found = blocks_.find(index);
    if (found == blocks_.end()) return fail(protocol_failure("a block goes on that has not begun"));
    const auto type = text_of(delta, "type");
    const auto grow = [&](std::string_view member) {
      auto piece = text_of(delta, member);
      auto& block = found->second;
      auto at = block.texts.find(member);
      if (at == block.texts.end()) at = block.texts.emplace(member, text_of(block.value, member)).first;
      at->second += piece;
      return piece;
    };
    if (type == "text_delta") text(grow("text"), on_chunk);
    if (type == "thinking_delta") reasoning(grow("thinking"), on_chunk);
    if (type == "signature_delta") grow("signature");
    if (type == "input_json_delta") call_goes_on(index, text_of(delta, "partial_json"), on_chunk);
  }

  /// As it began, and what its deltas made of its texts: they become JSON once, at the end.
  struct Block {
    json::Value value;
    std::map<std::string, std::string, std::less<>> texts;
  };
  static constexpr std::size_t kMostBlocks = 10'000;
  net::EventStream events_;
  std::map<std::int64_t, Block> blocks_;
  std::int64_t plain_input_ = 0;
};

class AnthropicCodec final : public Codec {
 public:
  [[nodiscard]] Wire wire() const override { return Wire::anthropic; }

  [[nodiscard]] WireRequest encode(const Request& request, bool stream) const override {
    auto body = object_of({{"model", request.model}, {"max_tokens", request.max_tokens.value_or(kDefaultMaxTokens)}});
    std::string system = request.instructions;
    auto messages = messages_of(request.messages, system);
    if (!system.empty()) body.set("system", system);
    body.set("messages", std::move(messages));
    if (!request.tools.empty()) {
      auto tools = json::Value::array();
      for (const auto& tool : request.tools) {
        tools.push_back(object_of({{"name", tool.name}, {"description", tool.description}, {"input_schema", tool.parameters}}));
      }
      body.set("tools", std::move(tools));
      body.set("tool_choice", choice_of(request.tool_choice));
    }
    if (request.output && request.output->strict) {
      body.set("output_config", object_of({{"format", object_of({{"type", "json_schema"}, {"schema", request.output->schema}})}}));
    }
    if (request.temperature) body.set("temperature", *request.temperature);
    if (!request.stop.empty()) {
      auto stop = json::Value::array();
      for (const auto& word : request.stop) stop.push_back(word);
      body.set("stop_sequences", std::move(stop));
    }
    if (stream) body.set("stream", true);
    return {.path = "/v1/messages",
            .headers = {{"Content-Type", "application/json"}, {"anthropic-version", "2023-06-01"}},
            .body = json::to_text(body)};
  }

  [[nodiscard]] Outcome<Reply> decode(std::string_view text) const override {
    auto parsed = parse_body(text);
    if (parsed.has_error()) return parsed.error();
    const auto& body = *parsed;
    if (text_of(body, "type") == "error") return failure_in(Wire::anthropic, 0, body);
    if (!body.get("content").is_array()) return protocol_failure("the answer has no `content`");
    Reply reply;
    reply.id = text_of(body, "id");
    reply.model = text_of(body, "model");
    reply.finish_detail = text_of(body, "stop_reason");
    reply.finish = finish_of(reply.finish_detail);
    std::int64_t plain_input = 0;
    read_usage(body.get("usage"), reply.usage, plain_input);
    read_blocks(reply, body.get("content"));
    settle(reply);
    reply.raw = raw_of(Wire::anthropic, reply.model, body.get("content"));
    return reply;
  }

  [[nodiscard]] std::unique_ptr<StreamDecoder> stream() const override { return std::make_unique<AnthropicStream>(); }
};

}  // namespace

const Codec& anthropic_codec() {
  static const AnthropicCodec codec;
  return codec;
}

}  // namespace pawl::models::detail
