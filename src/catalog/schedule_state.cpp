#include "catalog/schedule_state.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace pawl::catalog {
namespace {

/// The due times up to now, by misfire policy; moves `next_due` beyond now.
std::vector<TimePoint> take_due(const SchedulePolicy& policy, ScheduleState& state, TimePoint now) {
  std::vector<TimePoint> due;
  const TimePoint first = *state.next_due;
  if (policy.misfire == Misfire::catch_up && !policy.after_completion) {
    std::optional<TimePoint> time = first;
    while (time && *time <= now && due.size() < kMaxCatchUp) {
      due.push_back(*time);
      time = policy.next(*time);
    }
    if (time && *time <= now) {
      state.skipped += 1;  // how many there were would need as many steps
      time = policy.next(now);
    }
    state.next_due = time;
    return due;
  }
  const bool late = now - first > kMisfireGrace;
  if (policy.misfire == Misfire::skip && late) {
    state.skipped += 1;
  } else {
    due.push_back(first);
  }
  state.next_due = policy.after_completion ? std::nullopt : policy.next(now);
  // With `after`, a skipped time has no run whose end would set the next one.
  if (policy.after_completion && due.empty()) state.next_due = policy.next(now);
  return due;
}

}  // namespace

std::string_view to_text(Misfire misfire) {
  switch (misfire) {
    case Misfire::skip: return "skip";
    case Misfire::run_once: return "run-once";
    case Misfire::catch_up: return "catch-up";
  }
  return "";
}

std::string_view to_text(Overlap overlap) {
  switch (overlap) {
    case Overlap::allow: return "allow";
    case Overlap::skip: return "skip";
    case Overlap::queue: return "queue";
    case Overlap::cancel_other: return "cancel-other";
  }
  return "";
}

ScheduleDecision on_time(const SchedulePolicy& policy, ScheduleState& state, TimePoint now) {
  ScheduleDecision decision;
  if (!state.next_due || *state.next_due > now) return decision;
  for (const TimePoint due : take_due(policy, state, now)) {
    const bool busy = !state.running.empty() || !decision.start.empty();
    if (busy && policy.overlap == Overlap::skip) {
      state.skipped += 1;
    } else if (busy && policy.overlap == Overlap::queue) {
      if (state.queued.size() < kMaxQueued) {
        state.queued.push_back(due);
      } else {
        state.skipped += 1;
      }
    } else {
      if (busy && policy.overlap == Overlap::cancel_other) {
        decision.cancel = state.running;
        state.skipped += decision.start.size();  // of several at once only the last stays
        decision.start.clear();
      }
      decision.start.push_back(due);
    }
  }
  if (!decision.start.empty()) state.last_fired = now;
  return decision;
}

ScheduleDecision on_ended(const SchedulePolicy& policy, ScheduleState& state, const RunId& run, TimePoint now) {
  ScheduleDecision decision;
  std::erase(state.running, run);
  if (policy.after_completion) {
    if (!state.next_due) state.next_due = policy.next(now);
    return decision;
  }
  if (state.running.empty() && !state.queued.empty()) {
    decision.start.push_back(state.queued.front());
    state.queued.erase(state.queued.begin());
    state.last_fired = now;
  }
  return decision;
}

std::function<std::optional<TimePoint>(TimePoint)> interval_times(TimePoint anchor, Millis every) {
  PAWL_ASSERT(every > Millis(0), "an interval of nothing would fire for ever");
  return [anchor, every](TimePoint after) -> std::optional<TimePoint> {
    if (after < anchor) return anchor + every;
    const auto rounds = (after - anchor) / every + 1;
    return anchor + rounds * every;
  };
}

}  // namespace pawl::catalog
