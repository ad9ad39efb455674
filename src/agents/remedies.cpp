#include "agents/remedies.hpp"

#include <fmt/format.h>

#include "engine/approval.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::agents {
namespace {

constexpr std::size_t kMostBest = 3;
constexpr int kLeastWriter = 1;  // the rank of a member: identity/principal.hpp

#define PAWL_REMEDY                                                                                                                   \
  "select r.id, r.organization_id, r.workflow_id, r.workflow_name, r.run_id, r.version, r.error_kind, r.kind, r.source, r.proposal, " \
  "r.status, "                                                                                                                        \
  "r.healing_run_id, r.result_run_id, r.new_version, r.failure, r.outcome, r.created_at, r.applied_at, r.ended_at, "                  \
  "(select a.id from approvals a where a.run_id = r.healing_run_id limit 1) from remedies r "
constexpr std::string_view kOne = PAWL_REMEDY "where r.organization_id = $1 and r.id = $2 and r.status <> 'drafting'";
constexpr std::string_view kList = PAWL_REMEDY
    "where r.organization_id = $1 and r.status <> 'drafting' and ($2 is null or r.run_id = $2) and ($3 is null or r.workflow_id = $3) and "
    "($4 = '' or r.status = $4) "
    "and ($5 is null or r.id < $5) order by r.id desc limit $6";
constexpr std::string_view kBest = PAWL_REMEDY
    "where r.organization_id = $1 and r.workflow_id = $2 and r.error_kind = $3 and r.outcome = 'worked' order by r.id desc limit 3";
constexpr std::string_view kOpen =
    PAWL_REMEDY "where r.organization_id = $1 and r.run_id = $2 and r.status in ('drafting', 'proposed', 'applying')";
constexpr std::string_view kUnsettled = PAWL_REMEDY "where r.status in ('proposed', 'applying')";
constexpr std::string_view kAwaited = PAWL_REMEDY "where r.status = 'applied' and r.outcome = ''";
#undef PAWL_REMEDY

json::Value parsed(std::string_view text) {
  auto value = json::parse(text);
  return value.has_value() ? std::move(*value) : json::Value();
}

Remedy remedy_of(const storage::Row& row) {
  Remedy remedy;
  remedy.id = row.id<RemedyId>(0);
  remedy.organization = row.id<OrganizationId>(1);
  remedy.workflow = row.id<WorkflowId>(2);
  remedy.workflow_name = row.text(3);
  remedy.run = row.id<RunId>(4);
  remedy.version = static_cast<std::uint32_t>(row.integer(5));
  remedy.error_kind = row.text(6);
  remedy.kind = row.text(7);
  remedy.source = row.text(8);
  remedy.proposal = parsed(row.text(9));
  remedy.status = row.text(10);
  remedy.healing_run = row.id<RunId>(11);
  remedy.result_run = row.id<RunId>(12);
  if (!row.is_null(13)) remedy.new_version = static_cast<std::uint32_t>(row.integer(13));
  remedy.failure = row.text(14);
  remedy.outcome = row.text(15);
  remedy.created_at = row.time(16);
  remedy.applied_at = row.optional_time(17);
  remedy.ended_at = row.optional_time(18);
  if (!row.is_null(19)) remedy.approval = row.uuid(19);
  return remedy;
}

audit::Record record_of(const Remedy& remedy, std::string action) {
  audit::Record record;
  record.organization = remedy.organization;
  record.action = std::move(action);
  record.resource = {"remedy", remedy.id.to_string()};
  record.run = remedy.run;
  record.details = json::Value::object({{"kind", remedy.kind}, {"workflow", remedy.workflow.to_string()}});
  return record;
}

Error not_found() { return {ErrorClass::not_found, "remedy.not_found", "There is no remedy of this id."}; }

}  // namespace

audit::Actor actor_of(const Consent& consent) {
  if (consent.is_erased) return audit::Actor::anonymous();
  return consent.by.is_nil() ? audit::Actor::administrator() : audit::Actor::of_user(consent.by);
}

Result<std::optional<Remedy>> Remedies::reserve(const Remedy& remedy) {
  std::optional<Remedy> holder;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    holder.reset();
    std::optional<RemedyId> applied;
    PAWL_TRY_VOID(transaction.query(
        "select id from remedies where organization_id = $1 and run_id = $2 and status = 'applied' and outcome <> 'failed' limit 1",
        {remedy.organization, remedy.run}, [&](const storage::Row& row) { applied = row.id<RemedyId>(0); }));
    if (applied) {
      return Error(ErrorClass::conflict, "remedy.applied",
                   fmt::format("The remedy {} was applied for this run, and has not failed.", applied->to_string()));
    }
    PAWL_TRY(made, transaction.execute(
                       "insert into remedies (id, organization_id, workflow_id, workflow_name, run_id, version, error_kind, kind, source, "
                       "proposal, status, healing_run_id, result_run_id, failure, outcome, created_at) values ($1, $2, $3, $4, $5, $6, $7, "
                       "'', '', '', 'drafting', $8, $9, '', '', $10) on conflict do nothing",
                       {remedy.id, remedy.organization, remedy.workflow, remedy.workflow_name, remedy.run, remedy.version,
                        remedy.error_kind, remedy.healing_run, remedy.result_run, remedy.created_at}));
    if (made == 1) return {};
    return transaction.query(kOpen, {remedy.organization, remedy.run}, [&](const storage::Row& row) { holder = remedy_of(row); });
  };
  PAWL_TRY_VOID(database_.write_and_wait(work));
  return holder;
}

Result<void> Remedies::release(const RemedyId& id) {
  return database_.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(transaction.execute("delete from remedies where id = $1 and status = 'drafting'", {id}));
    return {};
  });
}

Result<void> Remedies::release_all() {
  return database_.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(transaction.execute("delete from remedies where status = 'drafting'", {}));
    return {};
  });
}

Result<bool> Remedies::propose(const Remedy& remedy, const audit::Actor& by) {
  const auto proposal = json::to_text(remedy.proposal);
  bool is_made = false;
  PAWL_TRY_VOID(database_.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(changed, transaction.execute(
                          "update remedies set kind = $1, source = $2, proposal = $3, status = 'proposed', healing_run_id = $4, "
                          "result_run_id = $5, created_at = $6 where id = $7 and status = 'drafting'",
                          {remedy.kind, remedy.source, proposal, remedy.healing_run, remedy.result_run, remedy.created_at, remedy.id}));
    is_made = changed == 1;
    if (!is_made || audit_ == nullptr) return {};
    auto record = record_of(remedy, "remedy.proposed");
    record.actor = by;
    return audit_->append(transaction, std::move(record));
  }));
  committed();
  return is_made;
}

Result<Remedy> Remedies::get(const OrganizationId& organization, const RemedyId& id) {
  std::optional<Remedy> found;
  PAWL_TRY_VOID(database_.read([&](storage::Session& session) {
    return session.query(kOne, {organization, id}, [&](const storage::Row& row) { found = remedy_of(row); });
  }));
  if (!found) return not_found();
  return std::move(*found);
}

Result<OrganizationId> Remedies::owner(const RemedyId& id) {
  std::optional<OrganizationId> owner;
  PAWL_TRY_VOID(database_.read([&](storage::Session& session) {
    return session.query("select organization_id from remedies where id = $1", {id},
                         [&](const storage::Row& row) { owner = row.id<OrganizationId>(0); });
  }));
  if (!owner) return not_found();
  return *owner;
}

Result<RemedyPage> Remedies::list(const OrganizationId& organization, const RemedyFilter& filter) {
  RemedyPage page;
  PAWL_TRY_VOID(database_.read([&](storage::Session& session) {
    return session.query(kList, {organization, filter.run, filter.workflow, filter.status, filter.before, filter.limit + 1},
                         [&](const storage::Row& row) { page.remedies.push_back(remedy_of(row)); });
  }));
  if (page.remedies.size() > filter.limit) {
    page.remedies.pop_back();
    page.next = page.remedies.back().id;
  }
  return page;
}

Result<Experience> Remedies::experience(const OrganizationId& organization, const WorkflowId& workflow, std::string_view error_kind) {
  Experience experience;
  const auto reading = [&](storage::Session& session) -> Result<void> {
    PAWL_TRY_VOID(
        session.query("select outcome, count(*) from remedies where organization_id = $1 and workflow_id = $2 and error_kind = $3 and "
                      "outcome <> '' group by outcome",
                      {organization, workflow, error_kind}, [&](const storage::Row& row) {
                        (row.text(0) == "worked" ? experience.worked : experience.failed) = static_cast<std::uint64_t>(row.integer(1));
                      }));
    return session.query(kBest, {organization, workflow, error_kind}, [&](const storage::Row& row) {
      if (experience.best.size() < kMostBest) experience.best.push_back(remedy_of(row));
    });
  };
  PAWL_TRY_VOID(database_.read(reading));
  return experience;
}

Result<bool> Remedies::is_asked_by(const OrganizationId& organization, const RunId& healing_run) {
  bool found = false;
  PAWL_TRY_VOID(database_.read([&](storage::Session& session) {
    return session.query("select 1 from remedies where organization_id = $1 and healing_run_id = $2", {organization, healing_run},
                         [&](const storage::Row&) { found = true; });
  }));
  return found;
}

Result<std::uint64_t> Remedies::others_with(const OrganizationId& organization, const std::vector<std::string>& roles, const UserId& user) {
  engine::ApprovalRequest request;
  request.roles = roles;
  const int least = engine::least_rank(request);
  std::uint64_t found = 0;
  PAWL_TRY_VOID(database_.read([&](storage::Session& session) {
    return session.query(
        "select m.role from organization_members m join users u on u.id = m.user_id where m.organization_id = $1 and m.user_id <> $2 and "
        "u.is_active = 1 and u.deleted_at is null",
        {organization, user}, [&](const storage::Row& row) { found += engine::rank_of(row.text(0)).value_or(0) >= least ? 1U : 0U; });
  }));
  return found;
}

Result<bool> Remedies::may_write(const OrganizationId& organization, const UserId& user) {
  bool may = false;
  PAWL_TRY_VOID(database_.read([&](storage::Session& session) {
    return session.query(
        "select m.role from organization_members m join users u on u.id = m.user_id where m.organization_id = $1 and m.user_id = $2 and "
        "u.is_active = 1 and u.deleted_at is null",
        {organization, user}, [&](const storage::Row& row) { may = engine::rank_of(row.text(0)).value_or(0) >= kLeastWriter; });
  }));
  return may;
}

Result<std::optional<Consent>> Remedies::consent(const OrganizationId& organization, const RunId& healing_run) {
  std::optional<Consent> consent;
  PAWL_TRY_VOID(database_.read([&](storage::Session& session) {
    return session.query("select decided_by, asked from approvals where organization_id = $1 and run_id = $2 and status = 'approved'",
                         {organization, healing_run}, [&](const storage::Row& row) {
                           const auto asked = engine::approval_request(parsed(row.text(1)));
                           const auto& digest = asked.data.get("proposal_digest");
                           consent = Consent{.by = row.id<UserId>(0),
                                             .proposal_digest = digest.is_string() ? std::string(digest.as_string()) : ""};
                           consent->is_erased = consent->by.is_nil() && !row.is_null(0);
                         });
  }));
  return consent;
}

Result<bool> Remedies::move(const OrganizationId& organization, const RemedyId& id, std::string_view from, std::string_view to) {
  bool moved = false;
  PAWL_TRY_VOID(database_.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(changed, transaction.execute("update remedies set status = $1 where organization_id = $2 and id = $3 and status = $4",
                                          {to, organization, id, from}));
    moved = changed == 1;
    return {};
  }));
  return moved;
}

Result<bool> Remedies::begin_applying(const Remedy& remedy) {
  bool moved = false;
  PAWL_TRY_VOID(database_.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(changed, transaction.execute(
                          "update remedies set status = 'applying' where organization_id = $1 and id = $2 and status = 'proposed' and "
                          "not exists (select 1 from remedies o where o.organization_id = $1 and o.run_id = $3 and o.status = "
                          "'applied' and o.outcome <> 'failed')",
                          {remedy.organization, remedy.id, remedy.run}));
    moved = changed == 1;
    return {};
  }));
  return moved;
}

Result<void> Remedies::applied(const Remedy& remedy, std::optional<std::uint32_t> new_version, const audit::Actor& by, TimePoint at) {
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(changed,
             transaction.execute("update remedies set status = 'applied', new_version = $1, applied_at = $2 where organization_id = $3 and "
                                 "id = $4 and status = 'applying'",
                                 {new_version, at, remedy.organization, remedy.id}));
    if (changed == 0 || audit_ == nullptr) return {};
    if (new_version) PAWL_TRY_VOID(record_version(transaction, remedy, *new_version, by));
    auto record = record_of(remedy, "remedy.applied");
    record.actor = by;
    record.details.set("result_run", remedy.result_run.to_string());
    if (new_version) record.details.set("version", *new_version);
    return audit_->append(transaction, std::move(record));
  };
  PAWL_TRY_VOID(database_.write_and_wait(work));
  committed();
  return {};
}

Result<void> Remedies::failed(const Remedy& remedy, std::string_view failure, std::optional<std::uint32_t> new_version,
                              const audit::Actor& by) {
  PAWL_TRY_VOID(database_.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(changed,
             transaction.execute("update remedies set status = 'failed', failure = $1, new_version = $2 where organization_id = $3 "
                                 "and id = $4 and status in ('proposed', 'applying')",
                                 {failure, new_version, remedy.organization, remedy.id}));
    if (changed == 0 || !new_version) return {};
    return record_version(transaction, remedy, *new_version, by);
  }));
  committed();
  return {};
}

/// As a change by hand is recorded.
Result<void> Remedies::record_version(storage::Transaction& transaction, const Remedy& remedy, std::uint32_t version,
                                      const audit::Actor& by) {
  if (audit_ == nullptr) return {};
  auto record = record_of(remedy, "workflows.updateWorkflow");
  record.actor = by;
  record.resource = {"workflows", remedy.workflow.to_string()};
  record.details.set("remedy", remedy.id.to_string());
  record.details.set("version", version);
  return audit_->append(transaction, std::move(record));
}

void Remedies::committed() {
  if (audit_ != nullptr) audit_->committed();
}

Result<void> Remedies::ended(const RunId& result_run, bool worked, TimePoint at) {
  const std::string_view outcome = worked ? "worked" : "failed";
  return database_.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(transaction.execute(
        "update remedies set outcome = $1, ended_at = $2 where result_run_id = $3 and outcome = '' and status in ('applying', 'applied')",
        {outcome, at, result_run}));
    return {};
  });
}

Result<std::vector<Remedy>> Remedies::awaited() {
  std::vector<Remedy> remedies;
  PAWL_TRY_VOID(database_.read([&](storage::Session& session) {
    return session.query(kAwaited, {}, [&](const storage::Row& row) { remedies.push_back(remedy_of(row)); });
  }));
  return remedies;
}

Result<std::vector<Remedy>> Remedies::unsettled() {
  std::vector<Remedy> remedies;
  PAWL_TRY_VOID(database_.read([&](storage::Session& session) {
    return session.query(kUnsettled, {}, [&](const storage::Row& row) { remedies.push_back(remedy_of(row)); });
  }));
  return remedies;
}

}  // namespace pawl::agents
