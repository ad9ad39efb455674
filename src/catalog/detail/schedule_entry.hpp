// A schedule as the scheduler keeps it in memory. On the scheduler's thread only.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "base/ids.hpp"
#include "catalog/detail/schedule_folder.hpp"
#include "catalog/detail/schedule_rows.hpp"
#include "catalog/schedule_state.hpp"
#include "dsl/plan.hpp"

namespace pawl::catalog::detail {

struct ScheduleEntry {
  ScheduleRow row;
  SchedulePolicy policy;
  dsl::PlanPtr plan;                       ///< of `on` schedules: holds the event strategy
  std::unique_ptr<ScheduleFolder> folder;  ///< of `files` schedules
  bool dirty = false;                      ///< its progress is to be stored
  std::vector<RunId> starting;             ///< handed to the engine, not yet durable
  std::vector<RunId> watched;              ///< from before a restart: nobody tells us of their end

  /// Whether the end of its runs matters.
  [[nodiscard]] bool tracks_runs() const { return policy.overlap != Overlap::allow || policy.after_completion; }
};
using ScheduleEntries = std::map<ScheduleId, ScheduleEntry>;

}  // namespace pawl::catalog::detail
