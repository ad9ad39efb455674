// Accounts of providers that a user who is signed in adds and takes away.
#include <fmt/core.h>

#include <algorithm>

#include "identity/detail/accounts_impl.hpp"
#include "identity/detail/mail_text.hpp"
#include "identity/oauth.hpp"

namespace pawl::identity {
namespace {

Message link_message(const User& user, std::string_view provider, bool added) {
  return {added ? "provider-linked" : "provider-unlinked", user.email,
          added ? "Your Pawl account signs in with another provider now" : "Your Pawl account does not sign in with a provider any more",
          fmt::format("Hello {},\n\nthis account {} with {} from now on. If it was not you, change your password at once and tell your "
                      "administrator.\n",
                      detail::shown(user.name), added ? "can sign in" : "can no longer sign in", provider),
          std::chrono::hours(24)};
}

}  // namespace

Result<std::vector<LinkedProvider>> Accounts::linked_providers(const UserId& user) {
  std::vector<LinkedProvider> links;
  PAWL_TRY_VOID(impl_->d.database.read([&](storage::Session& session) {
    return session.query(
        "select provider, email, created_at, last_used_at from oauth_identities where user_id = $1 order by provider, "
        "created_at, subject",
        {user}, [&](const storage::Row& row) {
          links.push_back({std::string(row.text(0)), std::string(row.text(1)), row.time(2), row.time(3)});
        });
  }));
  return links;
}

Result<void> Accounts::link_provider(const UserId& user, const ExternalIdentity& identity, const Client& client) {
  auto& impl = *impl_;
  const auto now = impl.d.clock.now();
  const AccountEvent event{.action = "account.oauth_linked", .user = user, .address = client.address, .reason = identity.provider};
  bool is_new = false;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    is_new = false;
    PAWL_TRY(row, detail::load_user(transaction, user));
    if (!row || !row->user.active) return invalid_credentials();
    if (identity.asked_by) {
      // Whoever asked may have been signed out since, by a new password perhaps.
      PAWL_TRY(session, detail::load_session(transaction, identity.asked_by->session));
      if (!session || session->user != user || session->revoked_at || session->info.expires_at <= now) return invalid_credentials();
    }
    std::optional<UserId> present;
    PAWL_TRY_VOID(transaction.query("select user_id from oauth_identities where provider = $1 and subject = $2",
                                    {identity.provider, identity.subject},
                                    [&](const storage::Row& found) { present = found.id<UserId>(0); }));
    if (present && *present != user) {
      return Error(ErrorClass::conflict, "oauth.linked_elsewhere", "This account of the provider leads to another user here.");
    }
    if (present) return {};
    is_new = true;
    PAWL_TRY_VOID(transaction.execute(
        "insert into oauth_identities (provider, subject, user_id, email, created_at, last_used_at) values ($1, $2, $3, $4, $5, $5)",
        {identity.provider, identity.subject, user, identity.email_verified ? identity.email : std::string(), now}));
    PAWL_TRY_VOID(impl.d.mailer.send(transaction, link_message(row->user, identity.provider, true)));
    return impl.record(transaction, event);
  };
  PAWL_TRY_VOID(impl.d.database.write_and_wait(work));
  if (is_new) impl.report(event);
  return {};
}

Result<void> Accounts::unlink_provider(const UserId& user, const std::optional<SessionId>& keep, std::string_view provider,
                                       std::string_view password, const Client& client) {
  auto& impl = *impl_;
  PAWL_TRY(links, linked_providers(user));
  const auto is_it = [&](const LinkedProvider& link) { return link.provider == provider; };
  if (std::none_of(links.begin(), links.end(), is_it)) {
    return Error(ErrorClass::not_found, "oauth.not_linked", "Your account is not linked with this provider.");
  }
  PAWL_TRY(row, impl.load(user));
  if (!row.password_hash && std::all_of(links.begin(), links.end(), is_it)) {
    return Error(ErrorClass::conflict, "oauth.last_way",
                 "This is the only way in which you can sign in: set a password with `forgot password` first.");
  }
  constexpr std::string_view kAction = "account.oauth_unlinked";
  PAWL_TRY_VOID(prove_password(kAction, user, password, client));
  const auto now = impl.d.clock.now();
  const AccountEvent event{.action = kAction, .user = user, .address = client.address, .reason = provider};
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(present, detail::load_user(transaction, user));
    // The password was taken away meanwhile: then this may be the only way that is left.
    if (!present || present->password_hash != row.password_hash) return invalid_credentials();
    PAWL_TRY_VOID(transaction.execute("delete from oauth_identities where user_id = $1 and provider = $2", {user, provider}));
    PAWL_TRY_VOID(detail::revoke_sessions(transaction, user, keep, "unlinked from a provider", now));
    PAWL_TRY_VOID(impl.d.mailer.send(transaction, link_message(present->user, provider, false)));
    return impl.record(transaction, event);
  };
  return impl.end_access(work, user, event);
}

}  // namespace pawl::identity
