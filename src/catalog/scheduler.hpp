/// Starts runs by itself: cron, intervals, delays after completion, and events.
///
/// One thread owns all schedules. What is due is decided by the pure core (`schedule_state.hpp`); each firing is exactly one run: the run's
/// id is made durable together with the next due time *before* the run starts, so after a crash in between the scheduler asks the engine
/// for that id and starts it only where it is missing. Events are taken at most once per `source` and `id` (within the last
/// `kRememberedEvents` of a schedule).
///
/// Thread-safe. `owner`, `list`, `get` and `change` block: worker threads only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "catalog/schedule_state.hpp"
#include "json/value.hpp"

namespace pawl::engine {
class Engine;
}
namespace pawl::dsl {
struct Plan;
}
namespace pawl::storage {
class Database;
}

namespace pawl::catalog {

class Catalog;

inline constexpr std::size_t kRememberedEvents = 200;

/// A schedule as the API shows it.
struct ScheduleView {
  ScheduleId id;
  WorkflowId workflow;
  std::string workflow_name;
  std::string kind;     ///< `cron`, `every`, `after`, `on`
  json::Value details;  ///< object: cron, timezone, every ...
  bool enabled = true;
  std::optional<TimePoint> next_due;
  std::optional<TimePoint> last_fired;
  std::uint64_t skipped = 0;
};
struct ScheduleFilter {
  std::optional<WorkflowId> workflow;
  std::uint32_t limit = 50;
  std::optional<ScheduleId> before;  ///< cursor: newest first
};
struct SchedulePage {
  std::vector<ScheduleView> schedules;
  std::optional<ScheduleId> next;
};

class Scheduler {
 public:
  struct Dependencies {
    storage::Database& database;
    engine::Engine& engine;
    Catalog& catalog;
    Clock& clock;
    Random& random;
    std::function<json::Value(const OrganizationId&, const dsl::Plan&)> secrets;  ///< `$secrets` of a run; may be empty
    std::function<void(std::string)> report;  ///< sentences for the log: a schedule that cannot fire; called on the scheduler's thread
  };
  explicit Scheduler(Dependencies dependencies);
  ~Scheduler();

  /// Loads the schedules, settles what was in the middle of firing, begins. After the engine has started.
  [[nodiscard]] Result<void> start();
  /// Nothing fires any more. Before the engine stops.
  void stop();

  /// The workflow's schedules may have changed. Does not block.
  void changed(const WorkflowId& workflow);

  /// An event that may start workflows. `done` (may be empty) comes when every start that it causes is durable.
  void take_event(const OrganizationId& organization, json::Value event, std::function<void(Result<void>)> done);

  /// Whose schedule it is, as in `Catalog`: `cached_owner` never blocks, `owner` does. Error `schedule.not_found`.
  [[nodiscard]] std::optional<OrganizationId> cached_owner(const ScheduleId& id) const;
  [[nodiscard]] Result<OrganizationId> owner(const ScheduleId& id);

  [[nodiscard]] Result<SchedulePage> list(const OrganizationId& organization, const ScheduleFilter& filter);
  [[nodiscard]] Result<ScheduleView> get(const OrganizationId& organization, const ScheduleId& id);
  /// Pauses or resumes; resuming counts from now. Error `schedule.not_found`.
  [[nodiscard]] Result<ScheduleView> change(const OrganizationId& organization, const ScheduleId& id, bool enabled);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::catalog
