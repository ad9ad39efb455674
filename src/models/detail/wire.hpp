// What the codecs share: readers for JSON that may be anything, the reply as it grows, failures.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "models/codec.hpp"
#include "net/event_stream.hpp"

namespace pawl::models::detail {

/// Text, or nothing where the member is missing or something else.
[[nodiscard]] std::string text_of(const json::Value& object, std::string_view name);
[[nodiscard]] std::int64_t integer_of(const json::Value& object, std::string_view name);
/// A figure of tokens that a provider reports: never below zero, and never more than any request can take, so that sums and costs stay
/// figures whatever it says.
[[nodiscard]] std::int64_t tokens_of(const json::Value& object, std::string_view name);
[[nodiscard]] json::Value object_of(std::initializer_list<std::pair<std::string_view, json::Value>> members);
[[nodiscard]] json::Value text_content(const Message& message);

/// JSON in UTF-8, or a failure of kind `protocol`.
[[nodiscard]] Outcome<json::Value> parse_body(std::string_view body);

[[nodiscard]] Failure protocol_failure(std::string message);
/// The stream ended in the middle.
[[nodiscard]] Failure truncated();

/// The arguments of a call from the text that a model wrote: an object, or what is wrong. Nothing at all means no arguments.
void read_arguments(ToolCall& call, std::string_view text);
/// As `read_arguments`, for providers that send values; some send text all the same.
void take_arguments(ToolCall& call, const json::Value& value);

/// `Reply::raw`.
[[nodiscard]] json::Value raw_of(Wire wire, std::string_view model, json::Value message);
/// The message's own form, where it is of this wire format; null else.
[[nodiscard]] json::Value replay_of(const Message& message, Wire wire);

/// Marks the last call of an answer that was cut off, and sets the reason where the calls say more than the provider does.
void settle(Reply& reply);

/// Base of the decoders of event streams and lines: keeps the failure, and the reply as it grows.
class GrowingReply : public StreamDecoder {
 public:
  [[nodiscard]] bool begun() const final { return begun_; }
  [[nodiscard]] Usage usage() const final { return reply_.usage; }

 protected:
  struct GrowingCall {
    std::string id;
    std::string name;
    std::string arguments;
    bool complete = false;
  };
  void text(std::string_view piece, const OnChunk& on_chunk);
  void reasoning(std::string_view piece, const OnChunk& on_chunk);
  void call_begins(std::int64_t index, std::string id, std::string name, const OnChunk& on_chunk);
  void call_goes_on(std::int64_t index, std::string_view piece, const OnChunk& on_chunk);
  /// Puts the calls into the reply. Those that nothing has completed are cut off.
  void collect_calls(bool need_completion);
  void fail(Failure failure);

  Reply reply_;
  std::map<std::int64_t, GrowingCall> calls_;
  std::optional<Failure> failure_;
  bool begun_ = false;
  bool over_ = false;  ///< the terminal event has come
};

/// A provider's words, for a sentence: a few hundred characters.
[[nodiscard]] std::string shortened(std::string text);

/// Error `llm.arguments` where a part of a message could not be sent in this format: nothing is left out in silence.
[[nodiscard]] Result<void> check_parts(Wire wire, const Request& request);

/// The error that a provider sends as the body of an answer or in the middle of a stream.
[[nodiscard]] Failure failure_in(Wire wire, int status, const json::Value& body);
/// Said by the status, or within a stream, whose status was 200 before it was known.
[[nodiscard]] bool is_rate_limit(const Failure& failure);

[[nodiscard]] const Codec& chat_codec();
[[nodiscard]] const Codec& responses_codec();
[[nodiscard]] const Codec& anthropic_codec();
[[nodiscard]] const Codec& gemini_codec();
[[nodiscard]] const Codec& ollama_codec();

}  // namespace pawl::models::detail
