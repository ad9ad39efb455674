/// Keeps callers away from something that fails anyway, so that they get an answer at once instead of waiting for one more timeout.
///
///     const auto permit = breaker.try_acquire(now);
///     if (!permit) return open_error;                      // fail fast
///     ... call ...
///     breaker.report(*permit, worked ? Outcome::success : Outcome::failure, now);
///
/// | state       | calls                | leaves it                                                                           |
/// | ---         | ---                  | ---                                                                                 |
/// | `closed`    | all                  | `failures_to_open` failures in a row open it; a success in between starts anew      |
/// | `open`      | none                 | `open_for` after it opened, the next call finds it half-open                        |
/// | `half_open` | one at a time: the probe | its success closes, its failure opens for `open_for` again                      |
///
/// What counts as a failure is the caller's decision; an outcome that says nothing about the other side (the call was cancelled here, the
/// other side refused the request) is `ignored`. Calls that began in an earlier state do not change a later one. A probe whose outcome
/// never arrives gives its place to another after `open_for`.
///
/// Thread-safe. Reads no clock: time is passed in and need not be the same on every thread, only steady.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>

namespace pawl {

struct CircuitBreakerOptions {
  std::uint32_t failures_to_open = 5;
  std::chrono::milliseconds open_for{60'000};
};

class CircuitBreaker {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class State : std::uint8_t { closed, open, half_open };
  enum class Outcome : std::uint8_t { success, failure, ignored };

  /// The right to make one call; give it back with `report`.
  class Permit {
   public:
    Permit() = default;

   private:
    friend class CircuitBreaker;
    explicit Permit(std::uint64_t epoch) : epoch_(epoch) {}
    std::uint64_t epoch_ = 0;
  };

  /// For health and metrics. The counts are of the breaker's whole life.
  struct Snapshot {
    State state = State::closed;
    std::uint32_t failures_in_a_row = 0;      ///< in `closed`
    std::chrono::milliseconds retry_after{};  ///< how long `open` refuses calls from now on
    std::uint64_t successes = 0;
    std::uint64_t failures = 0;
    std::uint64_t refused = 0;  ///< calls that got no permit
    std::uint64_t opened = 0;   ///< how often it went from `closed` or `half_open` to `open`
  };

  explicit CircuitBreaker(CircuitBreakerOptions options = {});

  /// Nothing while calls are kept away.
  [[nodiscard]] std::optional<Permit> try_acquire(Time now);
  /// The call's end; every permit is reported at most once.
  void report(Permit permit, Outcome outcome, Time now);
  /// The other side is known to work, from elsewhere than a permitted call: closes at once.
  void close();
  /// What a call at `now` would find.
  [[nodiscard]] Snapshot snapshot(Time now) const;

 private:
  void open(Time now);

  const CircuitBreakerOptions options_;
  mutable std::mutex mutex_;
  State state_ = State::closed;
  std::uint64_t epoch_ = 1;  ///< changes with every state and every probe: an outcome of an older one is only counted
  Time until_{};             ///< `open`: no calls before; `half_open`: the probe's patience
  bool probing_ = false;     ///< `half_open`: the probe is under way
  std::uint32_t failures_in_a_row_ = 0;
  std::uint64_t successes_ = 0;
  std::uint64_t failures_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t opened_ = 0;
};

/// `closed`, `open` or `half_open`.
[[nodiscard]] std::string_view to_text(CircuitBreaker::State state);

}  // namespace pawl
