// Timers: one heap for all runs of the shard, on the injected clock. The host is asked for nothing but a call when the next one is due.
#include <algorithm>

#include "engine/detail/run.hpp"
#include "engine/shard.hpp"

namespace pawl::engine {

void Shard::push_timer(Timer timer) {
  timers_.push_back(timer);
  std::push_heap(timers_.begin(), timers_.end(), Later{});
}

void Shard::schedule(Run& run, TimerId timer, TimePoint due) {
  run.timers.push_back(timer);
  push_timer({due, run.identity.id, Timer::Kind::machine, timer});
}

void Shard::unschedule(Run& run, TimerId timer) { forget_timers(std::erase(run.timers, timer)); }

/// A timer that is not wanted any more stays in the heap until it is due; when most of the heap is such, it is built anew.
void Shard::forget_timers(std::size_t count) {
  stale_timers_ += count;
  if (stale_timers_ < 1024 || stale_timers_ < timers_.size() / 2) return;
  std::erase_if(timers_, [this](const Timer& timer) {
    if (timer.kind == Timer::Kind::wake) return false;
    const auto run = runs_.find(timer.run);
    if (run == runs_.end()) return true;
    if (timer.kind == Timer::Kind::sleep_check) return !run->second->sleep_check;
    return std::find(run->second->timers.begin(), run->second->timers.end(), timer.timer) == run->second->timers.end();
  });
  std::make_heap(timers_.begin(), timers_.end(), Later{});
  stale_timers_ = 0;
}

void Shard::wake_at(const RunId& run, TimePoint due) { push_timer({due, run, Timer::Kind::wake, 0}); }

std::optional<TimePoint> Shard::next_due() {
  if (timers_.empty()) return std::nullopt;
  return timers_.front().due;
}

void Shard::tick() {
  const auto now = world_.clock.now();
  while (!timers_.empty() && timers_.front().due <= now) {
    std::pop_heap(timers_.begin(), timers_.end(), Later{});
    const auto timer = timers_.back();
    timers_.pop_back();
    const auto found = runs_.find(timer.run);
    if (found == runs_.end()) {
      if (timer.kind == Timer::Kind::wake) want(timer.run, [](Result<StoredRun>&) {});
      continue;
    }
    auto& run = *found->second;
    if (timer.kind == Timer::Kind::sleep_check) {
      run.sleep_check = false;
      consider_sleep(run);
    } else if (timer.kind == Timer::Kind::machine && std::erase(run.timers, timer.timer) > 0) {
      input(run, TimerFired{timer.timer});
    }
  }
}

}  // namespace pawl::engine
