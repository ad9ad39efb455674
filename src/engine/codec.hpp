/// The binary form of journal records: small, versioned, total over damaged input.
///
/// Numbers are varints (7 bits a byte, least significant first; signed ones zigzag). A JSON value starts with one byte:
///
///     0x00-0x3f  integer 0..63              0xa0 null   0xa1 false  0xa2 true
///     0x40-0x7f  text of 0..63 bytes        0xa3 integer (zigzag)   0xa4 double (8 bytes, little endian)
///     0x80-0x8f  array of 0..15 items       0xa5 text   0xa6 array  0xa7 object, each with a length
///     0x90-0x9f  object of 0..15 members
///
/// An event starts with one byte: its kind in the low half, the milliseconds since the event before it in the high half (15: a varint
/// follows). So events can only be read in order, from a known time on; the pieces that a run appends at its commits, one after the other,
/// are its history.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "engine/machine/event.hpp"
#include "json/value.hpp"

namespace pawl::engine {

/// Appends to a text of bytes.
class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}
  void byte(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void number(std::uint64_t value);
  void signed_number(std::int64_t value);
  void text(std::string_view value);
  void value(const json::Value& value);
  /// `at` must not lie before `previous`; becomes the new `previous`.
  void event(const Event& event, TimePoint& previous);

 private:
  void text_value(std::string_view value);
  void logs(const std::vector<LogLine>& lines, TimePoint at);
  void body(const RunStarted& event, TimePoint at);
  void body(const RunQueued& event, TimePoint at);
  void body(const RunAdmitted& event, TimePoint at);
  void body(const EffectBegun& event, TimePoint at);
  void body(const EffectSucceeded& event, TimePoint at);
  void body(const EffectFailed& event, TimePoint at);
  void body(const TimerFired& event, TimePoint at);
  void body(const EffectInterrupted& event, TimePoint at);
  void body(const ApprovalDecided& event, TimePoint at);
  void body(const MessageArrived& event, TimePoint at);
  void body(const CancelRequested& event, TimePoint at);
  void body(const SuspendRequested& event, TimePoint at);
  void body(const ResumeRequested& event, TimePoint at);
  void body(const RetryRequested& event, TimePoint at);

  std::string& out_;
};

/// Reads what `Encoder` wrote. After damaged or missing bytes `failed()` is true for good and every answer is empty.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool at_end() const { return bytes_.empty(); }
  [[nodiscard]] std::string_view rest() const { return bytes_; }
  std::uint8_t byte();
  std::uint64_t number();
  std::int64_t signed_number();
  std::string_view text();
  json::Value value();
  Event event(TimePoint& previous);

 private:
  void other_event(std::uint8_t kind, Event& event);
  json::Value value(std::uint32_t depth);
  json::Value array(std::uint64_t count, std::uint32_t depth);
  json::Value object(std::uint64_t count, std::uint32_t depth);
  std::string_view take(std::uint64_t count);
  std::vector<LogLine> logs(TimePoint at);
  void fail();

  std::string_view bytes_;
  bool failed_ = false;
};

/// Error `journal.damaged`.
[[nodiscard]] Error damaged(std::string_view what);

}  // namespace pawl::engine
