#include "identity/detail/user_rows.hpp"
#include "identity/oauth.hpp"
#include "identity/organizations.hpp"
#include "storage/database.hpp"

namespace pawl::identity {
namespace {

Error deactivated() { return {ErrorClass::unauthenticated, "auth.invalid_credentials", "This account cannot sign in."}; }
Error unverified() {
  return {ErrorClass::unauthenticated, "oauth.unverified_email", "The provider has not verified an e-mail address of this account."};
}
Error sign_in_required(std::string why) { return {ErrorClass::conflict, "oauth.sign_in_required", std::move(why)}; }
Error registration_closed() {
  return {ErrorClass::denied, "auth.registration_closed",
          "There is no account for this address, and new ones are made by invitation only."};
}

Result<std::optional<UserId>> find_linked(storage::Session& session, const ExternalIdentity& identity) {
  std::optional<UserId> found;
  PAWL_TRY_VOID(session.query("select user_id from oauth_identities where provider = $1 and subject = $2",
                              {identity.provider, identity.subject}, [&](const storage::Row& row) { found = row.id<UserId>(0); }));
  return found;
}

Result<void> link(storage::Transaction& transaction, const ExternalIdentity& identity, const UserId& user, TimePoint now) {
  PAWL_TRY_VOID(transaction.execute(
      "insert into oauth_identities (provider, subject, user_id, email, created_at, last_used_at) values ($1, $2, $3, $4, $5, $5) "
      "on conflict (provider, subject) do update set email = excluded.email, last_used_at = excluded.last_used_at",
      {identity.provider, identity.subject, user, identity.email, now}));
  return {};
}

/// May this account be entered on the provider's word alone?
Result<void> check_entry(const User& user) {
  if (!user.active) return deactivated();
  if (user.totp_enabled) return sign_in_required("This account asks for a code at every sign-in: use its password and the code.");
  return {};
}

Result<UserId> make_user(storage::Transaction& transaction, const ExternalIdentity& identity, TimePoint now, Random& random) {
  detail::UserRow row;
  row.user.id = UserId::make(now, random);
  row.user.email = row.email_key = identity.email;
  row.user.name = identity.name.empty() ? identity.email.substr(0, identity.email.find('@')) : identity.name;
  row.user.email_verified_at = now;
  row.user.created_at = row.user.updated_at = now;
  PAWL_TRY_VOID(detail::insert_user(transaction, row));
  NewOrganization personal;
  personal.name = row.user.name;
  personal.personal = true;
  PAWL_TRY_VOID(create_organization(transaction, personal, row.user.id, now, random));
  return row.user.id;
}

struct Found {
  UserId user;
  bool linked = false;  // already
  bool made = false;
};

Result<Found> find_or_make(storage::Transaction& transaction, const ExternalIdentity& identity, bool may_register, TimePoint now,
                           Random& random) {
  PAWL_TRY(linked, find_linked(transaction, identity));
  if (linked) {
    PAWL_TRY(row, detail::load_user(transaction, *linked));
    if (!row) return deactivated();
    PAWL_TRY_VOID(check_entry(row->user));
    return Found{*linked, true};
  }
  if (!identity.email_verified || identity.email.empty()) return unverified();
  PAWL_TRY(row, detail::load_user_by_email(transaction, identity.email));
  if (!row) {
    if (!may_register) return registration_closed();
    PAWL_TRY(made, make_user(transaction, identity, now, random));
    return Found{made, false, true};
  }
  // Somebody may have registered with an address that is not theirs, and wait for its owner to come by the provider.
  if (!row->user.email_verified_at) {
    return sign_in_required("An account with this address exists, but has not confirmed it: sign in with its password and confirm first.");
  }
  PAWL_TRY_VOID(check_entry(row->user));
  return Found{row->user.id};
}

}  // namespace

Result<UserId> user_of(storage::Database& database, const ExternalIdentity& identity, bool may_register, TimePoint now, Random& random,
                       const AccountWitness& witness) {
  UserId user;
  std::vector<AccountEvent> events;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(found, find_or_make(transaction, identity, may_register, now, random));
    user = found.user;
    PAWL_TRY_VOID(link(transaction, identity, user, now));
    events.clear();
    if (found.made) events.push_back({.action = "account.registered", .user = user, .reason = identity.provider});
    if (!found.linked) events.push_back({.action = "account.oauth_linked", .user = user, .reason = identity.provider});
    for (const auto& event : events) {
      if (witness.record) PAWL_TRY_VOID(witness.record(transaction, event));
    }
    return {};
  };
  PAWL_TRY_VOID(database.write_and_wait(work));
  for (const auto& event : events) {
    if (witness.report) witness.report(event);
  }
  return user;
}

}  // namespace pawl::identity
