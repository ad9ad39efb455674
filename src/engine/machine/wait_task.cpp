#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {

void Core::start(Activation& act, const dsl::WaitTask& body) {
  Millis delay{};
  if (!evaluate_duration(act, body.duration, act.input, TaskScope(*this, &act, act.input), delay)) return;
  if (delay <= Millis::zero()) return complete_body(act, act.input);
  act.timer = set_timer(act, delay, TimerUse::wait);
  set_record_status(act, TaskStatus::waiting);
}

}  // namespace pawl::engine::detail
