/// Remedies as they are kept: what was proposed for a failed run, how that was decided, and what came of it.
///
/// | status | meaning |
/// | --- | --- |
/// | `drafting` | a model is asked: the run is reserved, and nobody sees it yet; void when the process ends |
/// | `proposed` | a person is asked (`healing_run` holds the question) |
/// | `rejected` | nobody approved; nothing was changed |
/// | `applying` | approved, under way; a crash here is gone on from |
/// | `applied` | done, once; `outcome` becomes `worked` or `failed` when `result_run` has ended |
/// | `failed` | could not be applied (`failure` says why): what it was made for had changed, or the run that asked ended before |
///
/// A run has at most one remedy that is `drafting`, `proposed` or `applying` (an index of the database sees to it). What is proposed and
/// what is applied is in the audit trail by the same transaction.
///
/// Every function names the organization and blocks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "json/value.hpp"
#include "storage/database.hpp"

namespace pawl::agents {

using RemedyId = Id<struct RemedyTag>;

struct Remedy {
  RemedyId id;
  OrganizationId organization;
  WorkflowId workflow;
  std::string workflow_name;
  RunId run;  ///< that failed
  std::uint32_t version = 1;
  std::string error_kind;
  std::string kind;    ///< `retry`, `rerun`, `new_version`
  std::string source;  ///< `model`, or `learned`: it worked for this kind of error before
  json::Value proposal;
  std::string status = "proposed";
  RunId healing_run;
  RunId result_run;  ///< the same run for `retry`, else the one that is started
  std::optional<std::uint32_t> new_version{};
  std::string failure{};
  std::string outcome{};  ///< `worked`, `failed`; empty: not known yet
  TimePoint created_at{};
  std::optional<TimePoint> applied_at{};
  std::optional<TimePoint> ended_at{};
  std::optional<Uuid> approval{};  ///< the question, where it was asked
};
struct RemedyFilter {
  std::optional<RunId> run{};
  std::optional<WorkflowId> workflow{};
  std::string status{};  ///< empty: all
  std::uint32_t limit = 50;
  std::optional<RemedyId> before{};  ///< cursor: newest first
};
struct RemedyPage {
  std::vector<Remedy> remedies;
  std::optional<RemedyId> next;
};
/// What happened with one kind of error of a workflow before.
struct Experience {
  std::uint64_t worked = 0;
  std::uint64_t failed = 0;
  std::vector<Remedy> best;  ///< that worked, the newest first; a few
};
/// That somebody approved this very proposal.
struct Consent {
  UserId by;               ///< nil: the installation's own key, or somebody who was erased
  bool is_erased = false;  ///< the latter: nothing is done for it any more
  std::string proposal_digest;
};
/// Who answers for what is done with it.
[[nodiscard]] audit::Actor actor_of(const Consent& consent);

class Remedies {
 public:
  /// `audit` may be null: nothing is recorded.
  Remedies(storage::Database& database, audit::Log* audit) : database_(database), audit_(audit) {}

  /// Makes the row, as `drafting`. Answers the remedy that has the run already, if any: then nothing is made. Error `remedy.applied`
  /// (409): one was applied, and has not failed.
  [[nodiscard]] Result<std::optional<Remedy>> reserve(const Remedy& remedy);
  /// A draft comes to nothing.
  [[nodiscard]] Result<void> release(const RemedyId& id);
  /// All drafts of an earlier process.
  [[nodiscard]] Result<void> release_all();
  /// The draft becomes what a person is asked about. False: it is no draft any more.
  [[nodiscard]] Result<bool> propose(const Remedy& remedy, const audit::Actor& by);
  /// Error `remedy.not_found`.
  [[nodiscard]] Result<Remedy> get(const OrganizationId& organization, const RemedyId& id);
  [[nodiscard]] Result<OrganizationId> owner(const RemedyId& id);
  [[nodiscard]] Result<RemedyPage> list(const OrganizationId& organization, const RemedyFilter& filter);
  [[nodiscard]] Result<Experience> experience(const OrganizationId& organization, const WorkflowId& workflow, std::string_view error_kind);
  /// Whether the run asks about a remedy.
  [[nodiscard]] Result<bool> is_asked_by(const OrganizationId& organization, const RunId& healing_run);
  /// Active members with one of the roles, or one above, besides `user` (nil: nobody is left out).
  [[nodiscard]] Result<std::uint64_t> others_with(const OrganizationId& organization, const std::vector<std::string>& roles,
                                                  const UserId& user);
  /// Whether the user is an active member whose role may change workflows.
  [[nodiscard]] Result<bool> may_write(const OrganizationId& organization, const UserId& user);
  /// The approval of the healing run; nothing: there is none.
  [[nodiscard]] Result<std::optional<Consent>> consent(const OrganizationId& organization, const RunId& healing_run);

  /// False: it was not in the status `from` any more.
  [[nodiscard]] Result<bool> move(const OrganizationId& organization, const RemedyId& id, std::string_view from, std::string_view to);
  /// Once approved: `proposed` becomes `applying`. False: it was not `proposed` any more, or another remedy of the run was applied
  /// meanwhile.
  [[nodiscard]] Result<bool> begin_applying(const Remedy& remedy);
  [[nodiscard]] Result<void> applied(const Remedy& remedy, std::optional<std::uint32_t> new_version, const audit::Actor& by, TimePoint at);
  /// `new_version`: that was made all the same.
  [[nodiscard]] Result<void> failed(const Remedy& remedy, std::string_view failure, std::optional<std::uint32_t> new_version = {},
                                    const audit::Actor& by = {});
  /// Of all remedies whose result the run is, and that wait for it.
  [[nodiscard]] Result<void> ended(const RunId& result_run, bool worked, TimePoint at);
  /// Applied ones of all organizations whose end is not known.
  [[nodiscard]] Result<std::vector<Remedy>> awaited();
  /// Proposed ones and those that are under way, of all organizations.
  [[nodiscard]] Result<std::vector<Remedy>> unsettled();

 private:
  [[nodiscard]] Result<void> record_version(storage::Transaction& transaction, const Remedy& remedy, std::uint32_t version,
                                            const audit::Actor& by);
  void committed();

  storage::Database& database_;
  audit::Log* audit_;
};

}  // namespace pawl::agents
