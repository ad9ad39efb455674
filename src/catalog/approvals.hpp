/// The inbox: what runs ask people, and how they are answered.
///
/// Rows are the engine's (`engine/approval.hpp`): written with the question's own commit, closed with the one that ends the wait. Here they
/// are listed and read, and decisions go to the run's shard, which has the last word: a question is decided once.
///
/// Who may decide is part of each query (`Decider`) and checked by the engine once more. Every call names the organization. `list` and
/// `get` block; `decide` blocks for its read and answers later, on any thread. Errors: `approval.not_found`, those of `Engine::decide`.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "engine/approval.hpp"
#include "json/value.hpp"

namespace pawl::engine {
class Engine;
}
namespace pawl::storage {
class Database;
}

namespace pawl::catalog {

struct ApprovalView {
  engine::ApprovalKey id;
  OrganizationId organization;
  RunId run;
  engine::ApprovalId number = 0;
  WorkflowId workflow;
  std::string workflow_name;
  std::uint32_t version = 1;
  std::string task;
  engine::ApprovalRequest request;
  std::string digest;
  std::string status;   ///< `open`, `approved`, `rejected`, `expired`, `withdrawn`
  std::string starter;  ///< as `engine::starter_of`
  TimePoint created_at{};
  std::optional<TimePoint> decided_at;
  std::string decided_by;  ///< user; empty: the deadline, the installation's key, or somebody who was erased
  std::string comment;
  json::Value data;  ///< that came with the decision
  bool can_decide = false;
};
struct ApprovalFilter {
  std::string status = "open";
  bool mine = false;  ///< only what whoever asks may decide
  std::optional<RunId> run{};
  std::uint32_t limit = 50;
  std::optional<engine::ApprovalKey> before{};  ///< cursor: newest first
};
struct ApprovalPage {
  std::vector<ApprovalView> approvals;
  std::optional<engine::ApprovalKey> next;
};

class Approvals {
 public:
  Approvals(storage::Database& database, engine::Engine& engine) : database_(database), engine_(engine) {}

  /// Whose it is, for the permission check.
  [[nodiscard]] Result<OrganizationId> owner(const engine::ApprovalKey& id);
  [[nodiscard]] Result<ApprovalPage> list(const OrganizationId& organization, const ApprovalFilter& filter, const engine::Decider& who);
  [[nodiscard]] Result<ApprovalView> get(const OrganizationId& organization, const engine::ApprovalKey& id, const engine::Decider& who);
  /// Whose word a user's is; nil: the installation's own key. Of mail addresses only a confirmed one counts.
  [[nodiscard]] Result<engine::Decider> decider(const UserId& user, std::string_view role);
  /// `decision.number` is filled in here. `done` gets the run, once it is durable.
  void decide(const OrganizationId& organization, const engine::ApprovalKey& id, engine::ApprovalDecision decision,
              std::function<void(Result<RunId>)> done);

 private:
  storage::Database& database_;
  engine::Engine& engine_;
};

}  // namespace pawl::catalog
