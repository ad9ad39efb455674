#include "limits/sliding_window.hpp"

#include <algorithm>

namespace pawl::limits {

Verdict sliding_look(const Rate& rate, const CallTimes& times, Micros now) {
  const Micros window = rate.window;
  Verdict verdict;
  Micros oldest = now;
  Micros newest{0};
  std::uint32_t used = 0;
  for (std::size_t i = 0; i < rate.amount; ++i) {
    const Micros at = std::min(times[i], now);
    oldest = std::min(oldest, at);
    if (at == Micros(0) || at + window <= now) continue;
    newest = std::max(newest, at);
    ++used;
  }
  verdict.allowed = used < rate.amount;
  verdict.remaining = verdict.allowed ? rate.amount - used - 1 : 0;
  verdict.reset_after = verdict.allowed ? window : newest + window - now;
  if (!verdict.allowed) verdict.retry_after = oldest + window - now;
  return verdict;
}

void sliding_take(const Rate& rate, CallTimes& times, Micros now) {
  const auto end = times.begin() + static_cast<std::ptrdiff_t>(rate.amount);
  for (auto at = times.begin(); at != end; ++at) *at = std::min(*at, now);
  *std::min_element(times.begin(), end) = now;
}

}  // namespace pawl::limits
