/// Schedules as they are stored: what a document asks for, turned into data, and from data into a policy that can be run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "catalog/schedule_state.hpp"
#include "dsl/plan.hpp"
#include "json/value.hpp"

namespace pawl::catalog {

/// One way in which a document is started by itself. `kind`: `cron`, `every`, `after`, `on`, `files`.
struct ScheduleSpec {
  std::string kind;
  json::Value details;  ///< {cron, timezone} | {every} | {after} (milliseconds) | {} | {folder, glob ...}; with `misfire` and `overlap`
};

/// All ways of a plan; none where it has no `schedule`. Error `workflow.schedule`: an interval that is not a constant, or shorter than 100
/// ms; an unknown time zone.
[[nodiscard]] Result<std::vector<ScheduleSpec>> specs_of(const dsl::Plan& plan);

/// `anchor`: when the schedule was made; intervals count from it. For `on` and `files` the policy has no times.
[[nodiscard]] Result<SchedulePolicy> policy_of(const ScheduleSpec& spec, TimePoint anchor);

}  // namespace pawl::catalog
