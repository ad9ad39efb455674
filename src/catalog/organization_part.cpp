#include "catalog/organization_part.hpp"

#include "notify/notice.hpp"
#include "storage/database.hpp"

namespace pawl::catalog {
namespace {

Result<std::int64_t> count(storage::Session& session, std::string_view sql, const OrganizationId& organization) {
  std::int64_t found = 0;
  PAWL_TRY_VOID(session.query(sql, {organization}, [&](const storage::Row& row) { found = row.integer(0); }));
  return found;
}

}  // namespace

Result<std::int64_t> count_workflows(storage::Session& session, const OrganizationId& organization) {
  return count(session, "select count(*) from workflows where organization_id = $1 and deleted_at is null", organization);
}

Result<std::int64_t> count_schedules(storage::Session& session, const OrganizationId& organization) {
  return count(session, "select count(*) from schedules where organization_id = $1", organization);
}

Result<std::int64_t> count_webhooks(storage::Session& session, const OrganizationId& organization) {
  return count(session, "select count(*) from webhooks where organization_id = $1", organization);
}

Result<void> remove_organization(storage::Transaction& transaction, const OrganizationId& organization, TimePoint now) {
  PAWL_TRY_VOID(transaction.execute("delete from schedules where organization_id = $1", {organization}));
  PAWL_TRY_VOID(transaction.execute("delete from webhooks where organization_id = $1", {organization}));
  PAWL_TRY_VOID(transaction.execute("delete from idempotency_keys where organization_id = $1", {organization}));
  PAWL_TRY_VOID(transaction.execute("delete from dead_letters where organization_id = $1", {organization}));
  PAWL_TRY_VOID(transaction.execute("delete from remedies where organization_id = $1", {organization}));
  PAWL_TRY_VOID(transaction.execute("delete from agent_memories where organization_id = $1", {organization}));
  PAWL_TRY_VOID(transaction.execute("delete from model_reservations where organization_id = $1", {organization}));
  PAWL_TRY_VOID(transaction.execute("delete from model_usage where organization_id = $1", {organization}));
  PAWL_TRY_VOID(transaction.execute("delete from model_budgets where organization_id = $1", {organization}));
  PAWL_TRY_VOID(notify::remove_organization(transaction, organization));
  PAWL_TRY_VOID(transaction.execute("delete from approval_users where organization_id = $1", {organization}));
  PAWL_TRY_VOID(transaction.execute("delete from approvals where organization_id = $1", {organization}));
  PAWL_TRY_VOID(transaction.execute(
      "update workflows set deleted_at = $1, updated_at = $1 where organization_id = $2 and deleted_at is null", {now, organization}));
  return {};
}

}  // namespace pawl::catalog
