#include "agents/remedies.hpp"

#include "engine/approval.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::agents {
namespace {

constexpr std::size_t kMostBest = 3;

#define PAWL_REMEDY                                                                                                                   \
  "select r.id, r.organization_id, r.workflow_id, r.workflow_name, r.run_id, r.version, r.error_kind, r.kind, r.source, r.proposal, " \
  "r.status, "                                                                                                                        \
  "r.healing_run_id, r.result_run_id, r.new_version, r.failure, r.outcome, r.created_at, r.applied_at, r.ended_at, "                  \
  "(select a.id from approvals a where a.run_id = r.healing_run_id limit 1) from remedies r "
constexpr std::string_view kOne = PAWL_REMEDY "where r.organization_id = $1 and r.id = $2";
constexpr std::string_view kList = PAWL_REMEDY
    "where r.organization_id = $1 and ($2 is null or r.run_id = $2) and ($3 is null or r.workflow_id = $3) and ($4 = '' or r.status = $4) "
    "and ($5 is null or r.id < $5) order by r.id desc limit $6";
constexpr std::string_view kBest = PAWL_REMEDY
    "where r.organization_id = $1 and r.workflow_id = $2 and r.error_kind = $3 and r.outcome = 'worked' order by r.id desc limit 3";
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

Error not_found() { return {ErrorClass::not_found, "remedy.not_found", "There is no remedy of this id."}; }

}  // namespace

Result<void> Remedies::add(const Remedy& remedy) {
  const auto proposal = json::to_text(remedy.proposal);
  return database_.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(transaction.execute(
        "insert into remedies (id, organization_id, workflow_id, workflow_name, run_id, version, error_kind, kind, source, proposal, "
        "status, "
        "healing_run_id, result_run_id, failure, outcome, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, '', "
        "'', $14)",
        {remedy.id, remedy.organization, remedy.workflow, remedy.workflow_name, remedy.run, remedy.version, remedy.error_kind, remedy.kind,
         remedy.source, proposal, remedy.status, remedy.healing_run, remedy.result_run, remedy.created_at}));
    return {};
  });
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

Result<std::optional<Consent>> Remedies::consent(const OrganizationId& organization, const RunId& healing_run) {
  std::optional<Consent> consent;
  PAWL_TRY_VOID(database_.read([&](storage::Session& session) {
    return session.query(
        "select decided_by, asked from approvals where organization_id = $1 and run_id = $2 and status = 'approved'",
        {organization, healing_run}, [&](const storage::Row& row) {
          const auto asked = engine::approval_request(parsed(row.text(1)));
          const auto& digest = asked.data.get("proposal_digest");
          consent = Consent{row.is_null(0) ? UserId{} : row.id<UserId>(0), digest.is_string() ? std::string(digest.as_string()) : ""};
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

Result<void> Remedies::applied(const OrganizationId& organization, const RemedyId& id, std::optional<std::uint32_t> new_version,
                               TimePoint at) {
  return database_.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(
        transaction.execute("update remedies set status = 'applied', new_version = $1, applied_at = $2 where organization_id = $3 and id = "
                            "$4 and status = 'applying'",
                            {new_version, at, organization, id}));
    return {};
  });
}

Result<void> Remedies::failed(const OrganizationId& organization, const RemedyId& id, std::string_view failure) {
  return database_.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(transaction.execute(
        "update remedies set status = 'failed', failure = $1 where organization_id = $2 and id = $3 and status in ('proposed', 'applying')",
        {failure, organization, id}));
    return {};
  });
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

}  // namespace pawl::agents
