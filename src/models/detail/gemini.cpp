// Gemini's generateContent. Parts come back as they were sent: signatures hang on them.
#include <fmt/format.h>

#include <algorithm>

#include "json/parse.hpp"
#include "json/write.hpp"
#include "models/detail/wire.hpp"

namespace pawl::models::detail {
namespace {

json::Value part_of(const Part& part) {
  if (part.kind == Part::Kind::text) return object_of({{"text", part.text}});
  if (part.url.empty()) return object_of({{"inlineData", object_of({{"mimeType", part.media_type}, {"data", part.data}})}});
  auto file = object_of({{"fileUri", part.url}});
  if (!part.media_type.empty()) file.set("mimeType", part.media_type);
  return object_of({{"fileData", std::move(file)}});
}

/// A function's response is an object there.
json::Value response_of(const Message& message) {
  const auto text = message.text();
  auto value = json::parse(text);
  const std::string_view name = message.is_error ? "error" : "result";
  if (value.has_value() && value->is_object() && !message.is_error) return std::move(*value);
  return object_of({{name, value.has_value() ? std::move(*value) : json::Value(text)}});
}

struct Contents {
  json::Value contents = json::Value::array();
  std::string system;
};

json::Value parts_of(const Message& message, const std::vector<Message>& all) {
  auto parts = json::Value::array();
  if (message.role == Role::tool) {
    auto name = message.name;
    for (const auto& other : all) {
      for (const auto& call : other.tool_calls) {
        if (name.empty() && call.id == message.tool_call_id) name = call.name;
      }
    }
    parts.push_back(object_of({{"functionResponse", object_of({{"name", name}, {"response", response_of(message)}})}}));
    return parts;
  }
  if (message.role == Role::assistant) {
    if (const auto raw = replay_of(message, Wire::gemini); raw.is_object()) return raw.get("parts");
  }
  for (const auto& part : message.parts) {
    if (part.kind != Part::Kind::text || !part.text.empty()) parts.push_back(part_of(part));
  }
  for (const auto& call : message.tool_calls) {
    parts.push_back(object_of({{"functionCall", object_of({{"name", call.name}, {"args", call.arguments}})}}));
  }
  return parts;
}

Contents contents_of(const Request& request) {
  Contents result;
  result.system = request.instructions;
  std::string last_role;
  for (const auto& message : request.messages) {
    if (message.role == Role::system) {
      result.system.append(result.system.empty() ? "" : "\n\n").append(message.text());
      continue;
    }
    const std::string role = message.role == Role::assistant ? "model" : "user";
    auto parts = parts_of(message, request.messages);
    if (!parts.is_array() || parts.empty()) continue;
    if (role == last_role) {
      const auto at = result.contents.size() - 1;
      auto joined = result.contents.take(at);
      auto all = joined.take("parts");
      for (const auto& part : parts.items()) all.push_back(part);
      joined.set("parts", std::move(all));
      result.contents.set(at, std::move(joined));
    } else {
      result.contents.push_back(object_of({{"role", role}, {"parts", std::move(parts)}}));
    }
    last_role = role;
  }
  return result;
}

json::Value choice_of(const ToolChoice& choice) {
  auto config = object_of({{"mode", "AUTO"}});
  if (choice.mode == ToolChoice::Mode::none) config.set("mode", "NONE");
  if (choice.mode == ToolChoice::Mode::required || choice.mode == ToolChoice::Mode::named) config.set("mode", "ANY");
  if (choice.mode == ToolChoice::Mode::named) config.set("allowedFunctionNames", json::Value::array({choice.name}));
  return object_of({{"functionCallingConfig", std::move(config)}});
}

FinishReason finish_of(std::string_view reason) {
  if (reason == "MAX_TOKENS") return FinishReason::length;
  if (reason == "CONTINUATION") return FinishReason::paused;
  constexpr std::string_view kFiltered[] = {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE"};
  if (std::find(std::begin(kFiltered), std::end(kFiltered), reason) != std::end(kFiltered) || reason.starts_with("IMAGE_")) {
    return FinishReason::filtered;
  }
  return FinishReason::stop;
}

Usage usage_of(const json::Value& value) {
  const auto thoughts = tokens_of(value, "thoughtsTokenCount");
  return {.input = tokens_of(value, "promptTokenCount") + tokens_of(value, "toolUsePromptTokenCount"),
          .output = tokens_of(value, "candidatesTokenCount") + thoughts,
          .cached = tokens_of(value, "cachedContentTokenCount"),
          .cache_write = 0,
          .reasoning = thoughts};
}

class GeminiStream final : public GrowingReply {
 public:
  void feed(std::string_view bytes, const OnChunk& on_chunk) override {
    if (failure_) return;
    events_.feed(bytes, [&](std::string_view, std::string_view data) { take(data, on_chunk); });
    if (events_.overflown()) fail(protocol_failure("an event of the answer is too large"));
  }

  /// The whole answer as one event: the same, without chunks.
  [[nodiscard]] Outcome<Reply> whole(std::string_view body) {
    take(body, {});
    return settled();
  }

  [[nodiscard]] Outcome<Reply> finish() override {
    events_.finish([&](std::string_view, std::string_view data) { take(data, {}); });
    return settled();
  }

 private:
  [[nodiscard]] Outcome<Reply> settled() {
    if (failure_) return *failure_;
    // There is no last event: the one with a reason to finish (or to block) is it.
    if (!over_) return truncated();
    settle(reply_);
    reply_.raw = raw_of(Wire::gemini, reply_.model, object_of({{"role", "model"}, {"parts", parts_}}));
    return std::move(reply_);
  }

  void take(std::string_view data, const OnChunk& on_chunk) {
    if (failure_) return;
    auto parsed = parse_body(data);
    if (parsed.has_error()) return fail(parsed.error());
    const auto& value = *parsed;
    if (value.get("error").truthy()) return fail(failure_in(Wire::gemini, 0, value));
    if (reply_.id.empty()) reply_.id = text_of(value, "responseId");
    if (reply_.model.empty()) reply_.model = text_of(value, "modelVersion");
    if (value.get("usageMetadata").is_object()) reply_.usage = usage_of(value.get("usageMetadata"));
    const auto& candidates = value.get("candidates");
    if (!candidates.is_array() || candidates.empty()) {
      if (const auto blocked = text_of(value.get("promptFeedback"), "blockReason"); !blocked.empty()) {
        over_ = true;
        reply_.finish = FinishReason::filtered;
        reply_.finish_detail = blocked;
      }
      return;
    }
    const auto& candidate = candidates.at(0);
    const auto& parts = candidate.get("content").get("parts");
    if (parts.is_array()) {
      for (const auto& part : parts.items()) take_part(part, on_chunk);
    }
    if (const auto reason = text_of(candidate, "finishReason"); !reason.empty()) {
      over_ = true;
      reply_.finish = finish_of(reason);
      reply_.finish_detail = reason;
      if (reason == "MALFORMED_FUNCTION_CALL") fail(protocol_failure("the model wrote a call that is none"));
    }
  }

  void take_part(const json::Value& part, const OnChunk& on_chunk) {
    begun_ = true;
    parts_.push_back(part);
    const auto piece = text_of(part, "text");
    if (part.get("thought").truthy()) {
      reasoning(piece, on_chunk);
    } else {
      text(piece, on_chunk);
    }
    const auto& function = part.get("functionCall");
    if (!function.is_object()) return;
    const auto index = reply_.tool_calls.size();
    ToolCall call{.id = text_of(function, "id"), .name = text_of(function, "name"), .arguments = {}, .arguments_error = {}};
    if (call.id.empty()) call.id = fmt::format("call_{}", index);
    take_arguments(call, function.get("args"));
    if (function.get("willContinue").truthy() || function.get("partialArgs").is_array()) {
      call.arguments = {};
      call.arguments_error = "the call came in pieces, which were not asked for";
    }
    if (on_chunk) {
      on_chunk({.kind = Chunk::Kind::tool_call, .text = {}, .index = index, .id = call.id, .name = call.name});
      on_chunk({.kind = Chunk::Kind::arguments, .text = json::to_text(call.arguments), .index = index, .id = {}, .name = {}});
    }
    reply_.tool_calls.push_back(std::move(call));
  }

  net::EventStream events_;
  json::Value parts_ = json::Value::array();
};

/// Names of models are part of the path.
std::string path_name(std::string_view model) {
  std::string name;
  for (const char letter : model) {
    const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
                       letter == '-' || letter == '_' || letter == '.';
    name += plain ? std::string(1, letter) : fmt::format("%{:02X}", static_cast<unsigned char>(letter));
  }
  return name;
}

class GeminiCodec final : public Codec {
 public:
  [[nodiscard]] Wire wire() const override { return Wire::gemini; }

  [[nodiscard]] WireRequest encode(const Request& request, bool stream) const override {
    auto contents = contents_of(request);
    auto body = object_of({{"contents", std::move(contents.contents)}});
    if (!contents.system.empty()) {
      body.set("systemInstruction", object_of({{"parts", json::Value::array({object_of({{"text", contents.system}})})}}));
    }
    if (!request.tools.empty()) {
      auto declarations = json::Value::array();
      for (const auto& tool : request.tools) {
        declarations.push_back(
            object_of({{"name", tool.name}, {"description", tool.description}, {"parametersJsonSchema", tool.parameters}}));
      }
      body.set("tools", json::Value::array({object_of({{"functionDeclarations", std::move(declarations)}})}));
      body.set("toolConfig", choice_of(request.tool_choice));
    }
    auto config = json::Value::object();
    if (request.temperature) config.set("temperature", *request.temperature);
    if (request.max_tokens) config.set("maxOutputTokens", *request.max_tokens);
    if (!request.stop.empty()) {
      auto stop = json::Value::array();
      for (const auto& word : request.stop) stop.push_back(word);
      config.set("stopSequences", std::move(stop));
    }
    if (request.output) {
      config.set("responseMimeType", "application/json");
      config.set("responseJsonSchema", request.output->schema);
    }
    if (!config.empty()) body.set("generationConfig", std::move(config));
    const auto path = "/v1beta/models/" + path_name(request.model) + (stream ? ":streamGenerateContent?alt=sse" : ":generateContent");
    return {.path = path, .headers = {{"Content-Type", "application/json"}}, .body = json::to_text(body)};
  }

  [[nodiscard]] Outcome<Reply> decode(std::string_view text) const override { return GeminiStream().whole(text); }

  [[nodiscard]] std::unique_ptr<StreamDecoder> stream() const override { return std::make_unique<GeminiStream>(); }
};

}  // namespace

const Codec& gemini_codec() {
  static const GeminiCodec codec;
  return codec;
}

}  // namespace pawl::models::detail
