// Signing in, staying signed in, and the list of sessions.
#include <algorithm>

#include "crypto/hmac.hpp"
#include "identity/access_token.hpp"
#include "identity/detail/accounts_impl.hpp"
#include "identity/oauth.hpp"

namespace pawl::identity {
namespace {

constexpr std::string_view kLogin = "account.login";
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kMaxUserAgentBytes = 256;

Error invalid_token() {
  return {ErrorClass::unauthenticated, "auth.invalid_token", "The token is not valid, or not any more; sign in again."};
}
Error reused_token() {
  return {ErrorClass::unauthenticated, "auth.token_reused",
          "This refresh token was used before. Somebody else may have it, so the session was ended; sign in again."};
}

std::string shown_user_agent(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kMaxUserAgentBytes))
    out += static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7E ? '?' : c;
  return out;
}

/// Between the check of a password or of a provider's word and the session that follows from it, the account may have changed: a password
/// that was reset meanwhile opens nothing any more.
Result<void> refuse_changed(storage::Session& session, const detail::UserRow& checked) {
  PAWL_TRY(row, detail::load_user(session, checked.user.id));
  if (row && row->user.active && row->password_hash == checked.password_hash && row->user.totp_enabled == checked.user.totp_enabled) {
    return {};
  }
  return invalid_credentials();
}

}  // namespace

// ---- what a sign-in leaves --------------------------------------------------------------------------------------------------------

Accounts::Impl::Fresh Accounts::Impl::new_session(const UserId& user, const Client& client, TimePoint now) {
  Fresh fresh;
  auto& row = fresh.row;
  row.info.id = SessionId::make(now, d.random);
  row.info.user_agent = shown_user_agent(client.user_agent);
  row.info.address = client.address;
  row.info.created_at = row.info.last_used_at = row.rotated_at = now;
  row.info.expires_at = now + options.refresh_lifetime;
  row.user = user;
  row.salt = crypto::random_bytes(kSaltBytes);
  fresh.refresh_token = to_text(d.tokens, first_refresh_token(row.info.id));
  row.token_hash = token_hash(fresh.refresh_token);
  return fresh;
}

SignedIn Accounts::Impl::signed_in(const User& user, const SessionId& session, std::string refresh_token, TimePoint now) const {
  SignedIn out;
  out.user = user;
  out.session = session;
  out.access_token = issue_access_token(d.tokens, {user.id, session, now, now + options.access_lifetime});
  out.refresh_token = std::move(refresh_token);
  out.expires_in = options.access_lifetime;
  return out;
}

// ---- signing in -------------------------------------------------------------------------------------------------------------------

void Accounts::Impl::note_failure(std::string_view action, std::string_view email_key, const Client& client,
                                  const std::optional<UserId>& user, std::string_view reason) {
  const auto now = d.clock.now();
  AccountEvent event{
      .action = action, .by = AccountEvent::By::unproven, .success = false, .user = user, .address = client.address, .reason = reason};
  // Counting is part of the protection, but a failure to count must not turn a wrong password into another answer.
  const auto counted = d.database.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(throttle.failed(transaction, email_key, client.address, now));
    return record(transaction, event);
  });
  if (counted.has_error()) event.reason = "not counted: the database failed";
  report(event);
}

Result<SignedIn> Accounts::login(const LoginRequest& request, const Client& client) {
  auto& impl = *impl_;
  auto& d = impl.d;
  // What is no address has no account; it takes the same way as one that could be.
  const auto key = email_key(request.email).value_or("@");
  auto now = d.clock.now();
  std::optional<detail::UserRow> row;
  const auto look_up = [&](storage::Session& session) -> Result<void> {
    PAWL_TRY_VOID(impl.throttle.check(session, key, client.address, now));
    PAWL_TRY(found, detail::load_user_by_email(session, key));
    row = std::move(found);
    return {};
  };
  PAWL_TRY_VOID(d.database.read(look_up));
  const auto known = row ? std::optional(row->user.id) : std::nullopt;
  PAWL_TRY(right, d.hasher.verify(row ? row->password_hash : std::nullopt, request.password));
  const bool unconfirmed = row && impl.options.confirm_first && !row->user.email_verified_at;
  if (!right || !row->user.active || unconfirmed) {
    impl.note_failure(kLogin, key, client, known, !right ? "wrong password" : unconfirmed ? "address not confirmed" : "deactivated");
    return invalid_credentials();
  }
  std::string seed;
  if (row->user.totp_enabled) {
    if (request.otp.empty()) {
      return Error(ErrorClass::unauthenticated, "auth.otp_required", "Enter the code of your authenticator app, or a backup code.");
    }
    PAWL_TRY(opened, impl.open_seed(*row));
    seed = std::move(opened);
  }
  std::optional<std::string> better_hash;
  if (d.hasher.is_outdated(*row->password_hash)) {
    PAWL_TRY(made, d.hasher.hash(request.password));
    better_hash = std::move(made);
  }
  now = d.clock.now();
  const auto fresh = impl.new_session(row->user.id, client, now);
  const AccountEvent event{.action = kLogin, .user = row->user.id, .session = fresh.row.info.id, .address = client.address};
  bool accepted = true;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(refuse_changed(transaction, *row));
    if (row->user.totp_enabled) {
      PAWL_TRY(used, impl.use_code(transaction, *row, seed, request.otp, now));
      accepted = used;
      if (!used) return {};
    }
    if (better_hash) PAWL_TRY_VOID(detail::replace_password(transaction, row->user.id, row->password_hash, *better_hash, now));
    PAWL_TRY_VOID(impl.throttle.succeeded(transaction, key, client.address));
    PAWL_TRY_VOID(detail::note_login(transaction, row->user.id, now));
    PAWL_TRY_VOID(detail::insert_session(transaction, fresh.row));
    return impl.record(transaction, event);
  };
  PAWL_TRY_VOID(d.database.write_and_wait(work));
  if (!accepted) {
    impl.note_failure(kLogin, key, client, known, "wrong code");
    return invalid_credentials();
  }
  row->user.last_login_at = now;
  impl.report(event);
  return impl.signed_in(row->user, fresh.row.info.id, fresh.refresh_token, now);
}

Result<SignedIn> Accounts::login(const ExternalIdentity& identity, const Client& client) {
  auto& impl = *impl_;
  const bool may_register = impl.options.registration == Registration::open;
  PAWL_TRY(entry, user_of(impl.d.database, impl.d.mailer, identity, may_register, impl.d.clock.now(), impl.d.random, impl.d.witness));
  const auto& user = entry.user;
  if (entry.taken_over) impl.d.authenticator.forget(user);
  PAWL_TRY(row, impl.load(user));
  if (!row.user.active) return invalid_credentials();
  const auto now = impl.d.clock.now();
  const auto fresh = impl.new_session(user, client, now);
  const AccountEvent event{
      .action = kLogin, .user = user, .session = fresh.row.info.id, .address = client.address, .reason = "by a provider"};
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(refuse_changed(transaction, row));
    PAWL_TRY_VOID(detail::note_login(transaction, user, now));
    PAWL_TRY_VOID(detail::insert_session(transaction, fresh.row));
    return impl.record(transaction, event);
  };
  PAWL_TRY_VOID(impl.d.database.write_and_wait(work));
  row.user.last_login_at = now;
  impl.report(event);
  return impl.signed_in(row.user, fresh.row.info.id, fresh.refresh_token, now);
}

// ---- staying signed in ------------------------------------------------------------------------------------------------------------

Result<SignedIn> Accounts::refresh(std::string_view text, const Client& client) {
  auto& impl = *impl_;
  const auto now = impl.d.clock.now();
  const auto token = read_refresh_token(impl.d.tokens, text, now);
  if (!token) return invalid_token();
  enum class Outcome : std::uint8_t { refused, exchanged, repeated, reused };
  auto outcome = Outcome::refused;
  std::string next_text;
  User user;
  AccountEvent reuse{.action = "account.token_reused",
                     .by = AccountEvent::By::unproven,
                     .success = false,
                     .session = token->session,
                     .address = client.address,
                     .reason = "the session was revoked"};
  const auto hash = token_hash(text);
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(row, detail::load_session(transaction, token->session));
    if (!row || row->revoked_at || row->info.expires_at <= now) return {};
    PAWL_TRY(owner, detail::load_user(transaction, row->user));
    if (!owner || !owner->user.active) return {};
    user = owner->user;
    next_text = to_text(impl.d.tokens, next_refresh_token(impl.d.tokens, *token, row->salt));
    const auto next_hash = token_hash(next_text);
    // Two requests with one token at the same moment: the second gets what the first got.
    const bool just_exchanged =
        row->previous_hash == hash && row->token_hash == next_hash && now - row->rotated_at <= impl.options.reuse_grace;
    if (just_exchanged) {
      outcome = Outcome::repeated;
      return {};
    }
    if (row->token_hash != hash) {
      outcome = Outcome::reused;
      PAWL_TRY_VOID(detail::revoke_session(transaction, row->user, row->info.id, "refresh token reused", now));
      reuse.user = row->user;
      return impl.record(transaction, reuse);
    }
    row->token_hash = next_hash;
    row->generation = token->generation + 1;
    row->rotated_at = now;
    row->info.expires_at = std::min(now + impl.options.refresh_lifetime, row->info.created_at + impl.options.session_lifetime);
    row->info.user_agent = shown_user_agent(client.user_agent);
    row->info.address = client.address;
    PAWL_TRY(rotated, detail::rotate_session(transaction, *row, hash));
    outcome = rotated ? Outcome::exchanged : Outcome::refused;
    return {};
  };
  PAWL_TRY_VOID(impl.d.database.write_and_wait(work));
  switch (outcome) {
    case Outcome::refused: return invalid_token();
    case Outcome::exchanged:
    case Outcome::repeated: return impl.signed_in(user, token->session, std::move(next_text), now);
    case Outcome::reused: break;
  }
  impl.d.authenticator.forget(token->session);
  impl.report(reuse);
  return reused_token();
}

// ---- sessions ---------------------------------------------------------------------------------------------------------------------

Result<void> Accounts::logout(const UserId& user, const SessionId& session) {
  auto& impl = *impl_;
  const auto now = impl.d.clock.now();
  const AccountEvent event{.action = "account.logout", .user = user, .session = session};
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(detail::revoke_session(transaction, user, session, "signed out", now));
    return impl.record(transaction, event);
  };
  return impl.end_access(work, session, event);
}

Result<std::vector<SessionInfo>> Accounts::sessions(const UserId& user) {
  const auto now = impl_->d.clock.now();
  return impl_->d.database.read([&](storage::Session& session) { return detail::load_sessions(session, user, now); });
}

Result<void> Accounts::revoke_session(const UserId& user, const SessionId& session) {
  auto& impl = *impl_;
  const auto now = impl.d.clock.now();
  const AccountEvent event{.action = "account.session_revoked", .user = user, .session = session};
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(revoked, detail::revoke_session(transaction, user, session, "revoked", now));
    if (!revoked) return Error(ErrorClass::not_found, "session.not_found", "There is no session of this id.");
    return impl.record(transaction, event);
  };
  return impl.end_access(work, session, event);
}

Result<void> Accounts::revoke_sessions(const UserId& user, const std::optional<SessionId>& keep) {
  auto& impl = *impl_;
  const auto now = impl.d.clock.now();
  const AccountEvent event{.action = "account.sessions_revoked", .user = user, .session = keep};
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(detail::revoke_sessions(transaction, user, keep, "revoked", now));
    return impl.record(transaction, event);
  };
  return impl.end_access(work, user, event);
}

}  // namespace pawl::identity
