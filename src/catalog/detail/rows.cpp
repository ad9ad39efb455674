#include "catalog/detail/rows.hpp"

#include <algorithm>

namespace pawl::catalog::detail {
namespace {

std::string_view format_text(Definition::Format format) { return format == Definition::Format::data ? "data" : "text"; }

/// Null where nobody stands behind it.
storage::Parameter by(const UserId& user) { return user.is_nil() ? storage::Parameter(nullptr) : storage::Parameter(user); }

Definition definition_of(const storage::Row& row, int column) {
  Definition definition;
  definition.text = std::string(row.text(column));
  definition.format = row.text(column + 1) == "data" ? Definition::Format::data : Definition::Format::text;
  definition.functions = std::string(row.text(column + 2));
  return definition;
}

}  // namespace

Workflow workflow_of(const storage::Row& row) {
  Workflow workflow;
  workflow.id = row.id<WorkflowId>(0);
  workflow.organization = row.id<OrganizationId>(1);
  workflow.name = std::string(row.text(2));
  workflow.description = std::string(row.text(3));
  workflow.active = row.boolean(4);
  workflow.version = static_cast<std::uint32_t>(row.integer(5));
  workflow.created_at = row.time(6);
  workflow.updated_at = row.time(7);
  workflow.created_by = row.id<UserId>(8);
  workflow.updated_by = row.id<UserId>(9);
  workflow.definition = definition_of(row, 10);
  return workflow;
}

namespace {

Version version_of(const storage::Row& row) {
  Version version;
  version.version = static_cast<std::uint32_t>(row.integer(0));
  version.change_summary = std::string(row.text(1));
  version.created_at = row.time(2);
  version.created_by = row.id<UserId>(3);
  version.definition = definition_of(row, 4);
  return version;
}

constexpr std::string_view kSelectOne =
    "select w.id, w.organization_id, w.name, w.description, w.is_active, w.current_version, w.created_at, w.updated_at, "
    "w.created_by, w.updated_by, v.definition, v.source_format, v.functions from workflows w join workflow_versions v on v.workflow_id = "
    "w.id and "
    "v.version = w.current_version "
    "where w.organization_id = $1 and w.id = $2 and w.deleted_at is null";

constexpr std::string_view kFindCurrent =
    "select w.id, v.version from workflow_versions v join workflows w on w.id = v.workflow_id and w.current_version = v.version "
    "where v.document_name = $1 and v.document_namespace = $2 and w.organization_id = $3 and w.deleted_at is null and w.is_active = 1 "
    "order by w.id desc limit 1";

constexpr std::string_view kFindVersion =
    "select w.id, v.version from workflow_versions v join workflows w on w.id = v.workflow_id "
    "where v.document_name = $1 and v.document_namespace = $2 and w.organization_id = $3 and v.document_version = $4 "
    "and w.deleted_at is null and w.is_active = 1 order by w.id desc, v.version desc limit 1";

/// Whether a run that is kept is pinned to version $2 of workflow $1: of those that are open, and of those that have ended.
constexpr std::string_view kPinnedByOpen =
    "select 1 from run_workflows w join open_runs r on r.workflow = w.ref where w.workflow_id = $1 and r.version = $2 limit 1";
constexpr std::string_view kPinnedByFinished =
    "select 1 from run_workflows w join runs r on r.workflow = w.ref where w.workflow_id = $1 and r.version = $2 limit 1";
constexpr std::uint32_t kRemovedAtOnce = 20;

}  // namespace

Result<std::optional<Workflow>> load_workflow(storage::Session& session, const OrganizationId& organization, const WorkflowId& id) {
  std::optional<Workflow> found;
  PAWL_TRY_VOID(session.query(kSelectOne, {organization, id}, [&](const storage::Row& row) { found = workflow_of(row); }));
  return found;
}

Result<std::optional<OrganizationId>> load_owner(storage::Session& session, const WorkflowId& id) {
  std::optional<OrganizationId> owner;
  PAWL_TRY_VOID(session.query("select organization_id from workflows where id = $1 and deleted_at is null", {id},
                              [&](const storage::Row& row) { owner = row.id<OrganizationId>(0); }));
  return owner;
}

Result<void> insert_workflow(storage::Transaction& transaction, const Workflow& workflow) {
  return transaction.queue(
      "insert into workflows (id, organization_id, name, description, is_active, current_version, created_at, updated_at, "
      "created_by, updated_by) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
      {workflow.id, workflow.organization, workflow.name, workflow.description, workflow.active ? 1 : 0, workflow.version,
       workflow.created_at, workflow.updated_at, by(workflow.created_by), by(workflow.updated_by)});
}

Result<void> update_workflow(storage::Transaction& transaction, const Workflow& workflow) {
  return transaction.queue(
      "update workflows set name = $3, description = $4, is_active = $5, current_version = $6, updated_at = $7, "
      "updated_by = $8 where organization_id = $1 and id = $2",
      {workflow.organization, workflow.id, workflow.name, workflow.description, workflow.active ? 1 : 0, workflow.version,
       workflow.updated_at, by(workflow.updated_by)});
}

Result<bool> mark_deleted(storage::Transaction& transaction, const OrganizationId& organization, const WorkflowId& id, TimePoint now) {
  PAWL_TRY(count, transaction.execute(
                      "update workflows set deleted_at = $3, is_active = 0 where organization_id = $1 and id = $2 and deleted_at is null",
                      {organization, id, now}));
  return count > 0;
}

Result<void> insert_version(storage::Transaction& transaction, const WorkflowId& workflow, const Version& version,
                            const DocumentNames& names) {
  return transaction.queue(
      "insert into workflow_versions (workflow_id, version, definition, source_format, change_summary, created_at, "
      "document_namespace, document_name, document_version, created_by, functions) "
      "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
      {workflow, version.version, version.definition.text, format_text(version.definition.format), version.change_summary,
       version.created_at, names.namespace_name, names.name, names.version, by(version.created_by), version.definition.functions});
}

Result<std::vector<Version>> load_versions(storage::Session& session, const WorkflowId& workflow, std::uint32_t limit,
                                           std::uint32_t before) {
  std::vector<Version> page;
  PAWL_TRY_VOID(
      session.query("select version, change_summary, created_at, created_by, definition, source_format, functions from workflow_versions "
                    "where workflow_id = $1 and version < $2 order by version desc limit $3",
                    {workflow, before, limit}, [&](const storage::Row& row) { page.push_back(version_of(row)); }));
  return page;
}

Result<std::optional<Version>> load_version(storage::Session& session, const WorkflowId& workflow, std::uint32_t number) {
  std::optional<Version> found;
  PAWL_TRY_VOID(
      session.query("select version, change_summary, created_at, created_by, definition, source_format, functions from workflow_versions "
                    "where workflow_id = $1 and version = $2",
                    {workflow, number}, [&](const storage::Row& row) { found = version_of(row); }));
  return found;
}

Result<std::vector<std::uint32_t>> surplus_versions(storage::Session& session, const WorkflowId& workflow, std::uint32_t keep,
                                                    TimePoint superseded_before) {
  struct Old {
    std::uint32_t version = 0;
    TimePoint created_at{};
  };
  std::vector<Old> all;  // newest first
  PAWL_TRY_VOID(session.query("select version, created_at from workflow_versions where workflow_id = $1 order by version desc limit 1000",
                              {workflow}, [&](const storage::Row& row) {
                                all.push_back({static_cast<std::uint32_t>(row.integer(0)), row.time(1)});
                              }));
  std::vector<std::uint32_t> old;
  for (std::size_t i = std::max<std::size_t>(keep, 1); i < all.size(); ++i) {
    if (all[i - 1].created_at <= superseded_before) old.push_back(all[i].version);
  }
  std::vector<std::uint32_t> surplus;
  for (auto version = old.rbegin(); version != old.rend() && surplus.size() < kRemovedAtOnce; ++version) {
    bool pinned = false;
    const auto mark = [&](const storage::Row&) { pinned = true; };
    PAWL_TRY_VOID(session.query(kPinnedByOpen, {workflow, *version}, mark));
    if (!pinned) PAWL_TRY_VOID(session.query(kPinnedByFinished, {workflow, *version}, mark));
    if (!pinned) surplus.push_back(*version);
  }
  return surplus;
}

Result<void> remove_version(storage::Transaction& transaction, const WorkflowId& workflow, std::uint32_t version) {
  bool pinned = false;
  PAWL_TRY_VOID(transaction.query(kPinnedByOpen, {workflow, version}, [&](const storage::Row&) { pinned = true; }));
  if (pinned) return {};
  PAWL_TRY_VOID(transaction.execute(
      "delete from workflow_versions where workflow_id = $1 and version = $2 and not exists (select 1 from workflows w where w.id = $1 "
      "and w.current_version = $2)",
      {workflow, version}));
  return {};
}

Result<std::optional<NamedVersion>> find_by_name(storage::Session& session, const OrganizationId& organization,
                                                 const DocumentNames& names) {
  std::optional<NamedVersion> found;
  const auto take = [&](const storage::Row& row) {
    found = NamedVersion{row.id<WorkflowId>(0), static_cast<std::uint32_t>(row.integer(1))};
  };
  if (names.version.empty() || names.version == "latest") {
    PAWL_TRY_VOID(session.query(kFindCurrent, {names.name, names.namespace_name, organization}, take));
  } else {
    PAWL_TRY_VOID(session.query(kFindVersion, {names.name, names.namespace_name, organization, names.version}, take));
  }
  return found;
}

}  // namespace pawl::catalog::detail
