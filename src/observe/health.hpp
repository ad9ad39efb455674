/// Is the program ready for work? Checks with a time limit each, run at once and never waited for longer than that.
///
///     observe::Health health;
///     health.add({"database", true, Millis(2000), [&] { return ping(database); }});
///     health.start();
///     health.report([](observe::HealthReport report) { ... });    // report.ready decides between 200 and 503
///
/// A check runs on a thread of this object, so one that hangs holds nobody else up: while it hangs it counts as failed and is not
/// started again. What was found less than `kFreshness` ago is not asked for again, so a public route cannot be used to keep the
/// database busy.
///
/// Threads: `report` from any; its callback runs on a thread of this object and must not block.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace pawl::observe {

enum class HealthStatus : std::uint8_t { ok, warning, failed, not_configured };
[[nodiscard]] std::string_view to_text(HealthStatus status);

struct CheckResult {
  HealthStatus status = HealthStatus::ok;
  std::string detail{};  ///< for administrators
};

struct HealthCheck {
  std::string name;
  bool needed = true;  ///< failed: the program is not ready
  Millis timeout{2000};
  std::function<CheckResult()> run;  ///< may block
};

struct HealthReport {
  struct Item {
    std::string name;
    bool needed = true;
    CheckResult result;
    Millis latency{};
  };
  bool ready = true;     ///< no needed check has failed
  bool warning = false;  ///< one is not as it should be
  std::vector<Item> items;
};

inline constexpr Millis kFreshness{500};

class Health {
 public:
  Health();
  /// Waits for checks that run.
  ~Health();
  Health(const Health&) = delete;
  Health& operator=(const Health&) = delete;

  /// Before `start`.
  void add(HealthCheck check);
  /// Starts the threads.
  void start();
  void report(std::function<void(const HealthReport&)> done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::observe
