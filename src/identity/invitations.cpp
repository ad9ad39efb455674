#include <fmt/core.h>

#include <algorithm>

#include "crypto/crypto.hpp"
#include "identity/detail/invitation_rows.hpp"
#include "identity/detail/mail_text.hpp"
#include "identity/detail/organization_impl.hpp"
#include "identity/mailer.hpp"

namespace pawl::identity {
namespace {

using detail::authorize;
using detail::lock_organization;
using detail::shown;

constexpr Millis kValid = std::chrono::hours(7 * 24);
constexpr Millis kWorthSending = std::chrono::hours(3 * 24);
constexpr std::int64_t kMaxOpen = 500;

Error invitation_not_found() { return {ErrorClass::not_found, "invitation.not_found", "There is no open invitation like this."}; }
Error invalid_token() {
  return {ErrorClass::not_found, "invitation.invalid_token", "This invitation is not valid, or not any more. Ask for a new one."};
}

/// Owners are invited by owners only.
Result<void> may_give(Role acting, Role role) {
  if (role < Role::owner || acting == Role::owner) return {};
  return Error(ErrorClass::denied, "organization.denied", "Only owners invite owners.");
}

/// The role of an invitation may not be more than its sender could still give.
Result<void> check_sender(storage::Session& session, const Invitation& invitation) {
  if (!invitation.invited_by) return {};
  PAWL_TRY(role, detail::find_role(session, invitation.organization, *invitation.invited_by));
  const auto needed = invitation.role == Role::owner ? Role::owner : Role::admin;
  if (!role || *role < needed) return invalid_token();
  return {};
}

}  // namespace

Result<void> Organizations::Impl::send(storage::Transaction& transaction, const Invitation& invitation, std::string_view token,
                                       const UserId& inviter) const {
  PAWL_TRY(organization, detail::find_organization(transaction, invitation.organization));
  PAWL_TRY(user, detail::load_user(transaction, inviter));
  Message message;
  message.kind = "invitation";
  message.keep = kWorthSending;
  message.to = invitation.email;
  message.subject = fmt::format("You are invited to join {}", shown(organization->name));
  message.text = fmt::format(
      "Hello,\n\n{} invites you to join {} with the role {}.\n\nAccept the invitation:\n{}/invitation#{}\n\n"
      "The link works once, for seven days. If you do not know who sends this, ignore it.\n",
      user ? shown(user->user.name) : "An administrator", shown(organization->name), to_text(invitation.role), d.public_url, token);
  return d.mailer.send(transaction, message);
}

Result<Invitation> Organizations::invite(const OrganizationId& id, const Actor& actor, std::string_view email, Role role) {
  const auto now = impl_->d.clock.now();
  const auto token = crypto::random_token();
  Invitation invitation;
  invitation.id = InvitationId::make(now, impl_->d.random);
  invitation.organization = id;
  invitation.email = email_key(email).value_or(std::string());
  invitation.role = role;
  if (!actor.user.is_nil()) invitation.invited_by = actor.user;
  invitation.created_at = now;
  invitation.expires_at = now + kValid;
  if (invitation.email.empty()) {
    Finding finding;
    finding.pointer = "/email";
    finding.message = "This is no e-mail address.";
    finding.rule = "format";
    return Error(ErrorClass::unprocessable, "organization.invalid", "The invitation cannot be sent.", {std::move(finding)});
  }
  std::optional<Invited> invited;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    invited.reset();
    PAWL_TRY_VOID(lock_organization(transaction, id));
    PAWL_TRY(acting, authorize(transaction, id, actor, Role::admin));
    PAWL_TRY_VOID(may_give(acting, role));
    PAWL_TRY(user, detail::load_user_by_email(transaction, invitation.email));
    if (user) {
      PAWL_TRY(present, detail::find_role(transaction, id, user->user.id));
      if (present) return Error(ErrorClass::conflict, "member.exists", "This user is a member already.");
      PAWL_TRY(home, personal_organization(transaction, user->user.id));
      PAWL_TRY(organization, detail::find_organization(transaction, id));
      if (home && organization) invited = Invited{user->user.id, *home, organization->name, {}};
    }
    PAWL_TRY_VOID(detail::revoke_open(transaction, id, invitation.email, now));
    PAWL_TRY(open, detail::count_open_invitations(transaction, id, now));
    if (open >= kMaxOpen) return Error(ErrorClass::limited, "organization.full", "The organization has too many open invitations.");
    PAWL_TRY_VOID(detail::insert_invitation(transaction, invitation, crypto::hash(token)));
    PAWL_TRY_VOID(impl_->send(transaction, invitation, token, actor.user));
    return impl_->record(
        transaction,
        {.action = "organization.invited", .actor = actor.user, .organization = id, .invitation = invitation.id, .role = to_text(role)});
  };
  PAWL_TRY_VOID(impl_->d.database.write_and_wait(work));
  if (invited && impl_->invited) {
    invited->invitation = invitation;
    impl_->invited(*invited);
  }
  return invitation;
}

Result<std::vector<Invitation>> Organizations::invitations(const OrganizationId& id, const Actor& actor) {
  return impl_->d.database.read([&](storage::Session& session) -> Result<std::vector<Invitation>> {
    PAWL_TRY_VOID(authorize(session, id, actor, Role::admin));
    return detail::load_open_invitations(session, id, impl_->d.clock.now(), static_cast<std::uint32_t>(kMaxOpen));
  });
}

Result<Invitation> Organizations::resend(const OrganizationId& id, const Actor& actor, const InvitationId& invitation) {
  const auto now = impl_->d.clock.now();
  const auto token = crypto::random_token();
  Invitation sent;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(lock_organization(transaction, id));
    PAWL_TRY(acting, authorize(transaction, id, actor, Role::admin));
    PAWL_TRY(found, detail::find_invitation(transaction, id, invitation));
    if (!found) return invitation_not_found();
    PAWL_TRY_VOID(may_give(acting, found->role));
    sent = std::move(*found);
    sent.expires_at = now + kValid;
    // Whoever sends it again answers for it from now on.
    sent.invited_by.reset();
    if (!actor.user.is_nil()) sent.invited_by = actor.user;
    PAWL_TRY_VOID(detail::renew_invitation(transaction, sent, crypto::hash(token)));
    PAWL_TRY_VOID(impl_->send(transaction, sent, token, actor.user));
    return impl_->record(
        transaction,
        {.action = "organization.invited", .actor = actor.user, .organization = id, .invitation = invitation, .role = to_text(sent.role)});
  };
  PAWL_TRY_VOID(impl_->d.database.write_and_wait(work));
  return sent;
}

Result<void> Organizations::revoke(const OrganizationId& id, const Actor& actor, const InvitationId& invitation) {
  const auto now = impl_->d.clock.now();
  return impl_->d.database.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(authorize(transaction, id, actor, Role::admin));
    PAWL_TRY(revoked, detail::revoke_invitation(transaction, id, invitation, now));
    if (!revoked) return invitation_not_found();
    return impl_->record(transaction,
                         {.action = "organization.invitation_revoked", .actor = actor.user, .organization = id, .invitation = invitation});
  });
}

Result<void> check_invitation(storage::Session& session, std::string_view token, std::string_view email, TimePoint now) {
  PAWL_TRY(found, detail::find_open_by_token(session, crypto::hash(token), now));
  if (!found) return invalid_token();
  if (found->email != email_key(email)) {
    return Error(ErrorClass::denied, "invitation.other_email", "The invitation was sent to another address than this account's.");
  }
  return check_sender(session, *found);
}

Result<Membership> accept_invitation(storage::Transaction& transaction, std::string_view token, const UserId& user, std::string_view email,
                                     TimePoint now) {
  PAWL_TRY(found, detail::find_open_by_token(transaction, crypto::hash(token), now));
  if (!found) return invalid_token();
  PAWL_TRY_VOID(lock_organization(transaction, found->organization));
  PAWL_TRY_VOID(check_invitation(transaction, token, email, now));
  PAWL_TRY(accepted, detail::mark_accepted(transaction, found->id, user, now));
  if (!accepted) return invalid_token();
  PAWL_TRY(present, detail::find_role(transaction, found->organization, user));
  if (present) {
    const auto role = std::max(*present, found->role);
    PAWL_TRY_VOID(detail::set_role(transaction, found->organization, user, role));
    return Membership{found->organization, role};
  }
  PAWL_TRY_VOID(detail::room_for_member(transaction, found->organization, user));
  PAWL_TRY_VOID(detail::insert_member(transaction, found->organization, user, found->role, now));
  return Membership{found->organization, found->role};
}

Result<InvitationPreview> preview_invitation(storage::Session& session, std::string_view token, TimePoint now) {
  PAWL_TRY(found, detail::find_open_by_token(session, crypto::hash(token), now));
  if (!found) return invalid_token();
  PAWL_TRY_VOID(check_sender(session, *found));
  PAWL_TRY(organization, detail::find_organization(session, found->organization));
  if (!organization) return invalid_token();
  InvitationPreview preview;
  preview.organization = organization->name;
  preview.email = found->email;
  preview.role = found->role;
  preview.expires_at = found->expires_at;
  return preview;
}

Result<OrganizationView> Organizations::accept(const UserId& user, std::string_view token) {
  Membership membership;
  const auto now = impl_->d.clock.now();
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(row, detail::load_user(transaction, user));
    if (!row || !row->user.email_verified_at) {
      return Error(ErrorClass::denied, "invitation.other_email", "Confirm your account's e-mail address before you accept an invitation.");
    }
    PAWL_TRY(joined, accept_invitation(transaction, token, user, row->user.email, now));
    membership = joined;
    return impl_->record(
        transaction,
        {.action = "organization.joined", .actor = user, .organization = joined.organization, .user = user, .role = to_text(joined.role)});
  };
  PAWL_TRY_VOID(impl_->d.database.write_and_wait(work));
  membership_changed(user);
  return get(membership.organization, {user, membership.role, false});
}

Result<InvitationPreview> Organizations::preview(std::string_view token) {
  const auto now = impl_->d.clock.now();
  return impl_->d.database.read([&](storage::Session& session) { return preview_invitation(session, token, now); });
}

}  // namespace pawl::identity
