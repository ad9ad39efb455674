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

std::optional<Role> Principal::role_in(const OrganizationId& organization) const {
  const auto found =
      std::find_if(memberships.begin(), memberships.end(), [&](const Membership& each) { return each.organization == organization; });
  if (found == memberships.end()) return std::nullopt;
  return found->role;
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
