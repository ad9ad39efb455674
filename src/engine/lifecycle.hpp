/// Lifecycle events: CloudEvents that say how runs come along, for runs that `listen` and workflows that start `on` them.
///
/// Types: `io.serverlessworkflow.workflow.{started,suspended,resumed,completed,faulted,cancelled}.v1`. Attributes `workflownamespace` and
/// `workflowname` name the workflow, `subject` is the run's id, `pawlchain` counts the ends of other workflows that led to the run. `data`
/// has `name` (of the instance), `definition`, `run_id`, the time, and of an end `outputUri` with the `output` where it is small, or the
/// `error`.
///
/// They cost nothing where nobody follows: only organizations of which somebody has asked for them (`LifecycleInterest`) get any. An event
/// is told when what it tells is durable. Ends are kept in `lifecycle_events`, written with the end itself, until they are delivered: a
/// crash in between delivers again, under the same id. The others may be lost in a crash. Dry runs tell nothing.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "engine/machine/machine.hpp"
#include "engine/records.hpp"
#include "json/value.hpp"

namespace pawl::engine {

inline constexpr std::string_view kLifecyclePrefix = "io.serverlessworkflow.";
/// Ends of workflows that may lead to each other; what would start the next run beyond this starts nothing.
inline constexpr std::int64_t kMaxChain = 16;

/// Organizations whose lifecycle events somebody wants to hear. Only grows: who has once asked goes on to be told until the process ends.
/// Thread-safe.
class LifecycleInterest {
 public:
  void follow(const OrganizationId& organization) {
    const std::lock_guard lock(mutex_);
    organizations_.insert(organization);
    any_ = true;
  }
  [[nodiscard]] bool wants(const OrganizationId& organization) const {
    if (!any_) return false;
    const std::lock_guard lock(mutex_);
    return organizations_.contains(organization);
  }

 private:
  std::atomic<bool> any_{false};
  mutable std::mutex mutex_;
  std::unordered_set<OrganizationId> organizations_;
};

/// `what`: `started`, `completed` ... ; `machine` is that of the run.
[[nodiscard]] json::Value lifecycle_event(const RunIdentity& identity, const json::Value& trigger, const Machine& machine,
                                          std::string_view what, TimePoint at);

}  // namespace pawl::engine
