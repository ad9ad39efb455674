#include "identity/user_admin.hpp"

#include <algorithm>

#include "identity/detail/session_rows.hpp"
#include "identity/detail/user_admin_rows.hpp"
#include "identity/detail/user_rows.hpp"
#include "identity/organization_service.hpp"
#include "storage/database.hpp"

namespace pawl::identity {
namespace {

constexpr std::size_t kMaxName = 200;

Error user_not_found() { return {ErrorClass::not_found, "user.not_found", "There is no user of this id."}; }

Result<void> authorize(storage::Session& session, const Administrator& administrator) {
  if (administrator.user.is_nil()) return {};
  PAWL_TRY(row, detail::load_user(session, administrator.user));
  if (row && row->user.active && row->user.superuser) return {};
  return Error(ErrorClass::denied, "user.denied", "This asks for an administrator of the installation.");
}

Result<void> check_name(std::string_view name) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (!name.empty() && name.size() <= kMaxName && std::none_of(name.begin(), name.end(), is_control)) return {};
  Finding finding;
  finding.pointer = "/name";
  finding.message = "A name has 1 to 200 bytes on one line.";
  finding.rule = "auth.invalid_name";
  return Error(ErrorClass::unprocessable, "auth.invalid_name", finding.message, {finding});
}

Result<void> keep_a_superuser(storage::Session& session) {
  PAWL_TRY(left, detail::count_superusers(session));
  if (left > 0) return {};
  return Error(ErrorClass::conflict, "user.last_superuser", "The installation needs an administrator: make somebody else one first.");
}

}  // namespace

std::optional<Administrator> administrator_of(const Principal& principal) {
  if (!principal.permits(Permission::administer, {})) return std::nullopt;
  return Administrator{principal.user};
}

Result<UserPage> UserAdmin::list(const Administrator& administrator, const UserFilter& filter) {
  return d_.database.read([&](storage::Session& session) -> Result<UserPage> {
    PAWL_TRY_VOID(authorize(session, administrator));
    UserPage page;
    PAWL_TRY(users, detail::load_users(session, filter.text, filter.limit + 1, filter.after.value_or(UserId{})));
    page.users = std::move(users);
    if (page.users.size() > filter.limit) {
      page.users.resize(filter.limit);
      page.next = page.users.back().id;
    }
    return page;
  });
}

Result<User> UserAdmin::get(const Administrator& administrator, const UserId& user) {
  return d_.database.read([&](storage::Session& session) -> Result<User> {
    PAWL_TRY_VOID(authorize(session, administrator));
    PAWL_TRY(row, detail::load_user(session, user));
    if (!row) return user_not_found();
    return std::move(row->user);
  });
}

Result<User> UserAdmin::update(const Administrator& administrator, const UserId& user, const UserChanges& changes) {
  if (changes.name) PAWL_TRY_VOID(check_name(*changes.name));
  const auto now = d_.clock.now();
  User changed;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(detail::lock_superusers(transaction));
    PAWL_TRY_VOID(authorize(transaction, administrator));
    PAWL_TRY(row, detail::load_user(transaction, user));
    if (!row) return user_not_found();
    changed = row->user;
    if (changes.name) changed.name = *changes.name;
    if (changes.active) changed.active = *changes.active;
    if (changes.superuser) changed.superuser = *changes.superuser;
    changed.updated_at = now;
    PAWL_TRY_VOID(detail::update_user(transaction, changed));
    if (row->user.active && row->user.superuser) PAWL_TRY_VOID(keep_a_superuser(transaction));
    if (!changed.active) PAWL_TRY_VOID(detail::revoke_sessions(transaction, user, std::nullopt, "deactivated", now));
    return d_.record ? d_.record(transaction, {"user.changed", administrator.user, user, changes}) : Result<void>();
  };
  PAWL_TRY_VOID(d_.database.write_and_wait(work));
  if (d_.on_change) d_.on_change(user);
  return changed;
}

Result<void> UserAdmin::remove(const Administrator& administrator, const UserId& user) {
  const auto now = d_.clock.now();
  std::vector<OrganizationId> gone;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(detail::lock_superusers(transaction));
    PAWL_TRY_VOID(authorize(transaction, administrator));
    PAWL_TRY(row, detail::load_user(transaction, user));
    if (!row) return user_not_found();
    PAWL_TRY(deleted, d_.organizations.leave_everything(transaction, user, administrator.user));
    gone = std::move(deleted);
    PAWL_TRY_VOID(detail::erase_user(transaction, user, now));
    if (row->user.active && row->user.superuser) PAWL_TRY_VOID(keep_a_superuser(transaction));
    return d_.record ? d_.record(transaction, {"user.deleted", administrator.user, user, {}}) : Result<void>();
  };
  PAWL_TRY_VOID(d_.database.write_and_wait(work));
  d_.organizations.announce_deleted(gone);
  if (d_.on_change) d_.on_change(user);
  return {};
}

}  // namespace pawl::identity
