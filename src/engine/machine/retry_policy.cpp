// Retry policies: whether another attempt is due, and when. delay x backoff, capped, then jitter from the run's seed and the step. A dry
// run waits for none.
#include <algorithm>

#include "engine/machine/detail/core.hpp"
#include "engine/machine/dry_run.hpp"

namespace pawl::engine::detail {
namespace {

constexpr Millis kDefaultCap = std::chrono::minutes(5);

/// The finaliser of splitmix64: spreads every input bit over the result.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}

/// The delay before retry `retry` (from 1): constant; linear, by one step more each time; exponential. Never above `cap`.
Millis back_off(const dsl::RetryPolicy& policy, Millis base, Millis step, std::uint32_t retry, Millis cap) {
  const auto limit = static_cast<double>(cap.count());
  auto delay = static_cast<double>(base.count());
  switch (policy.backoff) {
    case dsl::RetryPolicy::Backoff::constant: break;
    case dsl::RetryPolicy::Backoff::linear: delay += static_cast<double>(step.count()) * (retry - 1); break;
    case dsl::RetryPolicy::Backoff::exponential:
      for (std::uint32_t i = 1; i < retry && delay > 0 && delay < limit; ++i) delay *= std::max(policy.multiplier, 1.0);
      break;
  }
  return delay >= limit ? cap : Millis(static_cast<std::int64_t>(delay));
}

}  // namespace

bool Core::ask_retry(Activation& act, const RetryQuestion& question, std::optional<Millis>& delay) {
  const auto& policy = question.policy;
  TaskScope scope(*this, &act, act.input);
  scope.bind(question.error_name, question.problem);
  bool holds = true;
  if (policy.when && !test(act, *policy.when, act.input, scope, holds)) return false;
  if (!holds) return true;
  if (policy.except_when) {
    if (!test(act, *policy.except_when, act.input, scope, holds)) return false;
    if (holds) return true;
  }
  if (policy.max_retries && question.retries >= *policy.max_retries) return true;
  if (info.dry_run && question.retries >= kDryRunRetries) return true;

  Millis base{};
  Millis cap = kDefaultCap;
  if (!evaluate_duration(act, policy.delay, act.input, scope, base)) return false;
  if (policy.max_delay && !evaluate_duration(act, *policy.max_delay, act.input, scope, cap)) return false;
  Millis step = base;
  if (policy.increment && !evaluate_duration(act, *policy.increment, act.input, scope, step)) return false;
  Millis wanted = back_off(policy, base, step, question.retries + 1, cap);

  Millis from{};
  Millis to{};
  if (policy.jitter_from && !evaluate_duration(act, *policy.jitter_from, act.input, scope, from)) return false;
  if (policy.jitter_to && !evaluate_duration(act, *policy.jitter_to, act.input, scope, to)) return false;
  if (to > from) {
    auto hash = mix(info.seed ^ mix(act.task));
    for (const auto round : iteration_of(act)) hash = mix(hash ^ round);
    hash = mix(hash ^ (std::uint64_t{question.salt} << 32U) ^ question.retries ^ (std::uint64_t{act.attempt} << 16U));
    from += Millis(static_cast<std::int64_t>(hash % static_cast<std::uint64_t>((to - from).count() + 1)));
  }
  wanted += from;

  if (policy.total_duration) {
    Millis total{};
    if (!evaluate_duration(act, *policy.total_duration, act.input, scope, total)) return false;
    if (now + wanted - question.first_started > total) return true;
  }
  delay = info.dry_run ? Millis::zero() : wanted;
  return true;
}

}  // namespace pawl::engine::detail
