#include <fmt/core.h>

#include "identity/detail/mail_text.hpp"
#include "identity/detail/session_rows.hpp"
#include "identity/detail/user_rows.hpp"
#include "identity/mailer.hpp"
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
      {identity.provider, identity.subject, user, identity.email_verified ? identity.email : std::string(), now}));
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

Message linked_message(const User& user, std::string_view provider) {
  return {"account-linked", user.email, "Your Pawl account signs in with another provider now",
          fmt::format("Hello {},\n\nsomebody signed in to this account with {} for the first time just now. Its password was removed, all "
                      "devices were signed out and its API keys revoked, so that nobody else has a way in. You can set a password with "
                      "`forgot password`. If it was not you, do so at once and tell your administrator.\n",
                      detail::shown(user.name), provider),
          std::chrono::hours(24)};
}

/// Whoever made the account, and may have got its address confirmed by a careless click, need not be whom the provider knows.
Result<void> take_over(storage::Transaction& transaction, Mailer& mailer, const User& user, std::string_view provider, TimePoint now) {
  PAWL_TRY_VOID(detail::clear_password(transaction, user.id, now));
  PAWL_TRY_VOID(detail::revoke_sessions(transaction, user.id, std::nullopt, "linked with a provider", now));
  PAWL_TRY_VOID(detail::revoke_api_keys(transaction, user.id, now));
  return mailer.send(transaction, linked_message(user, provider));
}

struct Found {
  UserId user;
  bool linked = false;  // already
  bool made = false;
  std::optional<User> taken_over{};
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
  Found found{row->user.id};
  if (row->password_hash) found.taken_over = row->user;
  return found;
}

}  // namespace

Result<Entry> user_of(storage::Database& database, Mailer& mailer, const ExternalIdentity& identity, bool may_register, TimePoint now,
                      Random& random, const AccountWitness& witness) {
  Entry entry;
  std::vector<AccountEvent> events;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(found, find_or_make(transaction, identity, may_register, now, random));
    const auto& user = found.user;
    entry = {user, found.taken_over.has_value()};
    PAWL_TRY_VOID(link(transaction, identity, user, now));
    if (found.taken_over) {
      PAWL_TRY_VOID(detail::delete_links(transaction, user, identity.email));
      PAWL_TRY_VOID(take_over(transaction, mailer, *found.taken_over, identity.provider, now));
    }
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
  return entry;
}

}  // namespace pawl::identity
