// What the parts of `Organizations` share.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "identity/detail/organization_rows.hpp"
#include "identity/detail/user_rows.hpp"
#include "identity/organization_service.hpp"

namespace pawl::identity {

struct Organizations::Impl {
  explicit Impl(const Dependencies& dependencies) : d(dependencies) {}

  using FindUser = std::function<Result<std::optional<detail::UserRow>>(storage::Session&)>;

  Dependencies d;
  std::vector<OrganizationPart> parts;
  std::function<void(const UserId&)> changed;
  std::function<void(const OrganizationId&)> deleted;
  std::function<void(const OrganizationId&)> destroy_role_changed;
  std::function<void(const Invited&)> invited;

  [[nodiscard]] Result<DeletionCounts> count_parts(storage::Session& session, const OrganizationId& id) const;
  [[nodiscard]] Result<void> check_removal(storage::Session& session, const OrganizationId& id, const Actor& actor) const;
  [[nodiscard]] Result<Member> add(storage::Transaction& transaction, const OrganizationId& id, const detail::UserRow& user,
                                   Role role) const;
  [[nodiscard]] Result<Member> add_found(const OrganizationId& id, const Actor& actor, Role role, const FindUser& find);
  [[nodiscard]] Result<void> record(storage::Transaction& transaction, const OrganizationEvent& event) const {
    return d.record ? d.record(transaction, event) : Result<void>();
  }
  /// With everything that belongs to it.
  [[nodiscard]] Result<void> erase(storage::Transaction& transaction, const OrganizationId& id, TimePoint now) const;
  /// Queues the mail of an invitation.
  [[nodiscard]] Result<void> send(storage::Transaction& transaction, const Invitation& invitation, std::string_view token,
                                  const UserId& inviter) const;
};

namespace detail {

[[nodiscard]] Error organization_not_found();
/// The role with which the actor acts, read in this transaction. Errors `organization.not_found`, `organization.denied`.
[[nodiscard]] Result<Role> authorize(storage::Session& session, const OrganizationId& id, const Actor& actor, Role needed);
/// Error `organization.full`.
[[nodiscard]] Result<void> room_for_member(storage::Session& session, const OrganizationId& id, const UserId& user);

}  // namespace detail
}  // namespace pawl::identity
