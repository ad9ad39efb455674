/// A log of the last calls: never more than `amount` in any window, wherever it begins. For small amounts, where it matters (log-ins):
/// the state is one time per call.
///
/// A clock that is set back locks nobody out for longer than one window: times of the future count as now.
#pragma once

#include <array>
#include <cstddef>

#include "limits/rate.hpp"

namespace pawl::limits {

inline constexpr std::size_t kMaxSlidingAmount = 8;

/// When the last calls were allowed, in no order; as many places as the rate's amount are used. Zero: never.
using CallTimes = std::array<Micros, kMaxSlidingAmount>;

/// What a call at `now` would get. Changes nothing. `rate.amount` is at most `kMaxSlidingAmount`.
[[nodiscard]] Verdict sliding_look(const Rate& rate, const CallTimes& times, Micros now);
/// Notes an allowed call at `now`.
void sliding_take(const Rate& rate, CallTimes& times, Micros now);

}  // namespace pawl::limits
