/// One circuit breaker for each place that requests go to, so that a dead service costs one fast error and not a timeout for everybody.
///
/// Counted as failures: no connection, no name, no TLS, a broken exchange, and a timeout where the other side had `min_patience` (a caller
/// with a timeout of milliseconds must not be able to close a service for others). Any answer is a success, whatever its status: 5xx may be
/// about one request, and retries are the workflow's decision. What was cancelled or refused on this side says nothing.
///
/// Thread-safe; time is passed in. The number of places is bounded: the longest unused one that is closed gives way first.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/circuit_breaker.hpp"
#include "base/error.hpp"

namespace pawl::net {

/// For health and metrics.
struct HostBreakerState {
  std::string origin;  ///< `https://api.example.org:443`
  CircuitBreaker::Snapshot breaker;
};

class HostBreakers {
 public:
  using Time = CircuitBreaker::Time;
  static constexpr std::chrono::milliseconds kMinPatience{5'000};

  /// The right to make one request; keeps the breaker alive.
  class Permit {
   public:
    Permit() = default;

   private:
    friend class HostBreakers;
    std::shared_ptr<CircuitBreaker> breaker_;
    CircuitBreaker::Permit permit_;
  };

  HostBreakers(CircuitBreakerOptions options, std::size_t max_origins) : options_(options), max_origins_(max_origins) {}

  /// Error `net.circuit_open` (unavailable) while the place is kept away from.
  [[nodiscard]] Result<Permit> try_acquire(const std::string& origin, Time now);
  /// The request's end; a second report of the same permit does nothing.
  static void report(Permit& permit, CircuitBreaker::Outcome outcome, Time now);

  /// The states of all places that are not closed, and of the closed ones used last: at most `most`.
  [[nodiscard]] std::vector<HostBreakerState> snapshot(Time now, std::size_t most) const;

 private:
  struct Entry {
    std::shared_ptr<CircuitBreaker> breaker;
    Time used{};
  };
  void make_room(Time now);

  const CircuitBreakerOptions options_;
  const std::size_t max_origins_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace pawl::net
