/// Workflows and their versions: kept, checked, compiled, and found again.
///
/// Definitions are checked completely before anything is stored; a version never changes, and a new one is made only when the definition
/// does. Every call names the organization; what belongs to another one does not exist. `cached`, `cached_owner` and `find_hook` never
/// block; all others read or write the database and belong on a worker thread. Thread-safe.
///
/// Of each workflow the newest `max_versions` versions are kept, and every other one that a run which is kept is pinned to.
///
/// Errors: `workflow.not_found`, `workflow.invalid` (422, all findings), `workflow.version_not_found`, `workflow.version_conflict` (409),
/// those of storage.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "catalog/version_diff.hpp"
#include "catalog/workflow.hpp"
#include "crypto/key_ring.hpp"
#include "dsl/compile.hpp"
#include "engine/engine.hpp"
#include "storage/sealed_columns.hpp"

namespace pawl::catalog {

class WatchedFolders;

struct NewWorkflow {
  std::optional<std::string> name{};  ///< default: the document's
  std::string description{};
  Definition definition{};
  bool active = true;
  std::string change_summary{};
  UserId author{};  ///< nil: nobody's
};
/// Which state of a workflow a change was made for.
struct WorkflowState {
  std::uint32_t version = 1;
  TimePoint updated_at{};
  friend bool operator==(const WorkflowState&, const WorkflowState&) = default;
};
struct Changes {
  std::optional<std::string> name{};
  std::optional<std::string> description{};
  std::optional<Definition> definition{};
  std::optional<bool> active{};
  std::string change_summary{};
  UserId author{};
  std::optional<std::uint32_t> expected_version{};  ///< `workflow.version_conflict` (409) where another one is current by now
  std::optional<WorkflowState> expected_state{};    ///< `workflow.changed` where anything of it was changed since
};

struct Rollback {
  std::uint32_t version = 1;     ///< whose definition comes back
  std::string change_summary{};  ///< default: "Rollback to version N"
  UserId author{};
  std::optional<std::uint32_t> expected_version{};
};

struct WorkflowFilter {
  enum class Sort : std::uint8_t { created, updated, name };  ///< newest first, last changed first, by name
  std::string text{};                                         ///< part of the name or the description, in any case
  std::optional<bool> active{};
  Sort sort = Sort::created;
  bool last_runs = false;  ///< fill `Workflow::last_run`
  std::uint32_t limit = 50;
  std::optional<WorkflowId> before{};  ///< cursor: the last one of the page before
};
struct WorkflowPage {
  std::vector<Workflow> workflows;
  std::optional<WorkflowId> next;
};
struct VersionPage {
  std::vector<Version> versions;
  std::optional<std::uint32_t> next;
};

/// Where a webhook's token leads.
struct Hook {
  OrganizationId organization;
  WorkflowId workflow;
};

inline constexpr storage::SealedColumn kSealedToken{
    .name = "webhooks.sealed_token",
    .key = storage::SealedColumn::Key::blob,
    .select =
        "select workflow_id, organization_id, sealed_token from webhooks where workflow_id > $1 and sealed_token is not null "
        "order by workflow_id limit $2",
    .update = "update webhooks set sealed_token = $1 where workflow_id = $2 and sealed_token = $3"};

class Catalog final : public engine::PlanSource {
 public:
  struct Dependencies {
    storage::Database& database;
    const dsl::FunctionCatalog& functions;
    Clock& clock;
    Random& random;
    const crypto::KeyRing& seals;       ///< for webhook tokens
    std::uint32_t max_versions = 0;     ///< kept of each workflow; 0: all. Those that kept runs are pinned to stay besides.
    WatchedFolders* folders = nullptr;  ///< what `metadata.files` may watch; null: nothing is watched, and nothing checked
  };
  explicit Catalog(const Dependencies& dependencies);
  ~Catalog() override;

  [[nodiscard]] WatchedFolders* folders() const;

  /// Loads the webhooks. Once, before the others.
  [[nodiscard]] Result<void> start();

  [[nodiscard]] Result<Workflow> create(const OrganizationId& organization, NewWorkflow workflow);
  [[nodiscard]] Result<Workflow> get(const OrganizationId& organization, const WorkflowId& id);
  [[nodiscard]] Result<WorkflowPage> list(const OrganizationId& organization, const WorkflowFilter& filter);
  [[nodiscard]] Result<Workflow> update(const OrganizationId& organization, const WorkflowId& id, Changes changes);
  /// The workflow leaves every list and starts nothing any more; its runs go on and stay readable.
  [[nodiscard]] Result<void> remove(const OrganizationId& organization, const WorkflowId& id);
  /// After the commit that deleted an organization (organization_part.hpp): nothing of it is in memory any more.
  [[nodiscard]] Result<void> forget(const OrganizationId& organization);
  /// Newest first, those older than `before`.
  [[nodiscard]] Result<VersionPage> versions(const OrganizationId& organization, const WorkflowId& id, std::uint32_t limit,
                                             std::optional<std::uint32_t> before);
  [[nodiscard]] Result<Version> version(const OrganizationId& organization, const WorkflowId& id, std::uint32_t number);

  /// What differs between two versions. `tasks` and `triggers` are left empty where one of them does not compile any more.
  [[nodiscard]] Result<VersionDiff> diff(const OrganizationId& organization, const WorkflowId& id, std::uint32_t from, std::uint32_t to);
  /// Makes a new version with the definition of an old one; triggers and schedules follow, as after any change. Where the definition is the
  /// current one nothing changes.
  [[nodiscard]] Result<Workflow> rollback(const OrganizationId& organization, const WorkflowId& id, Rollback request);
  /// Gives the webhook another address; the old one is unknown from then on. Error `workflow.no_webhook` (409).
  [[nodiscard]] Result<Workflow> rotate_webhook(const OrganizationId& organization, const WorkflowId& id, const UserId& author);

  /// Checks and compiles without storing.
  [[nodiscard]] Checked<dsl::PlanPtr> check(const Definition& definition) const;
  /// The same for a version that is stored: as it runs, with warnings of what could not be saved any more (dsl/compile_stored.hpp).
  [[nodiscard]] Checked<dsl::PlanPtr> check_stored(const Definition& definition) const;

  /// Whose workflow it is, for the permission check. `cached_owner` never blocks; nothing: not in memory, `owner` knows more. A removed
  /// workflow has no owner.
  [[nodiscard]] std::optional<OrganizationId> cached_owner(const WorkflowId& id) const;
  [[nodiscard]] Result<OrganizationId> owner(const WorkflowId& id);

  /// The current version where it is in memory, else null. Never blocks; safe on io threads.
  [[nodiscard]] ExecutablePtr cached(const OrganizationId& organization, const WorkflowId& id) const;
  /// The current version, or the one named.
  [[nodiscard]] Result<ExecutablePtr> executable(const OrganizationId& organization, const WorkflowId& id,
                                                 std::optional<std::uint32_t> version = {});

  /// The trigger of a run that nobody starts (a schedule, an event, a file, a webhook): it may destroy where the author of the version may.
  /// Who is on record no more, or cannot be looked up, may not. Blocks where the executable is guarded.
  [[nodiscard]] json::Value with_right(const Executable& executable, json::Value trigger) const;

  /// For `pawl run`: keeps the document so that recovery finds it, without listing it anywhere; nothing starts it by itself. The same
  /// document is kept once. `plan` is what `check` gave for it.
  [[nodiscard]] Result<ExecutablePtr> keep_unlisted(const OrganizationId& organization, const Definition& definition, dsl::PlanPtr plan);

  /// Never blocks.
  [[nodiscard]] std::optional<Hook> find_hook(std::string_view token) const;

  /// Grows whenever a workflow that was known changes, here in this process. Never blocks.
  [[nodiscard]] std::uint64_t changes() const;

  /// Called on the changing thread after a workflow's schedules may have changed.
  void on_change(std::function<void(const WorkflowId&)> listener);

  // engine::PlanSource
  [[nodiscard]] Result<dsl::PlanPtr> plan(const WorkflowId& workflow, std::uint32_t version) override;
  /// Blocks for a name (or a plan) that is not in memory since the last change of any workflow; never otherwise.
  [[nodiscard]] Result<Resolved> find(const OrganizationId& organization, std::string_view namespace_name, std::string_view name,
                                      std::string_view version) override;
  /// As the trigger of `with_right`: what cannot be looked up may not. Blocks.
  [[nodiscard]] bool author_may_destroy(const OrganizationId& organization, const WorkflowId& workflow, std::uint32_t version) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::catalog
