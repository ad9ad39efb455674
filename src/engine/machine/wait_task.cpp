// `wait`. A dry run does not wait: it notes how long it would.
#include <fmt/format.h>

#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {

void Core::start(Activation& act, const dsl::WaitTask& body) {
  Millis delay{};
  if (!evaluate_duration(act, body.duration, act.input, TaskScope(*this, &act, act.input), delay)) return;
  if (info.dry_run && act.record != kNone) {
    records[act.record].logs.push_back({now, "info", fmt::format("dry run: it would wait until {}", to_rfc3339(now + delay))});
    mark_dirty(act.record);
  }
  if (delay <= Millis::zero() || info.dry_run) return complete_body(act, act.input);
  act.timer = set_timer(act, delay, TimerUse::wait);
  set_record_status(act, TaskStatus::waiting);
}

}  // namespace pawl::engine::detail
