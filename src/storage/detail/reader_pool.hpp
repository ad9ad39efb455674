/// Connections for reading: `size` that are kept, `overflow` more for moments when all are out, and an end to waiting for one.
///
/// `acquire` hands out a connection that is open, not older than `recycle`, and, where it has rested for `ping_after`, has just answered.
/// When nobody can be reached it tries again, with growing and random pauses, for as long as its patience lasts and the breaker lets it.
/// A connection that is given back lost takes all that rest with it: they went to the same server.
///
/// Thread-safe. Errors: `storage.pool_exhausted` (all are out for longer than the patience), `storage.unavailable`.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <vector>

#include "base/circuit_breaker.hpp"
#include "storage/database.hpp"
#include "storage/detail/connection.hpp"

namespace pawl::storage::detail {

using Steady = std::chrono::steady_clock;

struct PoolOptions {
  std::uint32_t size = 1;
  std::uint32_t overflow = 0;
  Millis patience{30'000};
  Millis recycle{0};     ///< 0: never
  Millis ping_after{0};  ///< 0: never
};

class ReaderPool {
 public:
  using Connect = std::function<Result<std::unique_ptr<Connection>>()>;
  ReaderPool(PoolOptions options, Connect connect, CircuitBreaker& breaker);

  [[nodiscard]] Result<std::unique_ptr<Connection>> acquire();
  void release(std::unique_ptr<Connection> connection);
  [[nodiscard]] Database::PoolStatistics statistics() const;
  /// Waits between a half of `longest` and all of it.
  void pause(Millis longest);

 private:
  struct Resting {
    std::unique_ptr<Connection> connection;
    Steady::time_point opened;
    Steady::time_point since;
  };
  [[nodiscard]] Result<void> take_place(Steady::time_point deadline);
  void leave_place();
  [[nodiscard]] std::unique_ptr<Connection> take_resting();
  [[nodiscard]] Result<std::unique_ptr<Connection>> open_one(Steady::time_point deadline);

  const PoolOptions options_;
  const Connect connect_;
  CircuitBreaker& breaker_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;  ///< a place is free
  std::condition_variable pausing_;  ///< nobody notifies it
  std::vector<Resting> resting_;
  std::vector<std::pair<const Connection*, Steady::time_point>> lent_;  ///< when each was opened
  std::uint32_t places_ = 0;                                            ///< of `size` and `overflow` together that are taken
  std::uint32_t waiters_ = 0;
  std::uint64_t exhausted_ = 0;
  std::mt19937 jitter_{std::random_device{}()};  // spreads attempts; nothing secret comes from it
};

}  // namespace pawl::storage::detail
