// Links in mails: getting back in, and showing that an address is one's own.
#include <fmt/core.h>

#include "identity/detail/accounts_impl.hpp"
#include "identity/detail/mail_text.hpp"

namespace pawl::identity {
namespace {

Error link_invalid() {
  return {ErrorClass::invalid, "auth.link_invalid", "This link is not valid any more: it was used, has expired, or a newer one was sent."};
}

Message reset_message(const User& user, const std::string& link) {
  return {"password-reset", user.email, "Reset your Pawl password",
          fmt::format("Hello {},\n\nsomebody, probably you, asked for a new password for this account. Choose one here within an hour:\n\n"
                      "{}\n\nThe link works once. If it was not you, nothing has changed and you need not do anything.\n",
                      detail::shown(user.name), link),
          std::chrono::hours(1)};
}

Message changed_message(const User& user) {
  return {"password-changed", user.email, "Your Pawl password was changed",
          fmt::format("Hello {},\n\nthe password of this account was reset just now, all devices were signed out, and its API keys were "
                      "revoked: make new ones where programs need them. If it was not you, reset it again at once and tell your "
                      "administrator.\n",
                      detail::shown(user.name)),
          std::chrono::hours(24)};
}

Message verification_message(const User& user, const std::string& link) {
  return {
      "email-verification", user.email, "Confirm your e-mail address",
      fmt::format("Hello {},\n\nplease confirm that this address is yours:\n\n{}\n\nIf you did not make an account, ignore this mail.\n",
                  detail::shown(user.name), link),
      std::chrono::hours(48)};
}

Message reminder_message(const User& user, const std::string& start, const std::string& link) {
  return {"account-exists", user.email, "You have a Pawl account already",
          fmt::format("Hello {},\n\nsomebody, probably you, wanted to make an account with this address, which has one already. Sign in "
                      "here:\n\n{}/login\n\nor choose a new password within an hour:\n\n{}\n\nThe link works once. If it was not you, "
                      "nothing has changed and you need not do anything.\n",
                      detail::shown(user.name), start, link),
          std::chrono::hours(1)};
}

}  // namespace

Accounts::Impl::Link Accounts::Impl::new_link(std::string_view purpose, const std::optional<UserId>& user, std::string_view email_key,
                                              TimePoint expires_at) {
  Link link;
  link.token = crypto::random_token();
  link.row = {token_hash(link.token), purpose, user, std::string(email_key), expires_at};
  return link;
}

// The token stands behind `#`: browsers keep that part to themselves, so it reaches no server's log.
Result<void> Accounts::Impl::send_verification(storage::Transaction& transaction, const User& user, const Link& link) const {
  return d.mailer.send(transaction, verification_message(user, fmt::format("{}/verify-email#{}", options.public_url, link.token)));
}

void Accounts::forgot_password(std::string_view email) {
  auto& impl = *impl_;
  const auto now = impl.d.clock.now();
  auto key = email_key(email).value_or("@");
  auto link = Impl::new_link(kResetPurpose, std::nullopt, key, now + impl.options.reset_lifetime);
  // Looked up on the writer's thread, after the answer: neither it nor its time depends on whether there is such an account.
  auto work = [&impl, now, key = std::move(key), link = std::move(link)](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(row, detail::load_user_by_email(transaction, key));
    if (!row || !row->user.active) return {};
    auto token = link.row;
    token.user = row->user.id;
    PAWL_TRY_VOID(detail::insert_one_time_token(transaction, token, now));
    PAWL_TRY_VOID(impl.d.mailer.send(transaction,
                                     reset_message(row->user, fmt::format("{}/reset-password#{}", impl.options.public_url, link.token))));
    return impl.record(transaction, {.action = "account.reset_requested", .by = AccountEvent::By::unproven, .user = row->user.id});
  };
  impl.write_later(std::move(work), {.action = "account.reset_requested", .by = AccountEvent::By::unproven});
}

void Accounts::Impl::write_later(std::function<Result<void>(storage::Transaction&)> work, const AccountEvent& done) {
  {
    const std::lock_guard lock(pending_mutex);
    ++pending;
  }
  d.database.write(std::move(work), [this, done](const Result<void>& written) {
    auto told = done;
    told.success = !written.has_error();
    if (written.has_error()) told.reason = "the database failed";
    report(told);
    const std::lock_guard lock(pending_mutex);
    --pending;
    pending_changed.notify_all();
  });
}

Result<void> Accounts::Impl::send_reminder(storage::Transaction& transaction, const detail::UserRow& row, TimePoint now) const {
  auto link = new_link(kResetPurpose, row.user.id, row.email_key, now + options.reset_lifetime);
  PAWL_TRY_VOID(detail::insert_one_time_token(transaction, link.row, now));
  return d.mailer.send(transaction,
                       reminder_message(row.user, options.public_url, fmt::format("{}/reset-password#{}", options.public_url, link.token)));
}

Result<void> Accounts::reset_password(std::string_view token, std::string_view new_password, const Client& client) {
  auto& impl = *impl_;
  const auto digest = token_hash(token);
  auto now = impl.d.clock.now();
  // Looked at first: a password that is refused must not use up the link, and nobody without a link makes us hash.
  PAWL_TRY(link, impl.d.database.read(
                     [&](storage::Session& session) { return detail::find_one_time_token(session, digest, kResetPurpose, now); }));
  if (!link || !link->user) return link_invalid();
  const auto user = *link->user;
  PAWL_TRY_VOID(check_password(new_password, link->email_key, "/new_password"));
  PAWL_TRY(hash, impl.d.hasher.hash(new_password));
  now = impl.d.clock.now();
  const AccountEvent event{.action = "account.password_reset", .user = user, .address = client.address};
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(used, detail::use_one_time_token(transaction, digest, kResetPurpose, now));
    PAWL_TRY(row, detail::load_user(transaction, user));
    // The address may have changed since: then the link went to somebody else.
    if (!used || !row || !row->user.active || row->email_key != used->email_key) return link_invalid();
    PAWL_TRY_VOID(detail::set_password(transaction, user, hash, now));
    // Whoever had the account until now may have linked an account of their own.
    const auto proven = row->user.email_verified_at ? std::optional(row->email_key) : std::nullopt;
    PAWL_TRY_VOID(detail::delete_links(transaction, user, proven));
    PAWL_TRY_VOID(detail::set_verified(transaction, user, now));  // whoever has the link reads the mail of this address
    PAWL_TRY_VOID(detail::delete_one_time_tokens(transaction, user, kResetPurpose));
    PAWL_TRY_VOID(detail::revoke_sessions(transaction, user, std::nullopt, "password reset", now));
    PAWL_TRY_VOID(detail::revoke_api_keys(transaction, user, now));
    PAWL_TRY_VOID(impl.throttle.reset(transaction, row->email_key, client.address));
    PAWL_TRY_VOID(impl.d.mailer.send(transaction, changed_message(row->user)));
    return impl.record(transaction, event);
  };
  return impl.end_access(work, user, event);
}

Result<void> Accounts::verify_email(std::string_view token) {
  auto& impl = *impl_;
  const auto digest = token_hash(token);
  const auto now = impl.d.clock.now();
  AccountEvent event{.action = "account.email_verified"};
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(used, detail::use_one_time_token(transaction, digest, kVerifyPurpose, now));
    if (!used || !used->user) return link_invalid();
    event.user = used->user;
    PAWL_TRY(row, detail::load_user(transaction, *event.user));
    if (!row || row->email_key != used->email_key) return link_invalid();
    PAWL_TRY_VOID(detail::set_verified(transaction, *event.user, now));
    return impl.record(transaction, event);
  };
  PAWL_TRY_VOID(impl.d.database.write_and_wait(work));
  impl.report(event);
  return {};
}

Result<void> Accounts::resend_verification(const UserId& user) {
  auto& impl = *impl_;
  const auto now = impl.d.clock.now();
  return impl.d.database.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(row, detail::load_user(transaction, user));
    if (!row) return Error(ErrorClass::not_found, "user.not_found", "There is no user of this id.");
    if (row->user.email_verified_at) return Error(ErrorClass::conflict, "auth.already_verified", "This address is confirmed already.");
    const auto link = Impl::new_link(kVerifyPurpose, user, row->email_key, now + impl.options.verification_lifetime);
    PAWL_TRY_VOID(detail::insert_one_time_token(transaction, link.row, now));
    return impl.send_verification(transaction, row->user, link);
  });
}

}  // namespace pawl::identity
