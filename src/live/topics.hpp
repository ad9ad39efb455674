/// The names that subscribers follow.
///
/// | topic            | its events                                        |
/// | ---              | ---                                               |
/// | `runs`           | every run of the organization: `run.status`       |
/// | `run:<id>`       | one run, with its tasks: `run.status`, `run.task` |
/// | `workflow:<id>`  | the runs of one workflow: `run.status`            |
/// | `approvals`      | the inbox: `approval.status`                      |
/// | `notifications`  | for the signed-in user: `notification.invitation` |
/// | `audit`          | `audit.recorded`; for managers only               |
#pragma once

#include <string>
#include <string_view>

#include "base/ids.hpp"

namespace pawl::live {

[[nodiscard]] std::string run_topic(const RunId& run);
[[nodiscard]] std::string workflow_topic(const WorkflowId& workflow);

/// Is it one of the table's? Ids in lower case.
[[nodiscard]] bool is_topic(std::string_view text);

}  // namespace pawl::live
