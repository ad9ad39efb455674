/// Wire formats as pure code: a request becomes bytes, bytes become a reply. No network, no clock, no randomness.
///
///     const auto& codec = codec_of(Wire::anthropic);
///     const auto wire = codec.encode(request, true);          // path, header fields and body; the client adds address and key
///     auto stream = codec.stream();
///     stream->feed(bytes, on_chunk);                          // split anywhere
///     auto reply = stream->finish();                          // error `llm.truncated` unless the stream said that it is over
///
/// | wire        | request |
/// | ---         | --- |
/// | `chat`      | `POST /chat/completions`: OpenAI and whoever is compatible |
/// | `responses` | `POST /responses`: OpenAI, without state on its side |
/// | `anthropic` | `POST /v1/messages` |
/// | `gemini`    | `POST /v1beta/models/{model}:generateContent` |
/// | `ollama`    | `POST /api/chat` |
///
/// Unknown fields and event types are ignored. Whatever a server sends ends in a reply or an error.
///
/// Error codes of `feed`, `finish` and `decode`: `llm.protocol` (what came is not the format), `llm.truncated` (the stream ended without
/// its last event), and what the server said itself in the middle of a stream (`Failure`).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "models/message.hpp"

namespace pawl::models {

enum class Wire : std::uint8_t { chat, responses, anthropic, gemini, ollama };
[[nodiscard]] std::string_view to_text(Wire wire);

using Fields = std::vector<std::pair<std::string, std::string>>;

struct WireRequest {
  std::string path;  ///< begins with a slash; goes behind the base URL
  Fields headers;    ///< without the key
  std::string body;
};

/// What kind of failure an attempt was: it decides whether another attempt makes sense.
enum class FailureClass : std::uint8_t {
  transient,     ///< 408, 409, 425, 429, 5xx, 529, no connection, nothing came: another attempt may work
  partial,       ///< the stream broke after it had begun: likewise, and what came is void
  quota,         ///< paid for no more: another attempt will not work
  auth,          ///< the key
  invalid,       ///< the request
  too_large,     ///< the request's size
  context_full,  ///< its tokens
  filtered,      ///< refused by policy
  cancelled,     ///< by the caller
  protocol,      ///< what came is not what the provider speaks
};
[[nodiscard]] std::string_view to_text(FailureClass kind);

struct Failure {
  FailureClass kind = FailureClass::protocol;
  int status = 0;       ///< HTTP, 0: there was none
  std::string code;     ///< the provider's word, short
  std::string message;  ///< the provider's sentence, as long as it is; may repeat what it was sent
  std::optional<Millis> retry_after{};
  std::optional<bool> should_retry{};  ///< what the server itself asks for
};

template <class T>
using Outcome = boost::system::result<T, Failure>;
[[noreturn]] void throw_exception_from_error(const Failure& failure, const boost::source_location& where);

/// Takes a streamed answer apart.
class StreamDecoder {
 public:
  StreamDecoder() = default;
  StreamDecoder(const StreamDecoder&) = delete;
  StreamDecoder& operator=(const StreamDecoder&) = delete;
  virtual ~StreamDecoder() = default;
  /// More bytes. After a failure everything else is ignored.
  virtual void feed(std::string_view bytes, const OnChunk& on_chunk) = 0;
  /// Whether anything of the answer itself has come.
  [[nodiscard]] virtual bool begun() const = 0;
  /// The bytes are over.
  [[nodiscard]] virtual Outcome<Reply> finish() = 0;
  /// As far as it is known: an answer that broke off has been paid for too.
  [[nodiscard]] virtual Usage usage() const = 0;
};

class Codec {
 public:
  Codec() = default;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  virtual ~Codec() = default;
  [[nodiscard]] virtual Wire wire() const = 0;
  [[nodiscard]] virtual WireRequest encode(const Request& request, bool stream) const = 0;
  [[nodiscard]] virtual Outcome<Reply> decode(std::string_view body) const = 0;
  [[nodiscard]] virtual std::unique_ptr<StreamDecoder> stream() const = 0;
};
[[nodiscard]] const Codec& codec_of(Wire wire);

/// An answer with a status that is no success. `now` is for `Retry-After` as a date.
[[nodiscard]] Failure failure_of(Wire wire, int status, const Fields& headers, std::string_view body, TimePoint now);

}  // namespace pawl::models
