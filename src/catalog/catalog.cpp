#include "catalog/catalog.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "catalog/bounded_cache.hpp"
#include "catalog/destroy_right.hpp"
#include "catalog/detail/definitions.hpp"
#include "catalog/detail/hook_table.hpp"
#include "catalog/detail/rows.hpp"
#include "catalog/detail/triggers.hpp"
#include "catalog/watched_folders.hpp"
#include "catalog/webhook.hpp"
#include "engine/approval.hpp"
#include "notify/notice.hpp"
#include "storage/database.hpp"

namespace pawl::catalog {
namespace {

constexpr std::size_t kCachedPlans = 2000;
constexpr std::size_t kCachedOwners = 4000;
constexpr std::size_t kCachedNames = 4000;
/// From taking a plan to the durable start of its run.
constexpr Millis kStartPatience{60'000};
constexpr std::string_view kTaskListNamespace = "default";

Error not_found(const WorkflowId& id) {
  return {ErrorClass::not_found, "workflow.not_found", fmt::format("There is no workflow {}.", id.to_string())};
}

constexpr std::string_view kVersionConflict = "workflow.version_conflict";
Error version_conflict(const Workflow& workflow) {
  return {ErrorClass::conflict, std::string(kVersionConflict),
          fmt::format("Version {} is current: somebody has changed the workflow in the meantime.", workflow.version)};
}

Error changed_since(const Workflow& workflow, const WorkflowState& expected) {
  return {ErrorClass::conflict, "workflow.changed",
          fmt::format("The workflow is at version {}, changed {}; the request is about version {}, changed {}.", workflow.version,
                      to_rfc3339(workflow.updated_at), expected.version, to_rfc3339(expected.updated_at))};
}

struct VersionKey {
  WorkflowId workflow;
  std::uint32_t version = 0;
  friend bool operator==(const VersionKey&, const VersionKey&) = default;
};
struct VersionKeyHash {
  std::size_t operator()(const VersionKey& key) const noexcept {
    return std::hash<WorkflowId>{}(key.workflow) ^ (key.version * 0x9E3779B97F4A7C15ULL);
  }
};

/// For `Impl::resolved`. Names that are found hold no line break, so one that is asked for with one has a key of its own.
std::string key_of(const OrganizationId& organization, const detail::DocumentNames& names) {
  return fmt::format("{}\n{}\n{}\n{}", organization.to_string(), names.namespace_name, names.name, names.version);
}

detail::DocumentNames names_of(const dsl::Plan& plan) { return {plan.namespace_name, plan.name, plan.version}; }

/// Nothing is made where the organization has gone since the caller was let in; and it stays until the transaction ends.
Result<void> hold_organization(storage::Transaction& transaction, const OrganizationId& organization) {
  PAWL_TRY(living,
           transaction.execute("update organizations set updated_at = updated_at where id = $1 and deleted_at is null", {organization}));
  if (living == 1) return {};
  return Error(ErrorClass::not_found, "organization.not_found", "There is no organization of this id.");
}

}  // namespace

struct Catalog::Impl {
  explicit Impl(const Dependencies& parts) : d(parts) {}

  Dependencies d;
  BoundedCache<WorkflowId, ExecutablePtr> current{kCachedPlans};
  BoundedCache<VersionKey, dsl::PlanPtr, VersionKeyHash> plans{kCachedPlans};
  BoundedCache<WorkflowId, std::optional<OrganizationId>> owners{kCachedOwners};
  BoundedCache<VersionKey, std::optional<TimePoint>, VersionKeyHash> named{kCachedPlans};  // when somebody asked for a version by number
  // What names stand for: shards ask for every run that calls another, and must not wait for a connection each time. A workflow that is
  // made or changed may take any name over, so each change forgets all of them.
  BoundedCache<std::string, std::optional<detail::NamedVersion>> resolved{kCachedNames};
  detail::HookTable hooks;
  std::function<void(const WorkflowId&)> listener;

  [[nodiscard]] Result<void> check_folder(const dsl::Plan& plan) const;
  [[nodiscard]] Result<Workflow> with_triggers(storage::Session& session, Workflow workflow) const;
  [[nodiscard]] Result<Workflow> try_update(Catalog& catalog, const OrganizationId& organization, const WorkflowId& id, Changes changes);
  void prune(const WorkflowId& workflow);
  [[nodiscard]] Result<dsl::PlanPtr> load_plan(const WorkflowId& workflow, std::uint32_t version);
  /// After a change: forgets what is stale, reads its hook again, tells the scheduler.
  [[nodiscard]] Result<void> changed(const WorkflowId& workflow);
};

/// `metadata.files` watches what file functions may see, and nothing else.
Result<void> Catalog::Impl::check_folder(const dsl::Plan& plan) const {
  if (d.folders == nullptr) return {};
  PAWL_TRY(watch, file_watch_of(plan));
  if (!watch) return {};
  const auto allowed = d.folders->check(watch->folder);
  if (allowed.has_value()) return {};
  return file_watch_error(plan, "", "The folder cannot be watched: " + allowed.error().message + " (PAWL_FILE_ROOTS).");
}

Result<Workflow> Catalog::Impl::with_triggers(storage::Session& session, Workflow workflow) const {
  PAWL_TRY(triggers, detail::load_triggers(session, workflow, d.seals));
  workflow.triggers = std::move(triggers);
  return workflow;
}

Result<void> Catalog::Impl::changed(const WorkflowId& workflow) {
  current.erase(workflow);
  resolved.clear();
  PAWL_TRY_VOID(hooks.load(d.database, workflow));
  if (listener) listener(workflow);
  return {};
}

Result<dsl::PlanPtr> Catalog::Impl::load_plan(const WorkflowId& workflow, std::uint32_t version) {
  const VersionKey key{workflow, version};
  if (auto plan = plans.get(key)) return plan;
  const auto generation = plans.generation();
  auto stored = d.database.read([&](storage::Session& session) { return detail::load_version(session, workflow, version); });
  if (stored.has_error()) return stored.error();
  if (!*stored) {
    return Error(ErrorClass::not_found, "workflow.version_not_found",
                 fmt::format("There is no version {} of workflow {}.", version, workflow.to_string()));
  }
  PAWL_TRY(plan, detail::compile_or_refuse((*stored)->definition, d.functions, dsl::Source::stored));
  plans.put(key, plan, generation);
  return plan;
}

Catalog::Catalog(const Dependencies& dependencies) : impl_(std::make_unique<Impl>(dependencies)) {}
Catalog::~Catalog() = default;

WatchedFolders* Catalog::folders() const { return impl_->d.folders; }

Result<void> Catalog::start() { return impl_->hooks.load(impl_->d.database); }

std::uint64_t Catalog::changes() const { return impl_->current.generation(); }

void Catalog::on_change(std::function<void(const WorkflowId&)> listener) { impl_->listener = std::move(listener); }

Checked<dsl::PlanPtr> Catalog::check(const Definition& definition) const {
  auto checked = detail::compile_definition(definition, impl_->d.functions);
  if (!checked.value) return checked;
  if (const auto allowed = impl_->check_folder(**checked.value); allowed.has_error()) {
    checked.findings.push_back(allowed.error().findings.front());
  }
  return checked;
}

Checked<dsl::PlanPtr> Catalog::check_stored(const Definition& definition) const {
  return detail::compile_definition(definition, impl_->d.functions, dsl::Source::stored);
}

Result<Workflow> Catalog::create(const OrganizationId& organization, NewWorkflow request) {
  auto& d = impl_->d;
  PAWL_TRY(plan, detail::compile_or_refuse(request.definition, d.functions));
  PAWL_TRY(specs, specs_of(*plan));
  PAWL_TRY_VOID(webhook_of(*plan));
  PAWL_TRY_VOID(impl_->check_folder(*plan));
  Workflow workflow;
  workflow.created_at = workflow.updated_at = d.clock.now();
  workflow.id = WorkflowId::make(workflow.created_at, d.random);
  workflow.organization = organization;
  workflow.name = request.name.value_or(plan->name);
  workflow.description = std::move(request.description);
  workflow.active = request.active;
  workflow.created_by = workflow.updated_by = request.author;
  workflow.definition = std::move(request.definition);
  workflow.definition.functions = detail::pinned_text(*plan);
  Version version;
  version.definition = workflow.definition;
  version.change_summary = std::move(request.change_summary);
  version.created_by = request.author;
  version.created_at = workflow.created_at;
  const detail::TriggerContext context{d.random, workflow.created_at, d.seals};
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(hold_organization(transaction, organization));
    PAWL_TRY_VOID(detail::insert_workflow(transaction, workflow));
    PAWL_TRY_VOID(detail::insert_version(transaction, workflow.id, version, names_of(*plan)));
    if (!detail::has_triggers(*plan, specs)) return {};  // of a new one there is nothing to be taken away
    PAWL_TRY_VOID(detail::store_triggers(transaction, workflow, *plan, specs, false, context));
    PAWL_TRY_VOID(detail::refuse_cycle(transaction, workflow, *plan));
    PAWL_TRY(complete, impl_->with_triggers(transaction, workflow));
    workflow = std::move(complete);
    return {};
  };
  PAWL_TRY_VOID(d.database.write_and_wait(work));
  PAWL_TRY_VOID(impl_->changed(workflow.id));
  return workflow;
}

Result<Workflow> Catalog::get(const OrganizationId& organization, const WorkflowId& id) {
  return impl_->d.database.read([&](storage::Session& session) -> Result<Workflow> {
    PAWL_TRY(found, detail::load_workflow(session, organization, id));
    if (!found) return not_found(id);
    return impl_->with_triggers(session, std::move(*found));
  });
}

Result<WorkflowPage> Catalog::list(const OrganizationId& organization, const WorkflowFilter& filter) {
  return impl_->d.database.read([&](storage::Session& session) -> Result<WorkflowPage> {
    WorkflowPage page;
    PAWL_TRY(rows, detail::load_workflows(session, organization, filter));
    page.workflows = std::move(rows);
    PAWL_TRY_VOID(detail::load_page_triggers(session, organization, filter, impl_->d.seals, page.workflows));
    if (filter.last_runs) PAWL_TRY_VOID(detail::load_last_runs(session, organization, filter, page.workflows));
    if (page.workflows.size() > filter.limit) {
      page.workflows.pop_back();
      page.next = page.workflows.back().id;
    }
    return page;
  });
}

Result<Workflow> Catalog::update(const OrganizationId& organization, const WorkflowId& id, Changes changes) {
  // A change that keeps the definition needs the plan of the version that is current when it is written: somebody may be faster.
  constexpr int kTries = 5;
  auto updated = impl_->try_update(*this, organization, id, changes);
  for (int n = 1; n < kTries && !changes.expected_version && updated.has_error() && updated.error().code == kVersionConflict; ++n) {
    updated = impl_->try_update(*this, organization, id, changes);
  }
  return updated;
}

namespace {

notify::Notice switched_off(const Workflow& workflow) {
  notify::Notice notice;
  notice.organization = workflow.organization;
  notice.kind = "workflow.disabled";
  notice.subject = workflow.id.to_string();
  notice.title = "The workflow " + workflow.name + " was switched off";
  notice.data = json::Value::object({{"workflow_id", workflow.id.to_string()}, {"workflow_name", workflow.name}});
  notice.at = workflow.updated_at;
  return notice;
}

}  // namespace

Result<Workflow> Catalog::Impl::try_update(Catalog& catalog, const OrganizationId& organization, const WorkflowId& id, Changes changes) {
  dsl::PlanPtr plan;
  std::optional<std::uint32_t> planned;  // the version whose plan that is
  if (changes.definition) {
    PAWL_TRY(compiled, detail::compile_or_refuse(*changes.definition, d.functions));
    PAWL_TRY_VOID(webhook_of(*compiled));
    changes.definition->functions = detail::pinned_text(*compiled);
    PAWL_TRY_VOID(check_folder(*compiled));
    plan = std::move(compiled);
  } else {
    PAWL_TRY(present, catalog.executable(organization, id));
    plan = present->plan;
    planned = present->version;
  }
  PAWL_TRY(specs, specs_of(*plan));
  Workflow workflow;
  bool is_new_version = false;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(found, detail::load_workflow(transaction, organization, id));
    if (!found) return not_found(id);
    workflow = std::move(*found);
    const auto expected = changes.expected_version ? changes.expected_version : planned;
    if (changes.expected_state && *changes.expected_state != WorkflowState{workflow.version, workflow.updated_at})
      return changed_since(workflow, *changes.expected_state);
    if (expected && *expected != workflow.version) return version_conflict(workflow);
    is_new_version = false;
    const bool was_active = workflow.active;
    workflow.updated_at = std::max(d.clock.now(), workflow.updated_at + Millis(1));  // no two states have the same time
    workflow.updated_by = changes.author;
    if (changes.name) workflow.name = *changes.name;
    if (changes.description) workflow.description = *changes.description;
    if (changes.active) workflow.active = *changes.active;
    if (changes.definition && *changes.definition != workflow.definition) {
      Version version;
      version.version = ++workflow.version;
      version.definition = workflow.definition = *changes.definition;
      version.change_summary = changes.change_summary;
      version.created_by = changes.author;
      version.created_at = workflow.updated_at;
      PAWL_TRY_VOID(detail::insert_version(transaction, id, version, names_of(*plan)));
      is_new_version = true;
    }
    PAWL_TRY_VOID(detail::update_workflow(transaction, workflow));
    if (was_active && !workflow.active) PAWL_TRY_VOID(notify::store(transaction, switched_off(workflow)));
    const detail::TriggerContext context{d.random, workflow.updated_at, d.seals};
    PAWL_TRY_VOID(detail::store_triggers(transaction, workflow, *plan, specs, workflow.active && !was_active, context));
    PAWL_TRY_VOID(detail::refuse_cycle(transaction, workflow, *plan));
    PAWL_TRY(complete, with_triggers(transaction, workflow));
    workflow = std::move(complete);
    return {};
  };
  PAWL_TRY_VOID(d.database.write_and_wait(work));
  PAWL_TRY_VOID(changed(id));
  if (is_new_version) prune(id);
  return workflow;
}

/// Old versions go, one by one, where no run that is kept needs them. A start takes the plan first and becomes durable a moment later: what
/// was current or asked for a moment ago is looked at again after the next change.
void Catalog::Impl::prune(const WorkflowId& workflow) {
  if (d.max_versions == 0) return;
  const TimePoint moment_ago = d.clock.now() - kStartPatience;
  const auto candidates =
      d.database.read([&](storage::Session& session) { return detail::surplus_versions(session, workflow, d.max_versions, moment_ago); });
  if (candidates.has_error()) return;
  for (const auto version : *candidates) {
    if (const auto asked_for = named.get({workflow, version}); asked_for && *asked_for > moment_ago) continue;
    const auto removed = d.database.write_and_wait(
        [&](storage::Transaction& transaction) { return detail::remove_version(transaction, workflow, version); });
    if (removed.has_error()) return;
    plans.erase({workflow, version});
    resolved.clear();
  }
}

Result<VersionDiff> Catalog::diff(const OrganizationId& organization, const WorkflowId& id, std::uint32_t from, std::uint32_t to) {
  PAWL_TRY(before, version(organization, id, from));
  PAWL_TRY(after, version(organization, id, to));
  VersionDiff difference;
  difference.hunks = diff_lines(text_of(before.definition), text_of(after.definition));
  const auto old_plan = detail::compile_definition(before.definition, impl_->d.functions, dsl::Source::stored);
  const auto new_plan = detail::compile_definition(after.definition, impl_->d.functions, dsl::Source::stored);
  if (old_plan.ok() && new_plan.ok()) {
    difference.tasks = diff_tasks(**old_plan.value, **new_plan.value);
    difference.triggers = diff_triggers(**old_plan.value, **new_plan.value);
  }
  return difference;
}

Result<Workflow> Catalog::rollback(const OrganizationId& organization, const WorkflowId& id, Rollback request) {
  PAWL_TRY(old, version(organization, id, request.version));
  Changes changes;
  changes.definition = std::move(old.definition);
  changes.change_summary =
      request.change_summary.empty() ? fmt::format("Rollback to version {}", request.version) : std::move(request.change_summary);
  changes.author = request.author;
  changes.expected_version = request.expected_version;
  return update(organization, id, std::move(changes));
}

Result<Workflow> Catalog::rotate_webhook(const OrganizationId& organization, const WorkflowId& id, const UserId& author) {
  auto& d = impl_->d;
  Workflow workflow;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(found, detail::load_workflow(transaction, organization, id));
    if (!found) return not_found(id);
    workflow = std::move(*found);
    workflow.updated_at = d.clock.now();
    workflow.updated_by = author;
    PAWL_TRY(rotated, detail::rotate_token(transaction, workflow, {d.random, workflow.updated_at, d.seals}));
    if (!rotated) {
      return Error(ErrorClass::conflict, "workflow.no_webhook",
                   "The workflow has no webhook: its document declares none in `document.metadata.webhook`.");
    }
    PAWL_TRY_VOID(detail::update_workflow(transaction, workflow));
    PAWL_TRY(complete, impl_->with_triggers(transaction, workflow));
    workflow = std::move(complete);
    return {};
  };
  PAWL_TRY_VOID(d.database.write_and_wait(work));
  PAWL_TRY_VOID(impl_->changed(id));
  return workflow;
}

Result<void> Catalog::remove(const OrganizationId& organization, const WorkflowId& id) {
  auto& d = impl_->d;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(found, detail::mark_deleted(transaction, organization, id, d.clock.now()));
    if (!found) return not_found(id);
    return detail::remove_triggers(transaction, id);
  };
  PAWL_TRY_VOID(d.database.write_and_wait(work));
  impl_->owners.erase(id);
  return impl_->changed(id);
}

Result<void> Catalog::forget(const OrganizationId& organization) {
  // First, and of all: whether the database can be read does not decide who keeps a right, or whether what is gone can be started.
  impl_->current.clear();
  impl_->owners.clear();
  impl_->resolved.clear();
  std::vector<WorkflowId> workflows;
  PAWL_TRY_VOID(impl_->d.database.read([&](storage::Session& session) {
    return session.query("select id from workflows where organization_id = $1", {organization},
                         [&](const storage::Row& row) { workflows.push_back(row.id<WorkflowId>(0)); });
  }));
  PAWL_TRY_VOID(impl_->hooks.load(impl_->d.database));
  if (!impl_->listener) return {};
  for (const auto& workflow : workflows) impl_->listener(workflow);
  return {};
}

Result<VersionPage> Catalog::versions(const OrganizationId& organization, const WorkflowId& id, std::uint32_t limit,
                                      std::optional<std::uint32_t> before) {
  return impl_->d.database.read([&](storage::Session& session) -> Result<VersionPage> {
    PAWL_TRY(found, detail::load_workflow(session, organization, id));
    if (!found) return not_found(id);
    PAWL_TRY(rows, detail::load_versions(session, id, limit + 1, before.value_or(UINT32_MAX)));
    VersionPage page;
    page.versions = std::move(rows);
    if (page.versions.size() > limit) {
      page.versions.pop_back();
      page.next = page.versions.back().version;
    }
    return page;
  });
}

Result<Version> Catalog::version(const OrganizationId& organization, const WorkflowId& id, std::uint32_t number) {
  return impl_->d.database.read([&](storage::Session& session) -> Result<Version> {
    PAWL_TRY(found, detail::load_workflow(session, organization, id));
    if (!found) return not_found(id);
    PAWL_TRY(row, detail::load_version(session, id, number));
    if (!row) {
      return Error(ErrorClass::not_found, "workflow.version_not_found",
                   fmt::format("There is no version {} of workflow {}.", number, id.to_string()));
    }
    return std::move(*row);
  });
}

std::optional<OrganizationId> Catalog::cached_owner(const WorkflowId& id) const {
  if (const auto current = impl_->current.get(id)) return current->organization;
  return impl_->owners.get(id);
}

Result<OrganizationId> Catalog::owner(const WorkflowId& id) {
  if (const auto known = cached_owner(id)) return *known;
  const auto generation = impl_->owners.generation();
  auto found = impl_->d.database.read([&](storage::Session& session) { return detail::load_owner(session, id); });
  if (found.has_error()) return found.error();
  if (!*found) return not_found(id);
  impl_->owners.put(id, *found, generation);
  return **found;
}

ExecutablePtr Catalog::cached(const OrganizationId& organization, const WorkflowId& id) const {
  auto found = impl_->current.get(id);
  if (found && found->organization != organization) return nullptr;
  return found;
}

Result<ExecutablePtr> Catalog::executable(const OrganizationId& organization, const WorkflowId& id, std::optional<std::uint32_t> version) {
  if (version) impl_->named.put({id, *version}, impl_->d.clock.now(), impl_->named.generation());
  if (auto found = cached(organization, id); found && (!version || *version == found->version)) return found;
  const auto generation = impl_->current.generation();
  auto row = impl_->d.database.read([&](storage::Session& session) { return detail::load_workflow(session, organization, id); });
  if (row.has_error()) return row.error();
  if (!*row) return not_found(id);
  Executable executable;
  executable.id = id;
  executable.organization = organization;
  executable.name = (*row)->name;
  executable.active = (*row)->active;
  executable.version = version.value_or((*row)->version);
  PAWL_TRY(plan, impl_->load_plan(id, executable.version));
  executable.plan = std::move(plan);
  PAWL_TRY(guard, load_guard(impl_->d.database, organization, id, executable.version));
  executable.author = guard.author;
  executable.is_guarded = guard.is_guarded;
  const bool newest = executable.version == (*row)->version;
  auto shared = std::make_shared<const Executable>(std::move(executable));
  if (newest) impl_->current.put(id, shared, generation);
  return shared;
}

json::Value Catalog::with_right(const Executable& executable, json::Value trigger) const {
  if (!executable.is_guarded) return trigger;
  const auto may = may_destroy(impl_->d.database, executable.organization, executable.author);
  engine::set_right_of_author(trigger, may.has_value() && *may);
  return trigger;
}

Result<ExecutablePtr> Catalog::keep_unlisted(const OrganizationId& organization, const Definition& definition, dsl::PlanPtr plan) {
  auto& d = impl_->d;
  const std::string functions = detail::pinned_text(*plan);
  // The document names its row: the id is made of its digest, so nothing needs to be searched. RFC 9562: version 8.
  const auto digest = crypto::hash(organization.to_string() + "\n" + definition.text + functions);
  Workflow workflow;
  std::copy_n(digest.begin(), workflow.id.uuid.bytes.size(), workflow.id.uuid.bytes.begin());
  workflow.id.uuid.bytes[6] = static_cast<std::uint8_t>((workflow.id.uuid.bytes[6] & 0x0FU) | 0x80U);
  workflow.id.uuid.bytes[8] = static_cast<std::uint8_t>((workflow.id.uuid.bytes[8] & 0x3FU) | 0x80U);
  workflow.organization = organization;
  workflow.name = plan->name;
  workflow.active = false;
  workflow.created_at = workflow.updated_at = d.clock.now();
  Version version;
  version.definition = definition;
  version.definition.functions = functions;
  version.created_at = workflow.created_at;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    // Wanted again: its age begins anew (privacy/retention.cpp).
    PAWL_TRY(renewed,
             transaction.execute(
                 "update workflows set created_at = $2, updated_at = $2, deleted_at = $2 where id = $1 and deleted_at = created_at",
                 {workflow.id, workflow.created_at}));
    if (renewed > 0) return {};
    PAWL_TRY_VOID(detail::insert_workflow(transaction, workflow));
    PAWL_TRY_VOID(detail::insert_version(transaction, workflow.id, version, names_of(*plan)));
    PAWL_TRY_VOID(detail::mark_deleted(transaction, organization, workflow.id, workflow.created_at));
    return {};
  };
  PAWL_TRY_VOID(d.database.write_and_wait(work));
  Executable executable;
  executable.id = workflow.id;
  executable.organization = organization;
  executable.name = plan->name;
  impl_->plans.put(VersionKey{workflow.id, 1}, plan, impl_->plans.generation());
  executable.plan = std::move(plan);
  return std::make_shared<const Executable>(std::move(executable));
}

std::optional<Hook> Catalog::find_hook(std::string_view token) const { return impl_->hooks.find(token); }

Result<dsl::PlanPtr> Catalog::plan(const WorkflowId& workflow, std::uint32_t version) { return impl_->load_plan(workflow, version); }

Result<Catalog::Resolved> Catalog::find(const OrganizationId& organization, std::string_view namespace_name, std::string_view name,
                                        std::string_view version) {
  detail::DocumentNames names;
  names.namespace_name = std::string(namespace_name.empty() ? kTaskListNamespace : namespace_name);
  names.name = std::string(name);
  names.version = std::string(version);
  const auto key = key_of(organization, names);
  auto known = impl_->resolved.get(key);
  if (!known) {
    const auto generation = impl_->resolved.generation();
    auto found = impl_->d.database.read([&](storage::Session& session) { return detail::find_by_name(session, organization, names); });
    if (found.has_error()) return found.error();
    known = *found;
    if (known) impl_->resolved.put(key, known, generation);
  }
  if (!known) {
    return Error(ErrorClass::not_found, "workflow.not_found",
                 fmt::format("There is no active workflow `{}/{}`{}{}.", names.namespace_name, names.name,
                             names.version.empty() ? "" : " of version ", names.version));
  }
  PAWL_TRY(plan, impl_->load_plan(known->workflow, known->version));
  Resolved resolved;
  resolved.workflow = known->workflow;
  resolved.version = known->version;
  resolved.plan = std::move(plan);
  return resolved;
}

bool Catalog::author_may_destroy(const OrganizationId& organization, const WorkflowId& workflow, std::uint32_t version) {
  const auto guard = load_guard(impl_->d.database, organization, workflow, version);
  if (guard.has_error() || !guard->is_guarded) return guard.has_value();
  const auto may = may_destroy(impl_->d.database, organization, guard->author);
  return may.has_value() && *may;
}

}  // namespace pawl::catalog
