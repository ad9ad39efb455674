/// Questions that runs ask people (`call: approval`, `on_unknown: ask`, tools of agents): the inbox's rows, and who may decide.
///
/// The machine asks and is told (machine/approval.cpp); the shard writes the row in the transaction that makes the question or its end
/// durable, so the inbox and the runs never differ. `catalog/approvals.hpp` lists the rows and takes decisions; the shard has the last word
/// about each, so that a decision counts once whoever sends it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "engine/machine/event.hpp"
#include "json/value.hpp"

namespace pawl::storage {
class Transaction;
}

namespace pawl::engine {

struct RunIdentity;

/// The id of a question. It follows from the run and the question's number, so that replay gives it again.
using ApprovalKey = Id<struct ApprovalTag>;
[[nodiscard]] ApprovalKey approval_key(const RunId& run, ApprovalId number);

/// What a decision is bound to: a hash of the run, the place and everything that is asked. In hexadecimal.
[[nodiscard]] std::string approval_digest(const RunId& run, std::string_view task, ApprovalId number, const json::Value& request);

/// As it is hashed, stored and shown. `from_json` reads what `to_json` wrote.
[[nodiscard]] json::Value to_json(const ApprovalRequest& request);
[[nodiscard]] ApprovalRequest approval_request(const json::Value& request);

/// Whose word it is. `id`: of the user; `administrator` where the installation's own key asks.
struct Decider {
  std::string id;
  std::string email;  ///< in lower case; empty where it is not known or not confirmed
  std::string role;   ///< in the organization: `viewer`, `member`, `admin`, `owner`
};
inline constexpr std::string_view kAdministrator = "administrator";

/// 0 (viewer) to 3 (owner); nothing for what is no role.
[[nodiscard]] std::optional<int> rank_of(std::string_view role);
/// The least role that may decide, whoever has it; 4: nobody by role alone.
[[nodiscard]] int least_rank(const ApprovalRequest& request);
/// Who started a run, as `Decider::id`; empty: nobody (a schedule, an event). Of a fork, a replay and a retry: who asked for it.
[[nodiscard]] std::string starter_of(const json::Value& trigger);
/// All who had a part in its start: of a fork, a replay, a retry and a child also those who started what it comes from (`starters`).
[[nodiscard]] std::vector<std::string> starters_of(const json::Value& trigger);
/// For the trigger of a run that comes from another one or goes back to `origin`: who asks, and who started that.
void set_starters(json::Value& trigger, const json::Value& requester, const json::Value& origin);
/// For a run that goes on because somebody asks: what it does from now on that one does, with their right (`retried`).
void set_retrier(json::Value& trigger, const json::Value& requester);
/// Whether a run with this trigger may let destructive functions act: `may_destroy: false` says that the role of who started it does not
/// permit it. Not said: it may.
[[nodiscard]] bool may_destroy(const json::Value& trigger);
/// The run goes on as who asks for it may: after a fork, a replay, a retry, and in a child. Part of `set_starters`.
void set_right(json::Value& trigger, const json::Value& requester);
/// A run that nobody asks for (a schedule, an event): whether the author of its version may. It is kept that nobody asked.
void set_right_of_author(json::Value& trigger, bool may);
/// Whether nobody asked for it: its children may destroy only where the authors of their own versions may, too.
[[nodiscard]] bool is_unattended(const json::Value& trigger);
/// Viewers never may. Error `approval.forbidden`.
[[nodiscard]] Result<void> check_decider(const ApprovalRequest& request, std::string_view starter, const Decider& decider);
/// Against the form. Error `approval.invalid_data` (422) with findings below `/data`.
[[nodiscard]] Result<void> check_answer(const json::Value& form, const json::Value& data);

struct ApprovalDecision {
  ApprovalId number = 0;
  std::string digest;  ///< of what was shown to whoever decides
  bool approved = false;
  Decider by;
  std::string comment;
  json::Value data;
};

// ---- rows ---------------------------------------------------------------------------------------------------------------------

struct ApprovalAsked {
  ApprovalId number = 0;
  std::string task;  ///< reference
  std::string digest;
  std::string starter;
  TimePoint at{};
  ApprovalRequest request;  ///< without secrets
};
using ApprovalWrite = std::variant<ApprovalAsked, CloseApproval>;

[[nodiscard]] std::string_view to_text(CloseApproval::How how);
[[nodiscard]] Result<void> store_approval(storage::Transaction& transaction, const RunIdentity& run, const ApprovalWrite& write);
/// All open ones of a run that ended without its machine.
[[nodiscard]] Result<void> withdraw_approvals(storage::Transaction& transaction, const RunId& run, TimePoint at);

}  // namespace pawl::engine
