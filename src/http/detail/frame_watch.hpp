// Whether a WebSocket's client is in the middle of something, from the bytes that it sends.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pawl::http::detail {

/// Follows the frames without looking into them. Beast tells nothing of a header that is not whole yet, nor of fragments without a byte,
/// so that a deadline for messages needs another look at the wire. What is against the protocol is Beast's to find.
class FrameWatch {
 public:
  /// The next bytes, as they came.
  void see(std::string_view bytes) noexcept;

  /// A message, or a control frame between two, has begun and is not whole.
  [[nodiscard]] bool is_within() const noexcept { return phase_ != Phase::between || in_message_; }
  /// How many of them have become whole: another number means that what is unfinished now is another thing.
  [[nodiscard]] std::uint64_t whole() const noexcept { return whole_; }

 private:
  enum class Phase : std::uint8_t { between, header, payload };
  void end_of_header() noexcept;
  void end_of_frame() noexcept;

  std::array<unsigned char, 14> header_{};
  std::size_t have_ = 0;
  std::size_t need_ = 2;
  std::uint64_t left_ = 0;  ///< of the payload
  std::uint64_t whole_ = 0;
  Phase phase_ = Phase::between;
  bool in_message_ = false;
};

/// By when what has begun must be whole: Beast waits for the rest of it as long as a byte comes now and then.
class MessageDeadline {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  explicit MessageDeadline(std::chrono::steady_clock::duration time_for_one) : time_for_one_(time_for_one) {}

  /// The next bytes, as they came.
  void see(std::string_view bytes, TimePoint now) noexcept;
  /// The end of time where nothing has begun.
  [[nodiscard]] TimePoint when() const noexcept { return when_; }

 private:
  const std::chrono::steady_clock::duration time_for_one_;
  FrameWatch watch_;
  TimePoint when_ = TimePoint::max();
};

}  // namespace pawl::http::detail
