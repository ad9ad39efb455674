// Rows of schedules and webhooks of a workflow.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "catalog/schedule_spec.hpp"
#include "catalog/workflow.hpp"
#include "crypto/crypto.hpp"
#include "storage/database.hpp"

namespace pawl::catalog::detail {

struct TriggerContext {
  Random& random;
  TimePoint now;
  const crypto::Key& token_key;
};

/// The digest under which a token is stored.
[[nodiscard]] std::string token_digest(std::string_view token);

/// Makes the rows fit the plan: unchanged schedules keep their times, a webhook keeps its token. `restart`: the workflow was inactive, so
/// times count from now.
[[nodiscard]] Result<void> store_triggers(storage::Transaction& transaction, const Workflow& workflow, const dsl::Plan& plan,
                                          const std::vector<ScheduleSpec>& specs, bool restart, const TriggerContext& context);
[[nodiscard]] Result<void> remove_triggers(storage::Transaction& transaction, const WorkflowId& workflow);
/// As the API shows them.
[[nodiscard]] Result<std::vector<Trigger>> load_triggers(storage::Session& session, const WorkflowId& workflow,
                                                         const crypto::Key& token_key);

}  // namespace pawl::catalog::detail
