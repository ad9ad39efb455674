#include "net/host_breakers.hpp"

#include <algorithm>
#include <utility>

namespace pawl::net {

Result<HostBreakers::Permit> HostBreakers::try_acquire(const std::string& origin, Time now) {
  Permit permit;
  {
    const std::lock_guard lock(mutex_);
    auto found = entries_.find(origin);
    if (found == entries_.end()) {
      if (entries_.size() >= max_origins_) make_room(now);
      found = entries_.emplace(origin, Entry{std::make_shared<CircuitBreaker>(options_)}).first;
    }
    found->second.used = now;
    permit.breaker_ = found->second.breaker;
  }
  const auto acquired = permit.breaker_->try_acquire(now);
  if (!acquired) {
    return Error(ErrorClass::unavailable, "net.circuit_open",
                 origin + " has failed several times in a row; it is not called again until a trial request succeeds.");
  }
  permit.permit_ = *acquired;
  return permit;
}

void HostBreakers::report(Permit& permit, CircuitBreaker::Outcome outcome, Time now) {
  if (const auto breaker = std::exchange(permit.breaker_, nullptr)) breaker->report(permit.permit_, outcome, now);
}

/// Only looks at all entries when the table is full.
void HostBreakers::make_room(Time now) {
  const auto rank = [now](const Entry& entry) {
    return std::pair(entry.breaker->snapshot(now).state != CircuitBreaker::State::closed, entry.used);
  };
  const auto first =
      std::min_element(entries_.begin(), entries_.end(), [&](const auto& a, const auto& b) { return rank(a.second) < rank(b.second); });
  if (first != entries_.end()) entries_.erase(first);
}

std::vector<HostBreakerState> HostBreakers::snapshot(Time now, std::size_t most) const {
  struct Row {
    HostBreakerState state;
    Time used;
  };
  std::vector<Row> rows;
  {
    const std::lock_guard lock(mutex_);
    rows.reserve(entries_.size());
    for (const auto& [origin, entry] : entries_) rows.push_back({{origin, entry.breaker->snapshot(now)}, entry.used});
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    const auto closed = [](const Row& row) { return row.state.breaker.state == CircuitBreaker::State::closed; };
    return std::pair(closed(a), b.used) < std::pair(closed(b), a.used);
  });
  if (rows.size() > most) rows.resize(most);
  std::vector<HostBreakerState> states;
  states.reserve(rows.size());
  for (auto& row : rows) states.push_back(std::move(row.state));
  return states;
}

}  // namespace pawl::net
