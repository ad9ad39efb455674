#include "identity/detail/invitation_rows.hpp"

#include "identity/detail/organization_rows.hpp"

namespace pawl::identity::detail {
namespace {

storage::Parameter to_blob(const crypto::Digest& digest) {
  return storage::Parameter::blob({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

/// Of `id, organization_id, email, role, invited_by, created_at, expires_at`.
Invitation to_invitation(const storage::Row& row) {
  Invitation invitation;
  invitation.id = row.id<InvitationId>(0);
  invitation.organization = row.id<OrganizationId>(1);
  invitation.email = std::string(row.text(2));
  invitation.role = parse_role(row.text(3)).value_or(Role::viewer);
  if (!row.is_null(4)) invitation.invited_by = row.id<UserId>(4);
  invitation.created_at = row.time(5);
  invitation.expires_at = row.time(6);
  return invitation;
}

}  // namespace

Result<void> insert_invitation(storage::Transaction& transaction, const Invitation& invitation, const crypto::Digest& token_hash) {
  PAWL_TRY_VOID(
      transaction.execute("insert into invitations (id, organization_id, email, role, token_hash, invited_by, created_at, expires_at) "
                          "values ($1, $2, $3, $4, $5, $6, $7, $8)",
                          {invitation.id, invitation.organization, invitation.email, to_text(invitation.role), to_blob(token_hash),
                           invitation.invited_by, invitation.created_at, invitation.expires_at}));
  return {};
}

Result<void> renew_invitation(storage::Transaction& transaction, const Invitation& invitation, const crypto::Digest& token_hash) {
  PAWL_TRY_VOID(transaction.execute("update invitations set token_hash = $1, invited_by = $2, expires_at = $3 where id = $4",
                                    {to_blob(token_hash), invitation.invited_by, invitation.expires_at, invitation.id}));
  return {};
}

Result<std::optional<Invitation>> find_invitation(storage::Session& session, const OrganizationId& organization, const InvitationId& id) {
  std::optional<Invitation> found;
  PAWL_TRY_VOID(
      session.query("select id, organization_id, email, role, invited_by, created_at, expires_at from invitations "
                    "where organization_id = $1 and id = $2 and accepted_at is null and revoked_at is null",
                    {organization, id}, [&](const storage::Row& row) { found = to_invitation(row); }));
  return found;
}

Result<std::optional<Invitation>> find_open_by_token(storage::Session& session, const crypto::Digest& token_hash, TimePoint now) {
  std::optional<Invitation> found;
  PAWL_TRY_VOID(
      session.query("select id, organization_id, email, role, invited_by, created_at, expires_at from invitations "
                    "where token_hash = $1 and accepted_at is null and revoked_at is null and expires_at > $2",
                    {to_blob(token_hash), now}, [&](const storage::Row& row) { found = to_invitation(row); }));
  return found;
}

Result<std::vector<Invitation>> load_open_invitations(storage::Session& session, const OrganizationId& organization, TimePoint now,
                                                      std::uint32_t limit) {
  std::vector<Invitation> found;
  PAWL_TRY_VOID(
      session.query("select id, organization_id, email, role, invited_by, created_at, expires_at from invitations "
                    "where organization_id = $1 and accepted_at is null and revoked_at is null and expires_at > $2 order by id limit $3",
                    {organization, now, limit}, [&](const storage::Row& row) { found.push_back(to_invitation(row)); }));
  return found;
}

Result<std::int64_t> count_open_invitations(storage::Session& session, const OrganizationId& organization, TimePoint now) {
  std::int64_t count = 0;
  PAWL_TRY_VOID(session.query(
      "select count(*) from invitations where organization_id = $1 and accepted_at is null and revoked_at is null and expires_at > $2",
      {organization, now}, [&](const storage::Row& row) { count = row.integer(0); }));
  return count;
}

Result<bool> revoke_invitation(storage::Transaction& transaction, const OrganizationId& organization, const InvitationId& id,
                               TimePoint now) {
  PAWL_TRY(changed, transaction.execute("update invitations set revoked_at = $1 where organization_id = $2 and id = $3 and "
                                        "accepted_at is null and revoked_at is null",
                                        {now, organization, id}));
  return changed == 1;
}

Result<void> revoke_open(storage::Transaction& transaction, const OrganizationId& organization, std::string_view email, TimePoint now) {
  PAWL_TRY_VOID(
      transaction.execute("update invitations set revoked_at = $1 where organization_id = $2 and email = $3 and "
                          "accepted_at is null and revoked_at is null",
                          {now, organization, email}));
  return {};
}

Result<bool> mark_accepted(storage::Transaction& transaction, const InvitationId& id, const UserId& user, TimePoint now) {
  PAWL_TRY(changed, transaction.execute("update invitations set accepted_at = $1, accepted_by = $2 where id = $3 and "
                                        "accepted_at is null and revoked_at is null",
                                        {now, user, id}));
  return changed == 1;
}

}  // namespace pawl::identity::detail
