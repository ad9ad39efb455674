// SQL of workflows and versions. The organization is a parameter of every function that an outside identity reaches.
#pragma once

#include <optional>
#include <vector>

#include "base/error.hpp"
#include "catalog/catalog.hpp"
#include "catalog/workflow.hpp"
#include "storage/database.hpp"

namespace pawl::catalog::detail {

/// Names inside of a version's document, for `run: workflow`.
struct DocumentNames {
  std::string namespace_name;
  std::string name;
  std::string version;
};

/// Columns: id, organization, name, description, active, version, created and updated at, created and updated by, definition, its format,
/// its functions.
[[nodiscard]] Workflow workflow_of(const storage::Row& row);
[[nodiscard]] Result<std::optional<Workflow>> load_workflow(storage::Session& session, const OrganizationId& organization,
                                                            const WorkflowId& id);
/// Of a workflow that was not removed.
[[nodiscard]] Result<std::optional<OrganizationId>> load_owner(storage::Session& session, const WorkflowId& id);
/// One more than `filter.limit` where there are more. Without triggers.
[[nodiscard]] Result<std::vector<Workflow>> load_workflows(storage::Session& session, const OrganizationId& organization,
                                                           const WorkflowFilter& filter);
/// Fills `triggers` of such a page; one query per kind.
[[nodiscard]] Result<void> load_page_triggers(storage::Session& session, const OrganizationId& organization, const WorkflowFilter& filter,
                                              const crypto::KeyRing& seals, std::vector<Workflow>& page);
[[nodiscard]] Result<void> load_last_runs(storage::Session& session, const OrganizationId& organization, const WorkflowFilter& filter,
                                          std::vector<Workflow>& page);
[[nodiscard]] Result<void> insert_workflow(storage::Transaction& transaction, const Workflow& workflow);
[[nodiscard]] Result<void> update_workflow(storage::Transaction& transaction, const Workflow& workflow);
[[nodiscard]] Result<bool> mark_deleted(storage::Transaction& transaction, const OrganizationId& organization, const WorkflowId& id,
                                        TimePoint now);
[[nodiscard]] Result<void> insert_version(storage::Transaction& transaction, const WorkflowId& workflow, const Version& version,
                                          const DocumentNames& names);
[[nodiscard]] Result<std::vector<Version>> load_versions(storage::Session& session, const WorkflowId& workflow, std::uint32_t limit,
                                                         std::uint32_t before);
[[nodiscard]] Result<std::optional<Version>> load_version(storage::Session& session, const WorkflowId& workflow, std::uint32_t number);

/// Versions beyond the newest `keep` that no run is pinned to and that were not current any more at `superseded_before`; oldest first, a
/// few at a time.
[[nodiscard]] Result<std::vector<std::uint32_t>> surplus_versions(storage::Session& session, const WorkflowId& workflow, std::uint32_t keep,
                                                                  TimePoint superseded_before);
/// Unless it is current, or an open run needs it by now.
[[nodiscard]] Result<void> remove_version(storage::Transaction& transaction, const WorkflowId& workflow, std::uint32_t version);

struct NamedVersion {
  WorkflowId workflow;
  std::uint32_t version = 1;
};
/// The newest version of a document's name among current versions; with `version` among all versions.
[[nodiscard]] Result<std::optional<NamedVersion>> find_by_name(storage::Session& session, const OrganizationId& organization,
                                                               const DocumentNames& names);

}  // namespace pawl::catalog::detail
