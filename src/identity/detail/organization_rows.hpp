// SQL of organizations and members. The organization is a parameter of every function that an outside identity reaches.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "identity/organization_service.hpp"
#include "storage/database.hpp"

namespace pawl::identity::detail {

/// Error `organization.invalid`.
[[nodiscard]] Result<void> check_texts(std::string_view name, std::string_view description);
/// A slug for this name that nobody has.
[[nodiscard]] Result<std::string> free_slug(storage::Session& session, std::string_view name, Random& random);
[[nodiscard]] Result<bool> slug_exists(storage::Session& session, std::string_view slug);

/// What a person chose: the alphabet and length of `slug_of`. Error `organization.invalid`.
[[nodiscard]] Result<void> check_slug(std::string_view slug);

/// Keeps everybody else from changing the organization or its members until this transaction ends, so that counting owners after a change
/// means something. Error `organization.not_found`.
[[nodiscard]] Result<void> lock_organization(storage::Transaction& transaction, const OrganizationId& id);
[[nodiscard]] Result<std::optional<Organization>> find_organization(storage::Session& session, const OrganizationId& id);
[[nodiscard]] Result<void> insert_organization(storage::Transaction& transaction, const Organization& organization);
[[nodiscard]] Result<void> insert_member(storage::Transaction& transaction, const OrganizationId& organization, const UserId& user,
                                         Role role, TimePoint now);
[[nodiscard]] Result<void> update_organization(storage::Transaction& transaction, const Organization& organization);
/// With its members, invitations, API keys and integrations; the row remains, marked as deleted, because runs and the audit speak of it.
[[nodiscard]] Result<void> delete_organization(storage::Transaction& transaction, const OrganizationId& id, TimePoint now);

[[nodiscard]] Result<std::optional<Role>> find_role(storage::Session& session, const OrganizationId& organization, const UserId& user);
[[nodiscard]] Result<void> set_role(storage::Transaction& transaction, const OrganizationId& organization, const UserId& user, Role role);
[[nodiscard]] Result<void> delete_member(storage::Transaction& transaction, const OrganizationId& organization, const UserId& user);
[[nodiscard]] Result<std::optional<Member>> find_member(storage::Session& session, const OrganizationId& organization, const UserId& user);
[[nodiscard]] Result<std::vector<Member>> load_members(storage::Session& session, const OrganizationId& organization, std::uint32_t limit,
                                                       const UserId& after);
[[nodiscard]] Result<std::vector<UserId>> load_member_ids(storage::Session& session, const OrganizationId& organization);
[[nodiscard]] Result<std::vector<OrganizationId>> load_organization_ids(storage::Session& session, const UserId& user, std::uint32_t limit,
                                                                        const OrganizationId& after);
[[nodiscard]] Result<std::int64_t> count_owners(storage::Session& session, const OrganizationId& organization);
[[nodiscard]] Result<std::int64_t> count_members(storage::Session& session, const OrganizationId& organization);
[[nodiscard]] Result<std::int64_t> count_memberships(storage::Session& session, const UserId& user);
[[nodiscard]] Result<std::int64_t> count_integrations(storage::Session& session, const OrganizationId& organization);
[[nodiscard]] Result<std::int64_t> count_api_keys(storage::Session& session, const OrganizationId& organization);
[[nodiscard]] Result<std::int64_t> count_open_invitations(storage::Session& session, const OrganizationId& organization, TimePoint now);

}  // namespace pawl::identity::detail
