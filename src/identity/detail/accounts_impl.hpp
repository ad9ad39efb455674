// What the parts of `Accounts` share.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "identity/accounts.hpp"
#include "identity/detail/session_rows.hpp"
#include "identity/detail/user_rows.hpp"
#include "identity/login_throttle.hpp"
#include "identity/refresh_token.hpp"
#include "storage/database.hpp"

namespace pawl::identity {

inline constexpr std::string_view kResetPurpose = "reset-password";
inline constexpr std::string_view kVerifyPurpose = "verify-email";
inline constexpr std::string_view kSetupPurpose = "setup";

struct Accounts::Impl {
  Impl(Dependencies parts, AccountsOptions a_options);

  Dependencies d;
  AccountsOptions options;
  LoginThrottle throttle;

  // Requests for links that the writer has not got to yet: they must not outlive us.
  std::mutex pending_mutex;
  std::condition_variable pending_changed;
  std::size_t pending = 0;

  [[nodiscard]] Result<void> record(storage::Transaction& transaction, const AccountEvent& event) const {
    return d.witness.record ? d.witness.record(transaction, event) : Result<void>();
  }
  void report(const AccountEvent& event) const {
    if (d.witness.report) d.witness.report(event);
  }
  /// Writes what takes access away; once that is on disk, nobody is let in on what was remembered of `whose` (a user or a session), and the
  /// event is reported. `work` records the event itself, in its transaction.
  template <typename Whose>
  [[nodiscard]] Result<void> end_access(storage::Database::Work work, const Whose& whose, const AccountEvent& event) {
    PAWL_TRY_VOID(d.database.write_and_wait(std::move(work)));
    d.authenticator.forget(whose);
    report(event);
    return {};
  }

  // ---- users ----
  [[nodiscard]] Result<void> check_registration(bool invited) const;
  /// Checks the request and hashes its password.
  [[nodiscard]] Result<detail::UserRow> prepare_user(const NewAccount& request, bool superuser, bool verified);
  /// With the personal organization.
  [[nodiscard]] Result<void> insert_user(storage::Transaction& transaction, const detail::UserRow& row, const NewAccount& request);
  [[nodiscard]] Result<detail::UserRow> load(const UserId& user);
  /// Error `auth.invalid_credentials` where the password is not the user's; counts the failure of `action`.
  [[nodiscard]] Result<void> prove_password(std::string_view action, const detail::UserRow& row, std::string_view password,
                                            const Client& client);
  /// Counts it, too.
  void note_failure(std::string_view action, std::string_view email_key, const Client& client, const std::optional<UserId>& user,
                    std::string_view reason);

  // ---- sessions ----
  struct Fresh {
    detail::SessionRow row;
    std::string refresh_token;
  };
  [[nodiscard]] Fresh new_session(const UserId& user, const Client& client, TimePoint now);
  [[nodiscard]] SignedIn signed_in(const User& user, const SessionId& session, std::string refresh_token, TimePoint now) const;

  // ---- links ----
  struct Link {
    detail::OneTimeToken row;
    std::string token;
  };
  [[nodiscard]] static Link new_link(std::string_view purpose, const std::optional<UserId>& user, std::string_view email_key,
                                     TimePoint expires_at);
  [[nodiscard]] Result<void> send_verification(storage::Transaction& transaction, const User& user, const Link& link) const;
  /// That the address has an account already, with a link to choose a new password.
  [[nodiscard]] Result<void> send_reminder(storage::Transaction& transaction, const detail::UserRow& row, TimePoint now) const;
  /// Writes without waiting for it; `done` is reported afterwards.
  void write_later(std::function<Result<void>(storage::Transaction&)> work, const AccountEvent& done);

  // ---- second factor ----
  [[nodiscard]] Result<std::string> open_seed(const detail::UserRow& row) const;
  /// Uses up the code; false where it is none, or was used.
  [[nodiscard]] Result<bool> use_code(storage::Transaction& transaction, const detail::UserRow& row, std::string_view seed,
                                      std::string_view code, TimePoint now) const;
};

[[nodiscard]] Error invalid_credentials();
/// A finding at the member of the request that is at fault.
[[nodiscard]] Error field_error(std::string code, std::string pointer, std::string message);

}  // namespace pawl::identity
