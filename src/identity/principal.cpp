#include "identity/principal.hpp"

#include <algorithm>
#include <array>

namespace pawl::identity {
namespace {

constexpr std::array<std::string_view, 4> kRoles{"viewer", "member", "admin", "owner"};
constexpr std::array<std::string_view, 8> kPermissions{"open", "account", "read", "execute", "write", "manage", "own", "administer"};

}  // namespace

std::string_view to_text(Role role) { return kRoles[static_cast<std::size_t>(role)]; }

std::optional<Role> parse_role(std::string_view text) {
  const auto* const found = std::find(kRoles.begin(), kRoles.end(), text);
  if (found == kRoles.end()) return std::nullopt;
  return static_cast<Role>(found - kRoles.begin());
}

std::string_view to_text(Permission permission) { return kPermissions[static_cast<std::size_t>(permission)]; }

std::optional<Permission> parse_permission(std::string_view text) {
  const auto* const found = std::find(kPermissions.begin(), kPermissions.end(), text);
  if (found == kPermissions.end()) return std::nullopt;
  return static_cast<Permission>(found - kPermissions.begin());
}

std::optional<Role> required_role(Permission permission) {
  switch (permission) {
    case Permission::open:
    case Permission::account:
    case Permission::administer: return std::nullopt;
    case Permission::read: return Role::viewer;
    case Permission::execute:
    case Permission::write: return Role::member;
    case Permission::manage: return Role::admin;
    case Permission::own: return Role::owner;
  }
  return std::nullopt;
}

namespace {

const Membership* membership_in(const std::vector<Membership>& memberships, const OrganizationId& organization) {
  const auto found =
      std::find_if(memberships.begin(), memberships.end(), [&](const Membership& each) { return each.organization == organization; });
  return found == memberships.end() ? nullptr : &*found;
}

}  // namespace

std::optional<Role> Principal::role_in(const OrganizationId& organization) const {
  const auto* membership = membership_in(memberships, organization);
  if (membership == nullptr) return std::nullopt;
  return membership->role;
}

bool Principal::may_destroy(const OrganizationId& organization) const {
  if (superuser && scopes.has(Permission::administer)) return true;
  const auto* membership = membership_in(memberships, organization);
  return membership != nullptr && membership->role >= membership->destroy_role;
}

bool Principal::permits(Permission permission, const OrganizationId& organization) const {
  if (permission == Permission::open) return true;
  if (kind == Kind::anonymous || !scopes.has(permission)) return false;
  if (permission == Permission::account) return kind == Kind::user || kind == Kind::api_key;
  if (permission == Permission::administer) return superuser;
  const auto role = role_in(organization);
  return role && *role >= *required_role(permission);
}

}  // namespace pawl::identity
