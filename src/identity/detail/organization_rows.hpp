// SQL of organizations and members. The organization is a parameter of every function that an outside identity reaches.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "identity/organizations.hpp"
#include "storage/database.hpp"

namespace pawl::identity::detail {

/// Error `organization.invalid`.
[[nodiscard]] Result<void> check_texts(std::string_view name, std::string_view description);
/// A slug for this name that nobody has.
[[nodiscard]] Result<std::string> free_slug(storage::Session& session, std::string_view name, Random& random);
[[nodiscard]] Result<bool> slug_exists(storage::Session& session, std::string_view slug);

[[nodiscard]] Result<std::optional<Organization>> find_organization(storage::Session& session, const OrganizationId& id);
[[nodiscard]] Result<void> insert_organization(storage::Transaction& transaction, const Organization& organization);
[[nodiscard]] Result<void> insert_member(storage::Transaction& transaction, const OrganizationId& organization, const UserId& user,
                                         Role role, TimePoint now);

}  // namespace pawl::identity::detail
