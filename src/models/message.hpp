/// What is said to a language model and what it says back, whoever makes the model.
///
/// A `Request` is what any provider can be asked; a codec (`codec.hpp`) turns it into that provider's bytes and its bytes into a `Reply`.
/// The provider's own form of an assistant message is kept in `Reply::raw` and goes back unchanged when the conversation continues with
/// the same wire format: signatures and encrypted reasoning do not survive being rebuilt. Another provider gets the neutral form.
///
/// As JSON (`call: llm`, `/api/llm/*`):
///
///     {"role": "user", "content": "text" | [{"type": "text", "text": ...}, {"type": "image" | "file", "media_type": ..., "data": base64 |
///      "url": ... | "path": below the roots, "name"?}]}
///     {"role": "assistant", "content": ..., "tool_calls": [{"id", "name", "arguments": {}}], "raw"?}
///     {"role": "tool", "tool_call_id": ..., "name"?, "content": ..., "is_error"?}
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "json/value.hpp"

namespace pawl::models {

enum class Role : std::uint8_t { system, user, assistant, tool };

struct Part {
  enum class Kind : std::uint8_t { text, image, file };
  Kind kind = Kind::text;
  std::string text{};
  std::string media_type{};  ///< of images and files
  std::string data{};        ///< base64
  std::string url{};         ///< instead of data
  std::string path{};        ///< instead of both: a file below the roots, read before the request is made
  std::string name{};        ///< of a file
};

struct ToolCall {
  std::string id;
  std::string name;
  json::Value arguments;        ///< object; null where `arguments_error` says why
  std::string arguments_error;  ///< not empty: cut off or no JSON object. Such a call must not be executed.
};

struct Message {
  Role role = Role::user;
  std::vector<Part> parts;
  std::vector<ToolCall> tool_calls;  ///< assistant
  std::string tool_call_id;          ///< tool
  std::string name;                  ///< tool: the function's name
  bool is_error = false;             ///< tool
  json::Value raw;                   ///< assistant: `Reply::raw`

  /// Its text parts, joined.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] static Message of(Role role, std::string text);
};

struct Tool {
  std::string name;
  std::string description;
  json::Value parameters;  ///< JSON Schema of an object
};

struct ToolChoice {
  enum class Mode : std::uint8_t { automatic, none, required, named };
  Mode mode = Mode::automatic;
  std::string name;  ///< `named`
};

/// The form of the answer, as the provider is asked for it (`structured.hpp` makes it).
struct OutputForm {
  json::Value schema;  ///< JSON Schema of an object
  bool strict = true;  ///< within the subset that providers hold themselves to
};

struct Request {
  std::string model;         ///< as the provider calls it
  std::string instructions;  ///< before everything that `messages` say
  std::vector<Message> messages;
  std::vector<Tool> tools;
  ToolChoice tool_choice;
  std::optional<OutputForm> output;
  std::optional<double> temperature;  ///< unset: the provider's default. 0 is 0.
  std::optional<std::int64_t> max_tokens;
  std::vector<std::string> stop;
};

enum class FinishReason : std::uint8_t {
  stop,
  tool_calls,
  length,        ///< cut off by the limit of tokens
  context_full,  ///< the conversation does not fit any more
  filtered,      ///< refused or blocked
  paused,        ///< the provider wants to be called again with what it said
};
[[nodiscard]] std::string_view to_text(FinishReason reason);

/// Tokens. `input` counts cached ones too, whatever the provider counts.
struct Usage {
  std::int64_t input = 0;
  std::int64_t output = 0;       ///< reasoning included
  std::int64_t cached = 0;       ///< of `input`: read from the provider's cache
  std::int64_t cache_write = 0;  ///< of `input`: written to it
  std::int64_t reasoning = 0;    ///< of `output`
  Usage& operator+=(const Usage& other) noexcept;
  [[nodiscard]] bool empty() const noexcept { return input == 0 && output == 0; }
};

struct Reply {
  std::string id;     ///< the provider's
  std::string model;  ///< that answered; empty where the provider does not say
  std::string content;
  std::string reasoning;  ///< what the provider shows of it
  std::vector<ToolCall> tool_calls;
  FinishReason finish = FinishReason::stop;
  std::string finish_detail;  ///< the provider's own word for it
  Usage usage;
  json::Value raw;  ///< `{"wire": format, "model": name, "message": the provider's form}`
};

/// A piece of a reply on its way. The whole reply comes at the end all the same.
struct Chunk {
  enum class Kind : std::uint8_t {
    text,
    reasoning,
    tool_call,  ///< a call begins: `id` and `name`
    arguments,  ///< more of its arguments' text
    reset,      ///< what came so far is void: a new attempt begins
  };
  Kind kind = Kind::text;
  std::string text;
  std::size_t index = 0;  ///< which call
  std::string id;
  std::string name;
};
using OnChunk = std::function<void(const Chunk&)>;

/// Readers of the JSON forms above. Errors of class `invalid`, code `llm.arguments`, with the pointer in the sentence.
[[nodiscard]] Result<std::vector<Message>> read_messages(const json::Value& value);
[[nodiscard]] Result<std::vector<Tool>> read_tools(const json::Value& value);
/// `auto`, `none`, `required`, or the name of a tool (also `{"name": ...}`).
[[nodiscard]] Result<ToolChoice> read_tool_choice(const json::Value& value);

[[nodiscard]] json::Value to_json(const ToolCall& call);
/// `{input_tokens, output_tokens, cached_tokens, reasoning_tokens}`.
[[nodiscard]] json::Value to_json(const Usage& usage);
/// The reply as the assistant message that continues the conversation.
[[nodiscard]] Message to_message(const Reply& reply);

}  // namespace pawl::models
