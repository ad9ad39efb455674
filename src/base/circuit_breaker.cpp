#include "base/circuit_breaker.hpp"

#include <algorithm>

namespace pawl {

CircuitBreaker::CircuitBreaker(CircuitBreakerOptions options) : options_(options) {}

std::optional<CircuitBreaker::Permit> CircuitBreaker::try_acquire(Time now) {
  const std::lock_guard lock(mutex_);
  if (state_ == State::closed) return Permit(epoch_);
  const bool probe_under_way = state_ == State::half_open && probing_;
  if (now < until_ && (state_ == State::open || probe_under_way)) {
    ++refused_;
    return std::nullopt;
  }
  state_ = State::half_open;
  probing_ = true;
  until_ = now + options_.open_for;
  return Permit(++epoch_);
}

void CircuitBreaker::report(Permit permit, Outcome outcome, Time now) {
  const std::lock_guard lock(mutex_);
  if (outcome == Outcome::success) ++successes_;
  if (outcome == Outcome::failure) ++failures_;
  if (permit.epoch_ != epoch_) return;
  switch (outcome) {
    case Outcome::success:
      failures_in_a_row_ = 0;
      if (state_ == State::half_open) {
        state_ = State::closed;
        probing_ = false;
        ++epoch_;
      }
      return;
    case Outcome::failure:
      if (state_ == State::half_open || ++failures_in_a_row_ >= options_.failures_to_open) open(now);
      return;
    case Outcome::ignored: probing_ = false; return;  // a probe that proved nothing: the next call is one
  }
}

void CircuitBreaker::open(Time now) {
  state_ = State::open;
  until_ = now + options_.open_for;
  probing_ = false;
  failures_in_a_row_ = 0;
  ++epoch_;
  ++opened_;
}

void CircuitBreaker::close() {
  const std::lock_guard lock(mutex_);
  failures_in_a_row_ = 0;
  probing_ = false;
  if (state_ != State::closed) ++epoch_;
  state_ = State::closed;
}

CircuitBreaker::Snapshot CircuitBreaker::snapshot(Time now) const {
  const std::lock_guard lock(mutex_);
  const bool time_is_up = state_ == State::open && now >= until_;
  Snapshot snapshot;
  snapshot.state = time_is_up ? State::half_open : state_;
  snapshot.failures_in_a_row = failures_in_a_row_;
  if (snapshot.state == State::open) snapshot.retry_after = std::chrono::ceil<std::chrono::milliseconds>(until_ - now);
  snapshot.successes = successes_;
  snapshot.failures = failures_;
  snapshot.refused = refused_;
  snapshot.opened = opened_;
  return snapshot;
}

std::string_view to_text(CircuitBreaker::State state) {
  switch (state) {
    case CircuitBreaker::State::closed: return "closed";
    case CircuitBreaker::State::open: return "open";
    case CircuitBreaker::State::half_open: return "half_open";
  }
  return "closed";
}

}  // namespace pawl
