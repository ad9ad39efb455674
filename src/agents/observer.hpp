/// The observer: gathers what is known of an organization's runs and says what is unusual about the latest ones (anomalies.hpp).
///
///     observer.look(organization, {.length = std::chrono::hours(24)}, [](Result<Observation> seen) { ... });
///
/// Runs of the stretch are compared with those of the eight stretches before it. Dry runs do not count. The newest `kMostRuns` runs are
/// looked at; errors and costs of the newest runs of each workflow are read from their journals, `kMostViews` altogether.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "agents/anomalies.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"

namespace pawl::engine {
class Engine;
}

namespace pawl::agents {

inline constexpr std::size_t kMostRuns = 10'000;
inline constexpr std::size_t kMostViews = 500;
inline constexpr int kPastStretches = 8;

struct Stretch {
  Millis length{};
  std::optional<WorkflowId> workflow{};  ///< only its runs
};

struct Observation {
  TimePoint since{};       ///< the stretch begins
  TimePoint until{};       ///< it ends, now
  TimePoint past_since{};  ///< what it is compared with begins
  std::uint64_t runs = 0;  ///< of the stretch, those that are open now included
  std::uint64_t past_runs = 0;
  std::uint64_t failed = 0;  ///< of the stretch
  bool complete = true;      ///< false: there were more runs than are looked at
  std::vector<Anomaly> anomalies;
};

class Observer {
 public:
  Observer(engine::Engine& engine, const Clock& clock) : engine_(engine), clock_(clock) {}
  using Done = std::function<void(Result<Observation>)>;
  /// Blocks for the lists: on a worker thread. `done` comes once, on any thread, perhaps inside of this call.
  void look(const OrganizationId& organization, const Stretch& stretch, Done done) const;

 private:
  engine::Engine& engine_;
  const Clock& clock_;
};

}  // namespace pawl::agents
