/// Organizations and their members, as steps of a transaction.
///
/// What must happen together with something else (a registration makes a user *and* a personal organization; an invitation accepted at
/// registration makes a user *and* a member) is a function here that takes the caller's transaction. What a person asks for is
/// `organization_service.hpp`.
///
/// Errors: `organization.invalid` (422, with findings), `organization.slug_taken`, those of storage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "identity/principal.hpp"

namespace pawl::storage {
class Database;
class Session;
class Transaction;
}  // namespace pawl::storage

namespace pawl::identity {

struct Organization {
  OrganizationId id;
  std::string name;
  std::string slug;  ///< unique among the organizations that exist; for people and addresses
  std::string description;
  std::optional<UserId> personal_of;  ///< the user whose own organization this is
  Role destroy_role = Role::member;   ///< the least role whose runs may destroy; never `viewer`
  TimePoint created_at{};
  TimePoint updated_at{};
};

struct NewOrganization {
  std::string name;
  std::string description{};
  bool personal = false;  ///< the owner's own: it lives as long as that user
};

/// Makes an organization with its first owner. The slug is made of the name. Error `organization.invalid`: an empty or overlong name.
[[nodiscard]] Result<OrganizationId> create_organization(storage::Transaction& transaction, const NewOrganization& request,
                                                         const UserId& owner, TimePoint now, Random& random);

/// What a principal is made of: every membership of a user, oldest first, without organizations that were deleted.
[[nodiscard]] Result<std::vector<Membership>> load_memberships(storage::Session& session, const UserId& user);

/// The user's personal organization, or nothing.
[[nodiscard]] Result<std::optional<OrganizationId>> personal_organization(storage::Session& session, const UserId& user);

/// The organization of the installation itself, where things belong that no user made; made at first start.
[[nodiscard]] Result<OrganizationId> ensure_organization(storage::Database& database, const Clock& clock, Random& random);

/// `Ada & Söhne GmbH` to `ada-s-hne-gmbh`: lower-case letters and digits of ASCII, single hyphens, at most 48 bytes; `organization` where
/// nothing is left.
[[nodiscard]] std::string slug_of(std::string_view name);

}  // namespace pawl::identity
