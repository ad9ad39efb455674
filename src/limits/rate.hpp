/// What a rate is, and what a call gets under it. The two rules that decide are `gcra.hpp` and `sliding_window.hpp`; both are pure:
/// time is passed in (microseconds of any steady scale, such as the Unix epoch) and state is a value of the caller's.
#pragma once

#include <chrono>
#include <cstdint>

namespace pawl::limits {

using Micros = std::chrono::microseconds;

/// At most `amount` calls in a `window`. `amount` is at least 1, and the window at least `amount` microseconds.
struct Rate {
  std::uint32_t amount = 1;
  std::chrono::milliseconds window{60'000};
};

/// What a call at a given time gets.
struct Verdict {
  bool allowed = true;
  std::uint32_t remaining = 0;  ///< calls that could follow at once, this one counted where it is allowed
  Micros reset_after{};         ///< until the whole amount is there again
  Micros retry_after{};         ///< until the next call is allowed; zero where this one is
};

}  // namespace pawl::limits
