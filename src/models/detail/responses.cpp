// OpenAI Responses, used without state on its side: all output items go back unchanged, encrypted reasoning among them.
#include <fmt/format.h>

#include "json/write.hpp"
#include "models/detail/wire.hpp"

namespace pawl::models::detail {
namespace {

json::Value part_of(const Part& part) {
  if (part.kind == Part::Kind::text) return object_of({{"type", "input_text"}, {"text", part.text}});
  const auto address = part.url.empty() ? fmt::format("data:{};base64,{}", part.media_type, part.data) : part.url;
  if (part.kind == Part::Kind::image) return object_of({{"type", "input_image"}, {"image_url", address}, {"detail", "auto"}});
  if (!part.url.empty()) return object_of({{"type", "input_file"}, {"file_url", address}});
  return object_of({{"type", "input_file"}, {"filename", part.name.empty() ? "file" : part.name}, {"file_data", address}});
}

void add_items(json::Value& items, const Message& message) {
  if (message.role == Role::tool) {
    items.push_back(object_of({{"type", "function_call_output"}, {"call_id", message.tool_call_id}, {"output", message.text()}}));
    return;
  }
  if (message.role == Role::assistant) {
    if (const auto raw = replay_of(message, Wire::responses); raw.is_array()) {
      for (const auto& item : raw.items()) items.push_back(item);
      return;
    }
    if (!message.text().empty()) items.push_back(object_of({{"role", "assistant"}, {"content", message.text()}}));
    for (const auto& call : message.tool_calls) {
      items.push_back(
          object_of({{"type", "function_call"}, {"call_id", call.id}, {"name", call.name}, {"arguments", json::to_text(call.arguments)}}));
    }
    return;
  }
  auto content = json::Value::array();
  for (const auto& part : message.parts) content.push_back(part_of(part));
  items.push_back(object_of({{"role", message.role == Role::system ? "system" : "user"}, {"content", std::move(content)}}));
}

json::Value choice_of(const ToolChoice& choice) {
  switch (choice.mode) {
    case ToolChoice::Mode::automatic: return "auto";
    case ToolChoice::Mode::none: return "none";
    case ToolChoice::Mode::required: return "required";
    case ToolChoice::Mode::named: break;
  }
  return object_of({{"type", "function"}, {"name", choice.name}});
}

/// Other models refuse to be asked for what they do not have.
bool reasons(std::string_view model) {
  return model.starts_with("o1") || model.starts_with("o3") || model.starts_with("o4") || model.starts_with("gpt-5");
}

Usage usage_of(const json::Value& value) {
  const auto& in = value.get("input_tokens_details");
  return {.input = tokens_of(value, "input_tokens"),
          .output = tokens_of(value, "output_tokens"),
          .cached = tokens_of(in, "cached_tokens"),
          .cache_write = tokens_of(in, "cache_write_tokens"),
          .reasoning = tokens_of(value.get("output_tokens_details"), "reasoning_tokens")};
}

void read_item(Reply& reply, const json::Value& item) {
  const auto type = text_of(item, "type");
  if (type == "message" && item.get("content").is_array()) {
    for (const auto& part : item.get("content").items()) {
      reply.content += text_of(part, "text");
      if (text_of(part, "type") == "refusal") {
        reply.finish = FinishReason::filtered;
        reply.content += text_of(part, "refusal");
      }
    }
  }
  if (type == "reasoning" && item.get("summary").is_array()) {
    for (const auto& part : item.get("summary").items()) reply.reasoning += text_of(part, "text");
  }
  if (type != "function_call") return;
  ToolCall call{.id = text_of(item, "call_id"), .name = text_of(item, "name"), .arguments = {}, .arguments_error = {}};
  if (call.id.empty()) call.id = fmt::format("call_{}", reply.tool_calls.size());
  if (text_of(item, "status") == "incomplete") {
    call.arguments_error = "the call was cut off";
  } else {
    take_arguments(call, item.get("arguments"));
  }
  reply.tool_calls.push_back(std::move(call));
}

/// The whole response, which the last event carries too.
Outcome<Reply> reply_of(const json::Value& response) {
  const auto status = text_of(response, "status");
  if (response.get("error").truthy() || status == "failed") return failure_in(Wire::responses, 0, response);
  if (!response.get("output").is_array()) return protocol_failure("the answer has no `output`");
  if (status == "cancelled") {
    return Failure{.kind = FailureClass::transient, .status = 0, .code = "cancelled", .message = "the provider cancelled the answer"};
  }
  Reply reply;
  reply.id = text_of(response, "id");
  reply.model = text_of(response, "model");
  reply.usage = usage_of(response.get("usage"));
  reply.finish_detail = status;
  for (const auto& item : response.get("output").items()) read_item(reply, item);
  if (status == "incomplete") {
    reply.finish_detail = text_of(response.get("incomplete_details"), "reason");
    reply.finish = reply.finish_detail == "content_filter" ? FinishReason::filtered : FinishReason::length;
  }
  if (status == "queued" || status == "in_progress") reply.finish = FinishReason::paused;
  settle(reply);
  reply.raw = raw_of(Wire::responses, reply.model, response.get("output"));
  return reply;
}

class ResponsesStream final : public GrowingReply {
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
    // Some servers leave the output out of the last event: the finished items have come before.
    if (!last_.get("output").is_array() || last_.get("output").empty()) {
      auto output = json::Value::array();
      for (const auto& [index, item] : items_) output.push_back(item);
      last_.set("output", std::move(output));
    }
    return reply_of(last_);
  }

 private:
  void take(std::string_view data, const OnChunk& on_chunk) {
    if (failure_ || over_ || data == "[DONE]") return;
    auto parsed = parse_body(data);
    if (parsed.has_error()) return fail(parsed.error());
    const auto& event = *parsed;
    const auto type = text_of(event, "type");
    const auto index = integer_of(event, "output_index");
    if (type == "response.output_text.delta" || type == "response.refusal.delta") {
      text(text_of(event, "delta"), on_chunk);
    } else if (type == "response.reasoning_summary_text.delta" || type == "response.reasoning_text.delta") {
      reasoning(text_of(event, "delta"), on_chunk);
    } else if (type == "response.output_item.added") {
      const auto& item = event.get("item");
      if (text_of(item, "type") == "function_call") call_begins(index, text_of(item, "call_id"), text_of(item, "name"), on_chunk);
    } else if (type == "response.output_item.done") {
      begun_ = true;
      items_[event.get("output_index").is_number() ? index : static_cast<std::int64_t>(items_.size())] = event.get("item");
    } else if (type == "response.function_call_arguments.delta") {
      call_goes_on(index, text_of(event, "delta"), on_chunk);
    } else if (type == "response.completed" || type == "response.incomplete" || type == "response.failed") {
      over_ = true;
      last_ = event.get("response").is_object() ? event.get("response") : json::Value::object();
      reply_.usage = usage_of(last_.get("usage"));
    } else if (type == "error") {
      fail(failure_in(Wire::responses, 0, event.get("error").is_object() ? event : object_of({{"error", event}})));
    }
  }

  net::EventStream events_;
  std::map<std::int64_t, json::Value> items_;
  json::Value last_;
};

class ResponsesCodec final : public Codec {
 public:
  [[nodiscard]] Wire wire() const override { return Wire::responses; }

  [[nodiscard]] WireRequest encode(const Request& request, bool stream) const override {
    auto body = object_of({{"model", request.model}, {"store", false}});
    if (reasons(request.model)) body.set("include", json::Value::array({"reasoning.encrypted_content"}));
    if (!request.instructions.empty()) body.set("instructions", request.instructions);
    auto items = json::Value::array();
    for (const auto& message : request.messages) add_items(items, message);
    body.set("input", std::move(items));
    if (!request.tools.empty()) {
      auto tools = json::Value::array();
      for (const auto& tool : request.tools) {
        tools.push_back(object_of({{"type", "function"},
                                   {"name", tool.name},
                                   {"description", tool.description},
                                   {"parameters", tool.parameters},
                                   {"strict", false}}));
      }
      body.set("tools", std::move(tools));
      body.set("tool_choice", choice_of(request.tool_choice));
    }
    if (request.output) {
      body.set("text", object_of({{"format", object_of({{"type", "json_schema"},
                                                        {"name", "output"},
                                                        {"schema", request.output->schema},
                                                        {"strict", request.output->strict}})}}));
    }
    if (request.temperature) body.set("temperature", *request.temperature);
    if (request.max_tokens) body.set("max_output_tokens", *request.max_tokens);
    if (stream) body.set("stream", true);
    return {.path = "/responses", .headers = {{"Content-Type", "application/json"}}, .body = json::to_text(body)};
  }

  [[nodiscard]] Outcome<Reply> decode(std::string_view text) const override {
    auto parsed = parse_body(text);
    if (parsed.has_error()) return parsed.error();
    return reply_of(*parsed);
  }

  [[nodiscard]] std::unique_ptr<StreamDecoder> stream() const override { return std::make_unique<ResponsesStream>(); }
};

}  // namespace

const Codec& responses_codec() {
  static const ResponsesCodec codec;
  return codec;
}

}  // namespace pawl::models::detail
