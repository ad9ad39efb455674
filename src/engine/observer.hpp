/// Watching all runs of an engine at once: what live subscribers of an organization are told.
///
/// `Engine::subscribe` follows one run with all that is in it; an observer sees every run, briefly. Both see the same: a change as soon
/// as it happens, an end when it is durable. Replay after a restart is not shown.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/ids.hpp"
#include "engine/machine/machine.hpp"

namespace pawl::engine {

/// One change: of the run's phase, or of a task's record. Views and pointers are valid during the call.
struct RunNotice {
  RunId run;
  OrganizationId organization;
  WorkflowId workflow;
  std::string_view workflow_name;
  std::uint32_t version = 1;
  bool dry_run = false;
  std::uint64_t sequence = 0;  ///< counts from 1 within the run
  std::optional<Phase> phase{};
  const TaskRecord* record = nullptr;
  std::string task_reference{};
  std::string_view task_name{};
  std::string_view task_type{};
};

/// Somebody is asked, or need not decide any more. Durable.
struct ApprovalNotice {
  RunId run;
  OrganizationId organization;
  WorkflowId workflow;
  std::string_view workflow_name;
  Uuid approval;
  std::string_view status;  ///< `open`, `approved`, `rejected`, `expired`, `withdrawn`
};

/// Called on shard threads: must be quick, must not block, must not throw.
class RunObserver {
 public:
  RunObserver() = default;
  RunObserver(const RunObserver&) = delete;
  RunObserver& operator=(const RunObserver&) = delete;
  virtual ~RunObserver() = default;

  /// Does anybody want to know? Asked before anything is put together.
  [[nodiscard]] virtual bool wants(const OrganizationId& organization) const = 0;
  virtual void changed(const RunNotice& notice) = 0;
  virtual void asked(const ApprovalNotice& /*notice*/) {}
};

}  // namespace pawl::engine
