#include "storage/detail/reader_pool.hpp"

#include <algorithm>
#include <string>

namespace pawl::storage::detail {
namespace {

constexpr Millis kFirstPause{50};
constexpr Millis kLongestPause{1'000};

}  // namespace

ReaderPool::ReaderPool(PoolOptions options, Connect connect, CircuitBreaker& breaker)
    : options_(options), connect_(std::move(connect)), breaker_(breaker) {}

Result<std::unique_ptr<Connection>> ReaderPool::acquire() {
  const auto deadline = Steady::now() + options_.patience;
  PAWL_TRY_VOID(take_place(deadline));
  auto connection = take_resting();
  if (connection == nullptr) {
    auto opened = open_one(deadline);
    if (opened.has_error()) {
      leave_place();
      return std::move(opened).error();
    }
    connection = std::move(opened).value();
  }
  return connection;
}

Result<void> ReaderPool::take_place(Steady::time_point deadline) {
  std::unique_lock lock(mutex_);
  const auto limit = options_.size + options_.overflow;
  if (places_ >= limit) {
    ++waiters_;
    const bool free = changed_.wait_until(lock, deadline, [&] { return places_ < limit; });
    --waiters_;
    if (!free) {
      ++exhausted_;
      return Error{ErrorClass::unavailable, "storage.pool_exhausted",
                   "all " + std::to_string(limit) + " database connections are busy; try again later"};
    }
  }
  ++places_;
  return {};
}

void ReaderPool::leave_place() {
  {
    const std::lock_guard lock(mutex_);
    --places_;
  }
  changed_.notify_one();
}

/// The one that came back last and is still good; what is not is closed outside of the lock.
std::unique_ptr<Connection> ReaderPool::take_resting() {
  for (;;) {
    Resting taken;
    {
      const std::lock_guard lock(mutex_);
      if (resting_.empty()) return nullptr;
      taken = std::move(resting_.back());
      resting_.pop_back();
    }
    const auto now = Steady::now();
    const bool old = options_.recycle > Millis(0) && now - taken.opened >= options_.recycle;
    const bool rested = options_.ping_after > Millis(0) && now - taken.since >= options_.ping_after;
    if (old || (rested && !taken.connection->is_alive())) continue;
    const std::lock_guard lock(mutex_);
    lent_.emplace_back(taken.connection.get(), taken.opened);
    return std::move(taken.connection);
  }
}

Result<std::unique_ptr<Connection>> ReaderPool::open_one(Steady::time_point deadline) {
  auto longest = kFirstPause;
  for (;;) {
    const auto permit = breaker_.try_acquire(Steady::now());
    if (!permit)
      return Error{ErrorClass::unavailable, "storage.unavailable", "the database cannot be reached at the moment; try again later"};
    auto opened = connect_();
    const auto now = Steady::now();
    breaker_.report(*permit, opened.has_value() ? CircuitBreaker::Outcome::success : CircuitBreaker::Outcome::failure, now);
    if (opened.has_value()) {
      const std::lock_guard lock(mutex_);
      lent_.emplace_back(opened->get(), now);
      return opened;
    }
    if (now + longest >= deadline) return opened;
    pause(longest);
    longest = std::min(longest * 2, kLongestPause);
  }
}

void ReaderPool::pause(Millis longest) {
  std::unique_lock lock(mutex_);
  const Millis length(std::uniform_int_distribution<Millis::rep>(longest.count() / 2, longest.count())(jitter_));
  // Not `changed_`: whoever waits there for a place must be the one that a `notify_one` wakes.
  pausing_.wait_until(lock, Steady::now() + length, [] { return false; });
}

void ReaderPool::release(std::unique_ptr<Connection> connection) {
  std::vector<Resting> closed;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(lent_.begin(), lent_.end(), [&](const auto& each) { return each.first == connection.get(); });
    const auto opened = found->second;
    lent_.erase(found);
    --places_;
    if (connection->is_lost()) {
      std::swap(closed, resting_);
    } else if (lent_.size() + resting_.size() < options_.size) {
      resting_.push_back({std::move(connection), opened, Steady::now()});
    }
  }
  changed_.notify_one();
}

Database::PoolStatistics ReaderPool::statistics() const {
  const std::lock_guard lock(mutex_);
  Database::PoolStatistics statistics;
  statistics.size = options_.size;
  statistics.max_overflow = options_.overflow;
  statistics.in = static_cast<std::uint32_t>(resting_.size());
  statistics.out = static_cast<std::uint32_t>(lent_.size());
  const auto open = statistics.in + statistics.out;
  statistics.overflow = open > options_.size ? open - options_.size : 0;
  statistics.waiters = waiters_;
  statistics.exhausted = exhausted_;
  return statistics;
}

}  // namespace pawl::storage::detail
