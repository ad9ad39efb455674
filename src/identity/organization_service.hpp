/// What people do with organizations: look, change, invite, promote, leave, delete.
///
/// Every call says who acts (`Actor`). The caller's gate has judged the request already; here the role is read again *inside the
/// transaction*, so a permission that was taken away a moment ago is gone, and no path leads around the check. To who is no member, an
/// organization does not exist. Rules that hold at the end of every transaction: an organization has an owner; only owners make, change or
/// remove owners; a personal organization lives as long as its user.
///
/// | error                       | class         |
/// | ---                         | ---           |
/// | `organization.not_found`    | not_found     | no such organization, or none of the actor's
/// | `organization.denied`       | denied        | the actor's role is too small
/// | `organization.invalid`      | unprocessable | name, description or slug
/// | `organization.slug_taken`   | conflict      |
/// | `organization.last_owner`   | conflict      | nobody would own it any more
/// | `organization.protected`    | conflict      | a personal one, or the installation's own, cannot be deleted
/// | `organization.full`         | limited       | too many members, invitations or memberships
/// | `member.not_found`          | not_found     |
/// | `member.exists`             | conflict      |
/// | `user.not_found`            | not_found     | nobody to add
/// | `invitation.not_found`      | not_found     | no open invitation with this id, in this organization
/// | `invitation.invalid_token`  | not_found     | unknown, used, revoked or expired: one answer for all of them
/// | `invitation.other_email`    | denied        | it was sent to another address than the verified one of who accepts
///
/// All functions block and are thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "identity/organizations.hpp"
#include "identity/principal.hpp"

namespace pawl::identity {

class Mailer;

/// Who acts in one organization.
struct Actor {
  UserId user;               ///< nil: the installation's own key
  std::optional<Role> role;  ///< the most that the credentials allow there; the database may say less
  bool superuser = false;    ///< acts as an owner everywhere
};
[[nodiscard]] Actor actor_in(const Principal& principal, const OrganizationId& organization);

/// An organization as one of its members sees it.
struct OrganizationView {
  Organization organization;
  std::optional<Role> role;  ///< of who looks; none: a superuser from outside
  std::int64_t members = 0;
};
struct OrganizationPage {
  std::vector<OrganizationView> organizations;
  std::optional<OrganizationId> next;
};
struct OrganizationChanges {
  std::optional<std::string> name{};  ///< the slug stays: addresses that were handed out keep working
  std::optional<std::string> description{};
  std::optional<std::string> slug{};   ///< only on request
  std::optional<Role> destroy_role{};  ///< `member` or more; only owners take it to `owner`, or away from there
};

struct Member {
  UserId user;
  std::string email;
  std::string name;
  Role role = Role::viewer;
  TimePoint joined_at{};
};
struct MemberPage {
  std::vector<Member> members;
  std::optional<UserId> next;
};

struct Invitation {
  InvitationId id;
  OrganizationId organization;
  std::string email;
  Role role = Role::viewer;
  std::optional<UserId> invited_by;
  TimePoint created_at{};
  TimePoint expires_at{};
};
/// What somebody who holds a token may know before accepting.
struct InvitationPreview {
  std::string organization;
  std::string email;
  Role role = Role::viewer;
  TimePoint expires_at{};
};

/// A kind of thing that belongs to organizations and goes when they go. The owners of the tables say how.
struct OrganizationPart {
  std::string name;  ///< plural, as the answer lists it: `workflows`
  std::function<Result<std::int64_t>(storage::Session&, const OrganizationId&)> count;
  /// In the deleting transaction; empty where `on_deleted` does the work.
  std::function<Result<void>(storage::Transaction&, const OrganizationId&, TimePoint)> remove{};
};
/// What deleting takes away, by kind, in the order of the parts; then `integrations`, `api_keys`, `invitations` and `members`.
using DeletionCounts = std::vector<std::pair<std::string, std::int64_t>>;

/// Accepts an invitation for a user who is known to read mail at `email`; a registration with the token proves just that. Answers where the
/// user now belongs. A member keeps the larger role.
[[nodiscard]] Result<Membership> accept_invitation(storage::Transaction& transaction, std::string_view token, const UserId& user,
                                                   std::string_view email, TimePoint now);
/// Whether the token is one of an open invitation to `email`; the errors of `accept_invitation`.
[[nodiscard]] Result<void> check_invitation(storage::Session& session, std::string_view token, std::string_view email, TimePoint now);
[[nodiscard]] Result<InvitationPreview> preview_invitation(storage::Session& session, std::string_view token, TimePoint now);

/// Something that the audit trail wants to know, told inside of the transaction that does it.
struct OrganizationEvent {
  std::string_view action;  ///< `organization.member_added`
  UserId actor;             ///< nil: the installation's own key
  OrganizationId organization;
  std::optional<UserId> user{};  ///< whom it concerns
  std::optional<InvitationId> invitation{};
  std::string_view role{};  ///< the new one
};

/// Somebody with an account was invited.
struct Invited {
  UserId user;
  OrganizationId home;       ///< the user's personal organization
  std::string organization;  ///< name of the one that invites
  Invitation invitation;
};

class Organizations {
 public:
  struct Dependencies {
    storage::Database& database;
    Mailer& mailer;
    const Clock& clock;
    Random& random;
    std::string public_url{};       ///< start of links in mails, without a slash at the end
    OrganizationId installation{};  ///< the one that is never deleted
    /// The audit trail; may be empty. Its error undoes the act.
    std::function<Result<void>(storage::Transaction&, const OrganizationEvent&)> record{};
  };
  explicit Organizations(const Dependencies& dependencies);
  ~Organizations();
  Organizations(const Organizations&) = delete;
  Organizations& operator=(const Organizations&) = delete;

  // Wiring, before the first call of anything else.
  void add_part(OrganizationPart part);
  /// Called after the commit, for every user whose memberships have changed: cached principals are stale.
  void on_membership_change(std::function<void(const UserId&)> listener);
  /// Called after the commit that deleted an organization: cancel its runs, forget what is cached.
  void on_deleted(std::function<void(const OrganizationId&)> listener);
  /// Called after the commit that changed who may destroy in an organization: what starts runs there by itself has to be asked anew.
  void on_destroy_role(std::function<void(const OrganizationId&)> listener);
  /// Called after the commit of an invitation whose address has an account.
  void on_invited(std::function<void(const Invited&)> listener);

  /// Those that the user belongs to, by id.
  [[nodiscard]] Result<OrganizationPage> list(const UserId& user, std::uint32_t limit, std::optional<OrganizationId> after);
  [[nodiscard]] Result<OrganizationView> create(const UserId& owner, const NewOrganization& request);
  [[nodiscard]] Result<OrganizationView> get(const OrganizationId& id, const Actor& actor);
  /// Admin. Of `destroy_role`: within the transaction, and known to every member's principal when it returns.
  [[nodiscard]] Result<OrganizationView> update(const OrganizationId& id, const Actor& actor, const OrganizationChanges& changes);
  /// Owner. What `remove` would take away now.
  [[nodiscard]] Result<DeletionCounts> preview_removal(const OrganizationId& id, const Actor& actor);
  /// Owner. Answers what was taken away.
  [[nodiscard]] Result<DeletionCounts> remove(const OrganizationId& id, const Actor& actor);

  [[nodiscard]] Result<MemberPage> members(const OrganizationId& id, const Actor& actor, std::uint32_t limit, std::optional<UserId> after);
  /// Admin; owners are added by owners. A user that exists, by id or confirmed address.
  [[nodiscard]] Result<Member> add_member(const OrganizationId& id, const Actor& actor, const UserId& user, Role role);
  [[nodiscard]] Result<Member> add_member(const OrganizationId& id, const Actor& actor, std::string_view email, Role role);
  /// Admin; owners are changed, and made, by owners.
  [[nodiscard]] Result<Member> change_role(const OrganizationId& id, const Actor& actor, const UserId& user, Role role);
  /// Admin, or the member itself (leaving); owners are removed by owners.
  [[nodiscard]] Result<void> remove_member(const OrganizationId& id, const Actor& actor, const UserId& user);

  /// Admin; owners are invited by owners. An open invitation to the same address is replaced. The mail is queued in the same transaction.
  [[nodiscard]] Result<Invitation> invite(const OrganizationId& id, const Actor& actor, std::string_view email, Role role);
  /// Admin. Open ones, oldest first.
  [[nodiscard]] Result<std::vector<Invitation>> invitations(const OrganizationId& id, const Actor& actor);
  /// Admin. A new token and seven days more; the old token is worth nothing.
  [[nodiscard]] Result<Invitation> resend(const OrganizationId& id, const Actor& actor, const InvitationId& invitation);
  /// Admin.
  [[nodiscard]] Result<void> revoke(const OrganizationId& id, const Actor& actor, const InvitationId& invitation);
  /// By a user who is signed in; the account's own address must be verified and the one that was invited.
  [[nodiscard]] Result<OrganizationView> accept(const UserId& user, std::string_view token);
  [[nodiscard]] Result<InvitationPreview> preview(std::string_view token);

  /// To be called by whoever changes memberships in a transaction of their own, after the commit.
  void membership_changed(const UserId& user);

  /// Before a user goes, in that transaction: ends all memberships and deletes the personal organization with all that belongs to it.
  /// Answers the organizations that were deleted, for `announce_deleted` after the commit. Error `organization.last_owner`: others would be
  /// left without an owner.
  [[nodiscard]] Result<std::vector<OrganizationId>> leave_everything(storage::Transaction& transaction, const UserId& user,
                                                                     const UserId& actor);
  void announce_deleted(const std::vector<OrganizationId>& organizations);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::identity
