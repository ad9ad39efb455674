/// Tells the hub what happens in runs.
///
/// - `run.status`: `{run_id, workflow_id, workflow_name, version, status, dry_run, sequence}`, for the topics `runs`, `run:<id>`,
///   `workflow:<id>`. A final status comes when it is durable.
/// - `run.task`: `{run_id, workflow_id, sequence, task: {reference, iteration, name, type, status, attempt, started_at, ended_at}}`, for
///   `run:<id>`. Inputs, outputs and logs are not in it: they may be large, and `GET /api/runs/{run_id}` has them.
/// - `approval.status`: `{approval_id, run_id, workflow_id, workflow_name, status}` when a question or its end is durable, for the topics
///   `approvals` and `run:<id>`.
#pragma once

#include "engine/observer.hpp"
#include "live/hub.hpp"

namespace pawl::live {

class RunEvents final : public engine::RunObserver {
 public:
  explicit RunEvents(Hub& hub) : hub_(hub) {}
  [[nodiscard]] bool wants(const OrganizationId& organization) const override { return hub_.wants(organization); }
  void changed(const engine::RunNotice& notice) override;
  void asked(const engine::ApprovalNotice& notice) override;

 private:
  Hub& hub_;
};

}  // namespace pawl::live
