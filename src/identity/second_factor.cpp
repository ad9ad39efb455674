// The second factor: setting it up, using it, taking it away.
#include <fmt/core.h>

#include <algorithm>

#include "crypto/encoding.hpp"
#include "crypto/hmac.hpp"
#include "identity/detail/accounts_impl.hpp"
#include "identity/totp.hpp"

namespace pawl::identity {
namespace {

constexpr std::string_view kIssuer = "Pawl";
constexpr std::string_view kSeedColumn = "users.sealed_totp_seed";
constexpr std::size_t kBackupCodes = 10;
constexpr std::size_t kBackupCodeBytes = 10;  // 80 bits: nobody tries them all, not even with the hashes at hand
constexpr std::size_t kBackupCodeLetters = 16;

Error conflict(std::string code, std::string message) { return {ErrorClass::conflict, std::move(code), std::move(message)}; }

/// `ABCD-EFGH-IJKL-MNOP`.
std::string make_backup_code() {
  const auto letters = crypto::to_base32(crypto::random_bytes(kBackupCodeBytes));
  return fmt::format("{}-{}-{}-{}", letters.substr(0, 4), letters.substr(4, 4), letters.substr(8, 4), letters.substr(12, 4));
}

/// As it was made, however a person typed it; nothing where it cannot be one.
std::optional<std::string> backup_code_hash(std::string_view typed) {
  std::string letters;
  for (const char c : typed.substr(0, 64)) {
    if (c == '-' || c == ' ') continue;
    letters += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  }
  if (letters.size() != kBackupCodeLetters) return std::nullopt;
  return token_hash("backup:" + letters);
}

}  // namespace

Result<std::string> Accounts::Impl::open_seed(const detail::UserRow& row) const {
  return d.seals.open(row.sealed_totp_seed, {kSeedColumn, row.user.id});
}

Result<bool> Accounts::Impl::use_code(storage::Transaction& transaction, const detail::UserRow& row, std::string_view seed,
                                      std::string_view code, TimePoint now) const {
  if (const auto hash = backup_code_hash(code)) return detail::use_backup_code(transaction, row.user.id, *hash, now);
  PAWL_TRY(current, detail::load_user(transaction, row.user.id));
  if (!current) return false;
  const auto step = match_totp(seed, code, now, current->totp_last_step);
  if (!step) return false;
  return detail::use_totp_step(transaction, row.user.id, *step);
}

Result<void> Accounts::Impl::prove_password(std::string_view action, const detail::UserRow& row, std::string_view password,
                                            const Client& client) {
  const auto now = d.clock.now();
  PAWL_TRY_VOID(d.database.read([&](storage::Session& session) { return throttle.check(session, row.email_key, client.address, now); }));
  PAWL_TRY(right, d.hasher.verify(row.password_hash, password));
  if (right) return {};
  note_failure(action, row.email_key, client, row.user.id, "wrong password");
  return invalid_credentials();
}

Result<TotpSetup> Accounts::setup_totp(const UserId& user, std::string_view password, const Client& client) {
  auto& impl = *impl_;
  PAWL_TRY(row, impl.load(user));
  const AccountEvent event{.action = "account.totp_prepared", .user = user, .address = client.address};
  PAWL_TRY_VOID(impl.prove_password(event.action, row, password, client));
  if (row.user.totp_enabled) return conflict("auth.totp_enabled", "The second factor is on already; turn it off first.");
  const auto seed = make_totp_seed();
  const auto sealed = impl.d.seals.seal(seed, {kSeedColumn, user});
  const auto now = impl.d.clock.now();
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(detail::set_totp_seed(transaction, user, sealed, now));
    return impl.record(transaction, event);
  };
  PAWL_TRY_VOID(impl.d.database.write_and_wait(work));
  impl.report(event);
  return TotpSetup{crypto::to_base32(seed), totp_uri(seed, kIssuer, row.user.email)};
}

Result<std::vector<std::string>> Accounts::enable_totp(const UserId& user, std::string_view code, const Client& client) {
  auto& impl = *impl_;
  const auto now = impl.d.clock.now();
  PAWL_TRY(row, impl.load(user));
  if (row.user.totp_enabled) return conflict("auth.totp_enabled", "The second factor is on already.");
  if (row.sealed_totp_seed.empty()) return conflict("auth.totp_not_set_up", "Ask for a secret first.");
  PAWL_TRY_VOID(
      impl.d.database.read([&](storage::Session& session) { return impl.throttle.check(session, row.email_key, client.address, now); }));
  PAWL_TRY(seed, impl.open_seed(row));
  const AccountEvent event{.action = "account.totp_enabled", .user = user, .address = client.address};
  const auto step = match_totp(seed, code, now, 0);
  if (!step) {
    impl.note_failure(event.action, row.email_key, client, user, "wrong code");
    return field_error("auth.invalid_code", "/code", "This is not the code of this moment. Is the clock of your device right?");
  }
  std::vector<std::string> codes;
  std::vector<std::string> hashes;
  for (std::size_t i = 0; i < kBackupCodes; ++i) {
    codes.push_back(make_backup_code());
    hashes.push_back(*backup_code_hash(codes.back()));
  }
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(current, detail::load_user(transaction, user));
    if (!current || current->user.totp_enabled || current->sealed_totp_seed != row.sealed_totp_seed) {
      return conflict("auth.totp_not_set_up", "The second factor was set up anew meanwhile; use the newest secret.");
    }
    PAWL_TRY_VOID(detail::enable_totp(transaction, user, *step, now));
    PAWL_TRY_VOID(detail::replace_backup_codes(transaction, user, hashes));
    return impl.record(transaction, event);
  };
  PAWL_TRY_VOID(impl.d.database.write_and_wait(work));
  impl.report(event);
  return codes;
}

Result<void> Accounts::disable_totp(const UserId& user, std::string_view password, std::string_view code, const Client& client) {
  auto& impl = *impl_;
  PAWL_TRY(row, impl.load(user));
  const AccountEvent event{.action = "account.totp_disabled", .user = user, .address = client.address};
  PAWL_TRY_VOID(impl.prove_password(event.action, row, password, client));
  if (!row.user.totp_enabled) return conflict("auth.totp_not_set_up", "The second factor is off.");
  PAWL_TRY(seed, impl.open_seed(row));
  const auto now = impl.d.clock.now();
  bool accepted = false;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(used, impl.use_code(transaction, row, seed, code, now));
    accepted = used;
    if (!used) return {};
    PAWL_TRY_VOID(detail::clear_totp(transaction, user, now));
    return impl.record(transaction, event);
  };
  PAWL_TRY_VOID(impl.d.database.write_and_wait(work));
  if (!accepted) {
    impl.note_failure(event.action, row.email_key, client, user, "wrong code");
    return invalid_credentials();
  }
  impl.report(event);
  return {};
}

}  // namespace pawl::identity
