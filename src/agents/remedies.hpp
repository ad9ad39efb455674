/// Remedies as they are kept: what was proposed for a failed run, how that was decided, and what came of it.
///
/// | status | meaning |
/// | --- | --- |
/// | `proposed` | a person is asked (`healing_run` holds the question) |
/// | `rejected` | nobody approved; nothing was changed |
/// | `applying` | approved, under way; a crash here is gone on from |
/// | `applied` | done, once; `outcome` becomes `worked` or `failed` when `result_run` has ended |
/// | `failed` | approved, and could not be applied (`failure` says why): what it was made for had changed |
///
/// Every function names the organization and blocks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  UserId by;  ///< nil: the installation's own key
  std::string proposal_digest;
};

class Remedies {
 public:
  explicit Remedies(storage::Database& database) : database_(database) {}

  [[nodiscard]] Result<void> add(const Remedy& remedy);
  /// Error `remedy.not_found`.
  [[nodiscard]] Result<Remedy> get(const OrganizationId& organization, const RemedyId& id);
  [[nodiscard]] Result<OrganizationId> owner(const RemedyId& id);
  [[nodiscard]] Result<RemedyPage> list(const OrganizationId& organization, const RemedyFilter& filter);
  [[nodiscard]] Result<Experience> experience(const OrganizationId& organization, const WorkflowId& workflow, std::string_view error_kind);
  /// The approval of the healing run; nothing: there is none.
  [[nodiscard]] Result<std::optional<Consent>> consent(const OrganizationId& organization, const RunId& healing_run);

  /// False: it was not in the status `from` any more.
  [[nodiscard]] Result<bool> move(const OrganizationId& organization, const RemedyId& id, std::string_view from, std::string_view to);
  [[nodiscard]] Result<void> applied(const OrganizationId& organization, const RemedyId& id, std::optional<std::uint32_t> new_version,
                                     TimePoint at);
  [[nodiscard]] Result<void> failed(const OrganizationId& organization, const RemedyId& id, std::string_view failure);
  /// Of all remedies whose result the run is, and that wait for it.
  [[nodiscard]] Result<void> ended(const RunId& result_run, bool worked, TimePoint at);
  /// Applied ones of all organizations whose end is not known.
  [[nodiscard]] Result<std::vector<Remedy>> awaited();

 private:
  storage::Database& database_;
};

}  // namespace pawl::agents
