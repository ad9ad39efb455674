// Rows of schedules: what the scheduler loads at start and keeps durable.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "catalog/schedule_spec.hpp"
#include "catalog/schedule_state.hpp"
#include "catalog/scheduler.hpp"
#include "json/value.hpp"
#include "storage/database.hpp"

namespace pawl::catalog::detail {

/// A run that was decided on; durable before the run starts.
struct PendingStart {
  RunId run;
  TimePoint due{};
  json::Value input;
  json::Value cause{};  ///< object: what goes into the run's trigger besides; or null
};

/// What changes while a schedule lives.
struct ScheduleProgress {
  ScheduleState times;
  std::vector<PendingStart> pending;
  std::deque<std::string> seen;                   ///< digests of the last events taken
  json::Value collected = json::Value::object();  ///< `on.all`: correlation key -> filter's position -> event
  bool has_files = false;                         ///< `files`: the folder was listed once, and what it holds is in `watched_files`
  std::string problem;                            ///< why nothing can start at the moment
};

struct ScheduleRow {
  ScheduleId id;
  OrganizationId organization;
  WorkflowId workflow;
  ScheduleSpec spec;
  TimePoint created_at{};
  bool enabled = true;
  ScheduleProgress progress;
};

[[nodiscard]] json::Value to_json(const ScheduleProgress& progress);
/// Reads what `to_json` wrote; parts that are missing or malformed are as new.
[[nodiscard]] ScheduleProgress progress_from(const json::Value& state);

/// Of active workflows; of one workflow where given.
[[nodiscard]] Result<std::vector<ScheduleRow>> load_schedule_rows(storage::Session& session, std::optional<WorkflowId> workflow);
[[nodiscard]] Result<void> store_progress(storage::Transaction& transaction, const ScheduleId& id, const ScheduleProgress& progress);

[[nodiscard]] Result<std::vector<ScheduleView>> load_schedule_views(storage::Session& session, const OrganizationId& organization,
                                                                    const ScheduleFilter& filter);
[[nodiscard]] Result<std::optional<ScheduleView>> load_schedule_view(storage::Session& session, const OrganizationId& organization,
                                                                     const ScheduleId& id);
[[nodiscard]] Result<std::optional<OrganizationId>> load_schedule_owner(storage::Session& session, const ScheduleId& id);
/// Nothing where there is no such schedule; else its workflow.
[[nodiscard]] Result<std::optional<WorkflowId>> set_enabled(storage::Transaction& transaction, const OrganizationId& organization,
                                                            const ScheduleId& id, bool enabled, TimePoint now);

}  // namespace pawl::catalog::detail
