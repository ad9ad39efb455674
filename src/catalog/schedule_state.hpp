/// When a schedule fires: a pure core without clock, storage or threads.
///
/// The scheduler asks `on_time` when a schedule is due and `on_ended` when one of its runs has ended; both return what is to be
/// done and change the state, which the scheduler makes durable. Misfire means: the time passed while nobody was there (the server was
/// down, or the machine slept). Overlap means: a run of the schedule is still going on.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "dsl/plan.hpp"

namespace pawl::catalog {

using Misfire = dsl::Schedule::Misfire;
using Overlap = dsl::Schedule::Overlap;

[[nodiscard]] std::string_view to_text(Misfire misfire);
[[nodiscard]] std::string_view to_text(Overlap overlap);

/// A firing that is later than this is a misfire; below it, being late is what every busy machine is.
inline constexpr Millis kMisfireGrace{5000};
/// Missed firings that `catch_up` makes up for at once; older ones are counted as skipped.
inline constexpr std::size_t kMaxCatchUp = 100;
/// Firings that wait with overlap `queue`; further ones are counted as skipped.
inline constexpr std::size_t kMaxQueued = 100;

struct SchedulePolicy {
  Misfire misfire = Misfire::run_once;
  Overlap overlap = Overlap::allow;
  /// First due time strictly later than the argument; none: never again. For `after` schedules: the argument plus the delay.
  std::function<std::optional<TimePoint>(TimePoint)> next;
  bool after_completion = false;  ///< `schedule.after`: the next time counts from the end of the run
};

struct ScheduleState {
  std::optional<TimePoint> next_due;
  std::optional<TimePoint> last_fired;
  std::vector<RunId> running;     ///< runs of this schedule that have not ended
  std::vector<TimePoint> queued;  ///< due times that wait for the running one (overlap `queue`)
  std::uint64_t skipped = 0;
};

struct ScheduleDecision {
  std::vector<TimePoint> start;  ///< one run for each due time
  std::vector<RunId> cancel;     ///< before that
};

/// To be called when `state.next_due <= now`; harmless before.
[[nodiscard]] ScheduleDecision on_time(const SchedulePolicy& policy, ScheduleState& state, TimePoint now);
/// A run that `on_time` asked for has ended (or could not be started).
[[nodiscard]] ScheduleDecision on_ended(const SchedulePolicy& policy, ScheduleState& state, const RunId& run, TimePoint now);

/// Due times of an interval: `anchor + k * every`, so a late firing does not shift the later ones.
[[nodiscard]] std::function<std::optional<TimePoint>(TimePoint)> interval_times(TimePoint anchor, Millis every);

}  // namespace pawl::catalog
