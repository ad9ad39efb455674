#include "identity/accounts.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "identity/detail/accounts_impl.hpp"
#include "identity/organization_service.hpp"
#include "identity/organizations.hpp"

namespace pawl::identity {
namespace {

constexpr std::size_t kMaxNameBytes = 200;

Error no_user() { return {ErrorClass::not_found, "user.not_found", "There is no user of this id."}; }

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

Result<void> check_name(std::string_view name, std::string pointer) {
  if (!name.empty() && name.size() <= kMaxNameBytes && std::none_of(name.begin(), name.end(), is_control)) return {};
  return field_error("auth.invalid_name", std::move(pointer), fmt::format("A name has 1 to {} bytes on one line.", kMaxNameBytes));
}

crypto::Key throttle_key(const TokenKeys& keys) {
  const auto& csrf = keys.current().csrf;
  return crypto::derive_key({reinterpret_cast<const char*>(csrf.data()), csrf.size()}, "pawl login failures");
}

}  // namespace

Error invalid_credentials() {
  return {ErrorClass::unauthenticated, "auth.invalid_credentials", "The e-mail address, the password or the code is not right."};
}

Error field_error(std::string code, std::string pointer, std::string message) {
  Finding finding;
  finding.pointer = std::move(pointer);
  finding.message = message;
  finding.rule = code;
  return {ErrorClass::unprocessable, std::move(code), std::move(message), {std::move(finding)}};
}

Accounts::Impl::Impl(Dependencies parts, AccountsOptions a_options)
    : d(std::move(parts)), options(std::move(a_options)), throttle(throttle_key(d.tokens)) {}

Accounts::Accounts(Dependencies dependencies, AccountsOptions options)
    : impl_(std::make_unique<Impl>(std::move(dependencies), std::move(options))) {}
Accounts::~Accounts() {
  std::unique_lock lock(impl_->pending_mutex);
  impl_->pending_changed.wait(lock, [this] { return impl_->pending == 0; });
}

void Accounts::forget(const UserId& user) { impl_->d.authenticator.forget(user); }
Registration Accounts::registration() const { return impl_->options.registration; }
const TokenKeys& Accounts::token_keys() const { return impl_->d.tokens; }

// ---- making users -----------------------------------------------------------------------------------------------------------------

Result<detail::UserRow> Accounts::Impl::prepare_user(const NewAccount& request, bool superuser, bool verified) {
  const auto key = email_key(request.email);
  if (!key) return field_error("auth.invalid_email", "/email", "This is not an e-mail address.");
  PAWL_TRY_VOID(check_name(request.name, "/name"));
  if (!request.organization.empty()) PAWL_TRY_VOID(check_name(request.organization, "/organization"));
  PAWL_TRY_VOID(check_password(request.password, *key));
  PAWL_TRY(hash, d.hasher.hash(request.password));
  detail::UserRow row;
  const auto now = d.clock.now();
  row.user.id = UserId::make(now, d.random);
  row.user.email = std::string(trimmed(request.email));
  row.user.name = request.name;
  row.user.superuser = superuser;
  if (verified) row.user.email_verified_at = now;
  row.user.created_at = row.user.updated_at = now;
  row.email_key = *key;
  row.password_hash = std::move(hash);
  return row;
}

Result<void> Accounts::Impl::insert_user(storage::Transaction& transaction, const detail::UserRow& row, const NewAccount& request) {
  PAWL_TRY_VOID(detail::insert_user(transaction, row));
  NewOrganization organization;
  organization.name = request.organization.empty() ? request.name : request.organization;
  organization.personal = true;
  PAWL_TRY_VOID(create_organization(transaction, organization, row.user.id, row.user.created_at, d.random));
  return {};
}

Result<void> Accounts::Impl::check_registration(bool invited) const {
  const auto registration = options.registration;
  if (registration == Registration::open || (registration == Registration::invited && invited)) return {};
  return Error(
      ErrorClass::denied, "auth.registration_closed",
      registration == Registration::closed ? "New accounts are made by administrators here." : "A new account needs an invitation here.");
}

bool Accounts::confirms_first() const { return impl_->options.confirm_first; }

Result<void> Accounts::request_account(const NewAccount& request, const Client& client) {
  auto& impl = *impl_;
  PAWL_TRY_VOID(impl.check_registration(false));
  PAWL_TRY(row, impl.prepare_user(request, false, false));
  const auto now = row.user.created_at;
  auto link = Impl::new_link(kVerifyPurpose, row.user.id, row.email_key, now + impl.options.verification_lifetime);
  AccountEvent event{.action = "account.requested", .by = AccountEvent::By::unproven, .address = client.address};
  // On the writer's thread, after the answer: neither it nor its time depends on whether there is such an account.
  auto work = [&impl, now, event, request, row = std::move(row),
               link = std::move(link)](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(present, detail::load_user_by_email(transaction, row.email_key));
    auto told = event;
    told.user = present ? present->user.id : row.user.id;
    if (present) {
      told.reason = "there is an account";
      if (!present->user.active) return impl.record(transaction, told);
      // Whoever asked first may not be whose address it is: confirmed by the first link, the account would have that one's password.
      if (!present->user.email_verified_at) {
        PAWL_TRY_VOID(detail::delete_one_time_tokens(transaction, present->user.id, kVerifyPurpose));
      }
      PAWL_TRY_VOID(impl.send_reminder(transaction, *present, now));
      return impl.record(transaction, told);
    }
    PAWL_TRY_VOID(impl.insert_user(transaction, row, request));
    PAWL_TRY_VOID(detail::insert_one_time_token(transaction, link.row, now));
    PAWL_TRY_VOID(impl.send_verification(transaction, row.user, link));
    return impl.record(transaction, told);
  };
  impl.write_later(std::move(work), event);
  return {};
}

Result<SignedIn> Accounts::register_account(const NewAccount& request, const Client& client) {
  auto& impl = *impl_;
  const bool invited = !request.invitation.empty();
  PAWL_TRY_VOID(impl.check_registration(invited));
  if (impl.options.confirm_first && !invited) {
    return Error(ErrorClass::denied, "auth.confirm_first", "A new account has to confirm its address before it signs in.");
  }
  PAWL_TRY(row, impl.prepare_user(request, false, invited));
  const auto now = row.user.created_at;
  const auto fresh = impl.new_session(row.user.id, client, now);
  const auto link = Impl::new_link(kVerifyPurpose, row.user.id, row.email_key, now + impl.options.verification_lifetime);
  const AccountEvent event{.action = "account.registered", .user = row.user.id, .session = fresh.row.info.id, .address = client.address};
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    // First, so that only whoever was invited at this address learns whether it has an account.
    if (invited) PAWL_TRY_VOID(check_invitation(transaction, request.invitation, row.email_key, now));
    PAWL_TRY_VOID(impl.insert_user(transaction, row, request));
    PAWL_TRY_VOID(detail::insert_session(transaction, fresh.row));
    if (invited) {
      PAWL_TRY(joined, accept_invitation(transaction, request.invitation, row.user.id, row.email_key, now));
      PAWL_TRY_VOID(impl.record(transaction, event));
      return impl.record(transaction, {.action = "organization.joined",
                                       .user = row.user.id,
                                       .organization = joined.organization,
                                       .address = client.address,
                                       .reason = to_text(joined.role)});
    }
    PAWL_TRY_VOID(detail::insert_one_time_token(transaction, link.row, now));
    PAWL_TRY_VOID(impl.send_verification(transaction, row.user, link));
    return impl.record(transaction, event);
  };
  if (const auto written = impl.d.database.write_and_wait(work); written.has_error()) {
    impl.report(
        {.action = event.action, .by = AccountEvent::By::unproven, .success = false, .address = client.address, .reason = "refused"});
    return written.error();
  }
  impl.report(event);
  return impl.signed_in(row.user, fresh.row.info.id, fresh.refresh_token, now);
}

Result<User> Accounts::create_user(const NewAccount& request, bool superuser) {
  auto& impl = *impl_;
  PAWL_TRY(row, impl.prepare_user(request, superuser, true));
  const AccountEvent event{
      .action = "account.created", .by = AccountEvent::By::administrator, .user = row.user.id, .reason = superuser ? "superuser" : ""};
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(detail::delete_one_time_tokens(transaction, std::nullopt, kSetupPurpose));
    PAWL_TRY_VOID(impl.insert_user(transaction, row, request));
    return impl.record(transaction, event);
  };
  PAWL_TRY_VOID(impl.d.database.write_and_wait(work));
  impl.report(event);
  return row.user;
}

// ---- the first start --------------------------------------------------------------------------------------------------------------

Result<bool> Accounts::any_user() {
  return impl_->d.database.read([](storage::Session& session) { return detail::any_user(session); });
}

Result<std::optional<std::string>> Accounts::make_setup_token() {
  auto& impl = *impl_;
  const auto now = impl.d.clock.now();
  auto link = Impl::new_link(kSetupPurpose, std::nullopt, {}, now + std::chrono::hours(24));
  bool wanted = false;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(present, detail::any_user(transaction));
    wanted = !present;
    if (present) return detail::delete_one_time_tokens(transaction, std::nullopt, kSetupPurpose);
    return detail::insert_one_time_token(transaction, link.row, now);
  };
  PAWL_TRY_VOID(impl.d.database.write_and_wait(work));
  if (!wanted) return std::optional<std::string>();
  return std::optional(std::move(link.token));
}

Result<SignedIn> Accounts::setup(std::string_view token, const NewAccount& request, const Client& client) {
  auto& impl = *impl_;
  const auto digest = token_hash(token);
  const Error no_link(ErrorClass::invalid, "auth.link_invalid", "This link is not valid: there are users already, or it has expired.");
  const auto asked = impl.d.clock.now();
  // Looked at before the password is hashed, so that nobody without the link makes us work.
  PAWL_TRY(link, impl.d.database.read(
                     [&](storage::Session& session) { return detail::find_one_time_token(session, digest, kSetupPurpose, asked); }));
  if (!link) return no_link;
  PAWL_TRY(row, impl.prepare_user(request, true, true));
  const auto now = row.user.created_at;
  const auto fresh = impl.new_session(row.user.id, client, now);
  const AccountEvent event{.action = "account.set_up", .user = row.user.id, .session = fresh.row.info.id, .address = client.address};
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(present, detail::any_user(transaction));
    PAWL_TRY(used, detail::use_one_time_token(transaction, digest, kSetupPurpose, now));
    if (present || !used) return no_link;
    PAWL_TRY_VOID(detail::delete_one_time_tokens(transaction, std::nullopt, kSetupPurpose));
    PAWL_TRY_VOID(impl.insert_user(transaction, row, request));
    PAWL_TRY_VOID(detail::insert_session(transaction, fresh.row));
    return impl.record(transaction, event);
  };
  PAWL_TRY_VOID(impl.d.database.write_and_wait(work));
  impl.report(event);
  return impl.signed_in(row.user, fresh.row.info.id, fresh.refresh_token, now);
}

// ---- the account itself -----------------------------------------------------------------------------------------------------------

Result<detail::UserRow> Accounts::Impl::load(const UserId& user) {
  return d.database.read([&](storage::Session& session) -> Result<detail::UserRow> {
    PAWL_TRY(row, detail::load_user(session, user));
    if (!row) return no_user();
    return std::move(*row);
  });
}

Result<User> Accounts::user(const UserId& user) {
  PAWL_TRY(row, impl_->load(user));
  return std::move(row.user);
}

Result<User> Accounts::rename(const UserId& user, const std::string& name) {
  auto& impl = *impl_;
  PAWL_TRY_VOID(check_name(name, "/name"));
  const auto now = impl.d.clock.now();
  PAWL_TRY_VOID(
      impl.d.database.write_and_wait([&](storage::Transaction& transaction) { return detail::update_name(transaction, user, name, now); }));
  return this->user(user);
}

Result<void> Accounts::prove_password(std::string_view action, const UserId& user, std::string_view password, const Client& client) {
  PAWL_TRY(row, impl_->load(user));
  if (row.password_hash) return impl_->prove_password(action, row, password, client);
  return Error(ErrorClass::conflict, "auth.no_password", "Your account has no password: set one with `forgot password` first.");
}

Result<void> Accounts::change_password(const UserId& user, const std::optional<SessionId>& keep, std::string_view old_password,
                                       std::string_view new_password, const Client& client) {
  auto& impl = *impl_;
  PAWL_TRY(row, impl.load(user));
  const AccountEvent event{.action = "account.password_changed", .user = user, .session = keep, .address = client.address};
  PAWL_TRY_VOID(impl.prove_password(event.action, row, old_password, client));
  PAWL_TRY_VOID(check_password(new_password, row.email_key, "/new_password"));
  PAWL_TRY(hash, impl.d.hasher.hash(new_password));
  const auto now = impl.d.clock.now();
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(replaced, detail::replace_password(transaction, user, row.password_hash, hash, now));
    if (!replaced) return invalid_credentials();  // changed by somebody else meanwhile
    PAWL_TRY_VOID(detail::delete_one_time_tokens(transaction, user, kResetPurpose));
    PAWL_TRY_VOID(detail::revoke_sessions(transaction, user, keep, "password changed", now));
    return impl.record(transaction, event);
  };
  return impl.end_access(work, user, event);
}

}  // namespace pawl::identity
