/// The pieces of a streamed answer, a few at a time: a model says a word every few milliseconds, and each would be an event of its own.
///
///     AnswerStream stream(clock, [](const Piece& piece) { ... });
///     call.on_chunk = [&](const Chunk& chunk) { stream.add(chunk); };
///     ...
///     stream.end();
///
/// Pieces of one kind (and one tool call) that come within 50 ms of each other go together, up to 4 KiB. The first one goes at once.
/// Nothing waits for a timer: what is held back goes with the next piece, or with the end. Where whole words are asked for, a word that the
/// provider sends in parts is in one piece (up to 4 KiB of it): who looks for something in the pieces finds it.
///
/// One thread at a time; `end` may come from another one than `add`.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string_view>

#include "base/time.hpp"
#include "models/message.hpp"

namespace pawl::models {

struct Piece {
  std::uint64_t sequence = 0;    ///< within the call, from 0, without gaps: whoever misses one has missed something
  std::optional<Chunk> chunk{};  ///< nothing: the call has ended, and its result is what counts
};
/// `text`, `reasoning`, `tool_call`, `arguments`, `reset`, `end`.
[[nodiscard]] std::string_view to_text(const Piece& piece);

class AnswerStream {
 public:
  using Tell = std::function<void(const Piece&)>;
  AnswerStream(const Clock& clock, Tell tell, bool whole_words = false)
      : clock_(clock), tell_(std::move(tell)), whole_words_(whole_words) {}

  void add(const Chunk& chunk);
  void end();

 private:
  void flush();
  void flush_words();

  const Clock& clock_;
  const Tell tell_;
  const bool whole_words_;
  std::mutex mutex_;
  std::optional<Chunk> held_;
  std::optional<TimePoint> told_at_;
  std::uint64_t next_ = 0;
  bool ended_ = false;
};

}  // namespace pawl::models
