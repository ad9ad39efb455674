/// The generic cell rate algorithm (ITU-T I.371), as "virtual scheduling": a bucket of `amount` calls that refills evenly, in one number.
///
/// The state is the theoretical arrival time: when the bucket will be full again. An idle subject's state lies in the past and may be
/// forgotten. In any stretch of time t at most `amount + amount * t / window` calls are allowed, so up to twice the amount in a window
/// that follows an idle one; where that is too much, see `sliding_window.hpp`.
///
/// A clock that is set back locks nobody out for longer than one window: a state further away than that is pulled in.
#pragma once

#include "limits/rate.hpp"

namespace pawl::limits {

/// What a call at `now` would get. Changes nothing.
[[nodiscard]] Verdict gcra_look(const Rate& rate, Micros full_at, Micros now);
/// The state after an allowed call at `now`.
[[nodiscard]] Micros gcra_take(const Rate& rate, Micros full_at, Micros now);

}  // namespace pawl::limits
