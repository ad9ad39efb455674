#include "catalog/destroy_right.hpp"

#include <algorithm>
#include <optional>

#include "engine/approval.hpp"
#include "storage/database.hpp"

namespace pawl::catalog {
namespace {

constexpr int kMember = 1;
constexpr int kOwner = 3;

/// What cannot be read asks for the most.
int least_of(std::string_view role) { return std::max(engine::rank_of(role).value_or(kOwner), kMember); }

Result<int> load_least(storage::Session& session, const OrganizationId& organization) {
  int least = kMember;  // runs that belong to no organization that is kept, as of `pawl run`
  PAWL_TRY_VOID(session.query("select destroy_role from organizations where id = $1", {organization},
                              [&](const storage::Row& row) { least = least_of(row.text(0)); }));
  return least;
}

}  // namespace

Result<DestroyGuard> load_guard(storage::Database& database, const OrganizationId& organization, const WorkflowId& workflow,
                                std::uint32_t version) {
  return database.read([&](storage::Session& session) -> Result<DestroyGuard> {
    DestroyGuard guard;
    PAWL_TRY(least, load_least(session, organization));
    guard.is_guarded = least > kMember;
    if (!guard.is_guarded) return guard;
    PAWL_TRY_VOID(
        session.query("select created_by from workflow_versions where workflow_id = $1 and version = $2 and created_by is not null",
                      {workflow, static_cast<std::int64_t>(version)}, [&](const storage::Row& row) { guard.author = row.id<UserId>(0); }));
    return guard;
  });
}

Result<bool> may_destroy(storage::Database& database, const OrganizationId& organization, const UserId& user) {
  return database.read([&](storage::Session& session) -> Result<bool> {
    PAWL_TRY(least, load_least(session, organization));
    if (least <= kMember) return true;
    if (user.is_nil()) return false;
    bool is_active = false;
    bool is_superuser = false;
    PAWL_TRY_VOID(session.query("select is_superuser from users where id = $1 and is_active = 1 and deleted_at is null", {user},
                                [&](const storage::Row& row) {
                                  is_active = true;
                                  is_superuser = row.boolean(0);
                                }));
    if (!is_active || is_superuser) return is_superuser;
    bool may = false;
    PAWL_TRY_VOID(session.query("select role from organization_members where organization_id = $1 and user_id = $2", {organization, user},
                                [&](const storage::Row& row) { may = engine::rank_of(row.text(0)).value_or(0) >= least; }));
    return may;
  });
}

}  // namespace pawl::catalog
