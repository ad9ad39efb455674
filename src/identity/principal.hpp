/// Who asks, and what that one may do.
///
/// Authentication makes a `Principal` from a token; every decision about permission is made from it, by `permits`. Roles belong to a
/// membership: the same person may own one organization and only look at another.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace pawl::identity {

/// Role of a member within an organization, from least to most.
enum class Role : std::uint8_t { viewer, member, admin, owner };
[[nodiscard]] std::string_view to_text(Role role);
[[nodiscard]] std::optional<Role> parse_role(std::string_view text);

/// What a route, or an act behind it, asks for.
///
/// | permission   | who                                             |
/// | ---          | ---                                             |
/// | `open`       | anybody, without any credentials                |
/// | `account`    | whoever is signed in, for the own account       |
/// | `read`       | viewer and above, of the organization concerned |
/// | `execute`    | member and above                                |
/// | `write`      | member and above                                |
/// | `manage`     | admin and above: members, integrations, audit   |
/// | `own`        | owner: delete the organization                  |
/// | `administer` | administrators of the installation              |
enum class Permission : std::uint8_t { open, account, read, execute, write, manage, own, administer };
[[nodiscard]] std::string_view to_text(Permission permission);
[[nodiscard]] std::optional<Permission> parse_permission(std::string_view text);

/// The least role that an organization permission asks for; nothing for `open`, `account` and `administer`.
[[nodiscard]] std::optional<Role> required_role(Permission permission);

/// A set of permissions: what an API key was given. A key never gains more than its user has.
class Scopes {
 public:
  [[nodiscard]] static Scopes all() { return Scopes(0xFF); }
  void add(Permission permission) { bits_ |= bit(permission); }
  [[nodiscard]] bool has(Permission permission) const { return (bits_ & bit(permission)) != 0; }
  [[nodiscard]] std::uint32_t bits() const { return bits_; }
  [[nodiscard]] static Scopes from_bits(std::uint32_t bits) { return Scopes(bits); }
  Scopes() = default;
  friend bool operator==(const Scopes&, const Scopes&) = default;

 private:
  explicit Scopes(std::uint32_t bits) : bits_(bits) {}
  [[nodiscard]] static std::uint32_t bit(Permission permission) { return 1U << static_cast<unsigned>(permission); }
  std::uint32_t bits_ = 0;
};

struct Membership {
  OrganizationId organization;
  Role role = Role::viewer;
  Role destroy_role = Role::member;  ///< that the organization asks for before anything is destroyed
};

struct Principal {
  enum class Kind : std::uint8_t {
    anonymous,
    user,           ///< a session's access token
    api_key,        ///< a user's API key
    administrator,  ///< the installation's own key (`PAWL_API_KEY`); no user stands behind it
  };
  Kind kind = Kind::anonymous;
  UserId user;        ///< nil for `anonymous` and `administrator`
  SessionId session;  ///< of `user`
  ApiKeyId api_key;   ///< of `api_key`
  bool superuser = false;
  bool by_cookie = false;               ///< a browser's session: unsafe methods need the CSRF token
  Scopes scopes = Scopes::all();        ///< narrower for API keys
  std::vector<Membership> memberships;  ///< an API key has only its own organization
  OrganizationId home;                  ///< where a request that names no organization acts
  std::optional<TimePoint> expires_at;  ///< of the token or key: streams that it opened end then

  [[nodiscard]] std::optional<Role> role_in(const OrganizationId& organization) const;
  /// May this one do what asks for `permission` in `organization`? `open` is always permitted; for `account` and `administer` the
  /// organization does not matter.
  [[nodiscard]] bool permits(Permission permission, const OrganizationId& organization) const;
  /// May what this one starts in `organization` let functions destroy? By the role of the user, also with an API key.
  [[nodiscard]] bool may_destroy(const OrganizationId& organization) const;
};

}  // namespace pawl::identity
