#include "limits/gcra.hpp"

#include <algorithm>

namespace pawl::limits {
namespace {

/// Time that one call takes out of the bucket.
Micros interval_of(const Rate& rate) { return Micros(rate.window) / rate.amount; }

}  // namespace

Verdict gcra_look(const Rate& rate, Micros full_at, Micros now) {
  const Micros interval = interval_of(rate);
  const Micros capacity = interval * rate.amount;
  const Micros debt = std::clamp(full_at - now, Micros(0), capacity);
  const Micros left = capacity - debt;
  Verdict verdict;
  verdict.allowed = left >= interval;
  verdict.reset_after = verdict.allowed ? debt + interval : debt;
  verdict.remaining = verdict.allowed ? static_cast<std::uint32_t>(left / interval) - 1 : 0;
  if (!verdict.allowed) verdict.retry_after = interval - left;
  return verdict;
}

Micros gcra_take(const Rate& rate, Micros full_at, Micros now) {
  const Micros interval = interval_of(rate);
  return now + std::clamp(full_at - now, Micros(0), interval * rate.amount) + interval;
}

}  // namespace pawl::limits
