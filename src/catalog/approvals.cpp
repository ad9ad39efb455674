#include "catalog/approvals.hpp"

#include <fmt/core.h>

#include "engine/engine.hpp"
#include "json/parse.hpp"
#include "storage/database.hpp"

namespace pawl::catalog {
namespace {

// Who asks: $2 the rank of the role, $3 the user, $4 its id and $5 its mail address as text, $6 whether it is the installation's own key.
// `may` is what `engine::check_decider` says.
constexpr std::string_view kSelectOne =
    "select a.id, a.organization_id, a.run_id, a.number, a.workflow_id, a.workflow_name, a.version, a.task, a.asked, a.digest, a.status, "
    "a.starter, a.starter_key, a.created_at, a.decided_at, a.decided_by, a.comment, a.answer, "
    "case when $2 >= 1 and ($2 >= a.least_role or exists (select 1 from approval_users u where u.approval_id = a.id and "
    "(u.name = $4 or u.name = $5))) and not (a.exclude_starter = 1 and "
    "case when a.starter = $3 or (a.starter_key = 1 and $6 = 1) then 1 else 0 end = 1) then 1 else 0 end as may from approvals a "
    "where a.organization_id = $1 and a.id = $7";
constexpr std::string_view kSelectList =
    "select * from ("
    "select a.id, a.organization_id, a.run_id, a.number, a.workflow_id, a.workflow_name, a.version, a.task, a.asked, a.digest, a.status, "
    "a.starter, a.starter_key, a.created_at, a.decided_at, a.decided_by, a.comment, a.answer, "
    "case when $2 >= 1 and ($2 >= a.least_role or exists (select 1 from approval_users u where u.approval_id = a.id and "
    "(u.name = $4 or u.name = $5))) and not (a.exclude_starter = 1 and "
    "case when a.starter = $3 or (a.starter_key = 1 and $6 = 1) then 1 else 0 end = 1) then 1 else 0 end as may from approvals a "
    "where a.organization_id = $1 and ($7 = 'all' or a.status = $7) and ($8 is null or a.run_id = $8) and "
    "($9 is null or (a.created_at, a.id) < (select b.created_at, b.id from approvals b where b.id = $9))) as inbox "
    "where $10 = 0 or (may = 1 and status = 'open') order by created_at desc, id desc limit $11";

Error not_found(const engine::ApprovalKey& id) {
  return {ErrorClass::not_found, "approval.not_found", fmt::format("There is no approval {}.", id.to_string())};
}

json::Value parsed(std::string_view text) {
  auto value = json::parse(text);
  return value.has_value() ? std::move(*value) : json::Value();
}

ApprovalView view_of(const storage::Row& row) {
  ApprovalView view;
  view.id = row.id<engine::ApprovalKey>(0);
  view.organization = row.id<OrganizationId>(1);
  view.run = row.id<RunId>(2);
  view.number = static_cast<engine::ApprovalId>(row.integer(3));
  view.workflow = row.id<WorkflowId>(4);
  view.workflow_name = row.text(5);
  view.version = static_cast<std::uint32_t>(row.integer(6));
  view.task = row.text(7);
  view.request = engine::approval_request(parsed(row.text(8)));
  view.digest = row.text(9);
  view.status = row.text(10);
  if (!row.is_null(11)) view.starter = row.id<UserId>(11).to_string();
  if (row.boolean(12)) view.starter = engine::kAdministrator;
  view.created_at = row.time(13);
  view.decided_at = row.optional_time(14);
  if (const auto by = row.id<UserId>(15); !by.is_nil()) view.decided_by = by.to_string();
  view.comment = row.text(16);
  if (!row.text(17).empty()) view.data = parsed(row.text(17));
  view.can_decide = view.status == "open" && row.boolean(18);
  return view;
}

/// What the queries ask about whoever asks.
struct Who {
  explicit Who(const engine::Decider& decider)
      : rank(engine::rank_of(decider.role).value_or(0)), user(UserId::parse(decider.id)), is_key(decider.id == engine::kAdministrator) {}
  int rank;
  std::optional<UserId> user;
  bool is_key;
};

}  // namespace

Result<OrganizationId> Approvals::owner(const engine::ApprovalKey& id) {
  std::optional<OrganizationId> owner;
  PAWL_TRY_VOID(database_.read([&](storage::Session& session) {
    return session.query("select organization_id from approvals where id = $1", {id},
                         [&](const storage::Row& row) { owner = row.id<OrganizationId>(0); });
  }));
  if (!owner) return not_found(id);
  return *owner;
}

Result<ApprovalPage> Approvals::list(const OrganizationId& organization, const ApprovalFilter& filter, const engine::Decider& decider) {
  ApprovalPage page;
  const Who who(decider);
  PAWL_TRY_VOID(database_.read([&](storage::Session& session) {
    return session.query(kSelectList,
                         {organization, who.rank, who.user, decider.id, decider.email, who.is_key, filter.status, filter.run, filter.before,
                          filter.mine, filter.limit + 1},
                         [&](const storage::Row& row) { page.approvals.push_back(view_of(row)); });
  }));
  if (page.approvals.size() > filter.limit) {
    page.approvals.pop_back();
    page.next = page.approvals.back().id;
  }
  return page;
}

Result<ApprovalView> Approvals::get(const OrganizationId& organization, const engine::ApprovalKey& id, const engine::Decider& decider) {
  std::optional<ApprovalView> found;
  const Who who(decider);
  PAWL_TRY_VOID(database_.read([&](storage::Session& session) {
    return session.query(kSelectOne, {organization, who.rank, who.user, decider.id, decider.email, who.is_key, id},
                         [&](const storage::Row& row) { found = view_of(row); });
  }));
  if (!found) return not_found(id);
  return std::move(*found);
}

Result<engine::Decider> Approvals::decider(const UserId& user, std::string_view role) {
  engine::Decider who{user.is_nil() ? std::string(engine::kAdministrator) : user.to_string(), {}, std::string(role)};
  if (user.is_nil()) return who;
  PAWL_TRY_VOID(database_.read([&](storage::Session& session) {
    return session.query("select email_key from users where id = $1 and email_verified_at is not null", {user},
                         [&](const storage::Row& row) { who.email = row.text(0); });
  }));
  return who;
}

void Approvals::decide(const OrganizationId& organization, const engine::ApprovalKey& id, engine::ApprovalDecision decision,
                       std::function<void(Result<RunId>)> done) {
  const auto view = get(organization, id, decision.by);
  if (view.has_error()) return done(view.error());
  if (view->status != "open") {
    return done(Error(ErrorClass::conflict, "approval.closed", fmt::format("This approval is {} already.", view->status)));
  }
  if (!view->can_decide) {
    const auto why = engine::check_decider(view->request, view->starter, decision.by);
    return done(why.has_error() ? why.error() : Error(ErrorClass::denied, "approval.forbidden", "This is for others to decide."));
  }
  decision.number = view->number;
  engine_.decide(organization, view->run, std::move(decision), [run = view->run, done = std::move(done)](Result<void> decided) {
    if (decided.has_error()) return done(decided.error());
    done(run);
  });
}

}  // namespace pawl::catalog
