// Rows of schedules and webhooks of a workflow.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "catalog/schedule_spec.hpp"
#include "catalog/workflow.hpp"
#include "crypto/key_ring.hpp"
#include "storage/database.hpp"

namespace pawl::catalog::detail {

struct TriggerContext {
  Random& random;
  TimePoint now;
  const crypto::KeyRing& seals;
};

/// The digest under which a token is stored.
[[nodiscard]] std::string token_digest(std::string_view token);

/// Whether anything but a person starts it: without, a new workflow has no rows.
[[nodiscard]] bool has_triggers(const dsl::Plan& plan, const std::vector<ScheduleSpec>& specs);
/// Makes the rows fit the plan: unchanged schedules keep their times, a webhook keeps its token. `restart`: the workflow was inactive, so
/// times count from now.
[[nodiscard]] Result<void> store_triggers(storage::Transaction& transaction, const Workflow& workflow, const dsl::Plan& plan,
                                          const std::vector<ScheduleSpec>& specs, bool restart, const TriggerContext& context);
/// Whether the workflow, whose triggers are stored, is in a circle of workflows that start after each other. Error
/// `workflow.trigger_cycle`.
[[nodiscard]] Result<void> refuse_cycle(storage::Transaction& transaction, const Workflow& workflow, const dsl::Plan& plan);
[[nodiscard]] Result<void> remove_triggers(storage::Transaction& transaction, const WorkflowId& workflow);
/// Gives the webhook another token; false where the workflow has none.
[[nodiscard]] Result<bool> rotate_token(storage::Transaction& transaction, const Workflow& workflow, const TriggerContext& context);
/// As the API shows them. Columns of a schedule from `first` on: id, kind, spec, next_due, last_fired, enabled.
[[nodiscard]] Trigger schedule_trigger(const storage::Row& row, int first);
[[nodiscard]] Trigger webhook_trigger(std::string_view sealed_token, const Workflow& workflow, const crypto::KeyRing& seals);
[[nodiscard]] Result<std::vector<Trigger>> load_triggers(storage::Session& session, const Workflow& workflow, const crypto::KeyRing& seals);

}  // namespace pawl::catalog::detail
