/// Accounts: how people get one, sign in, stay signed in, get back in, and protect it with a second factor.
///
///     identity::Accounts accounts({...}, options);
///     auto signed_in = accounts.login({email, password, otp}, client);     // tokens; or auth.invalid_credentials, auth.otp_required
///     signed_in = accounts.refresh(signed_in->refresh_token, client);
///
/// All calls block and belong on a worker thread. Thread-safe. What changes sessions or users takes effect in this process at once.
///
/// Nothing tells whether an address has an account, neither the answer nor the time it takes: a login with an unknown address verifies
/// a password, too; `forgot_password` and `request_account` answer before anything is looked up. The exception is `register_account`, which
/// cannot give out tokens for an address that is taken: without an invitation to that address it is for installations without
/// `confirm_first`, answers `auth.email_taken` after the work of a registration, and the request limits hold.
///
/// | error                       | class           | when                                                           |
/// | ---                         | ---             | ---                                                            |
/// | `auth.invalid_credentials`  | unauthenticated | wrong address, password or code, or the account is deactivated |
/// | `auth.otp_required`         | unauthenticated | the password is right, a code of the second factor is needed   |
/// | `auth.invalid_token`        | unauthenticated | a refresh token that is no good (any more)                     |
/// | `auth.token_reused`         | unauthenticated | a refresh token was used twice: its session is revoked         |
/// | `auth.link_invalid`         | invalid         | a one-time link that is unknown, used or expired               |
/// | `auth.too_many_attempts`    | limited         | see login_throttle.hpp                                         |
/// | `auth.weak_password`, `auth.invalid_email`, `auth.invalid_name`, `auth.invalid_time_zone` | unprocessable | with findings |
/// | `auth.email_taken`          | conflict        |                                                                |
/// | `auth.registration_closed`  | denied          | PAWL_REGISTRATION does not let this one in                     |
/// | `auth.totp_enabled`, `auth.totp_not_set_up`, `auth.already_verified` | conflict | out of order                |
/// | `auth.no_password`          | conflict        | the account has none: it signs in with a provider              |
/// | `auth.confirm_first`        | denied          | accounts are made by `request_account` here                    |
/// | `oauth.linked_elsewhere`    | conflict        | the provider's account leads to another user                   |
/// | `oauth.last_way`            | conflict        | the user could not sign in any more                            |
/// | `oauth.not_linked`          | not_found       |                                                                |
/// | `auth.busy`                 | unavailable     | too many passwords at once                                     |
/// | `user.not_found`, `session.not_found` | not_found |                                                            |
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/key_ring.hpp"
#include "identity/mailer.hpp"
#include "identity/passwords.hpp"
#include "identity/preferences.hpp"
#include "identity/session_authenticator.hpp"
#include "identity/token_keys.hpp"
#include "identity/user.hpp"

namespace pawl::identity {

struct ExternalIdentity;

/// Who may make an account.
enum class Registration : std::uint8_t {
  open,     ///< anybody
  invited,  ///< whoever holds an invitation
  closed,   ///< only administrators make users
};

struct AccountsOptions {
  Registration registration = Registration::open;
  /// A new account signs in once its address is confirmed, and not before: so a registration need not tell whether there is one already.
  bool confirm_first = false;
  std::string public_url{};  ///< start of links in mails, without a slash at the end
  std::chrono::minutes access_lifetime{15};
  std::chrono::hours refresh_lifetime{30 * 24};   ///< from the last use
  std::chrono::hours session_lifetime{180 * 24};  ///< from the sign-in, whatever happens
  std::chrono::seconds reuse_grace{10};           ///< for how long the token before the current one gives the current one again
  std::chrono::hours reset_lifetime{1};
  std::chrono::hours verification_lifetime{48};
};

struct NewAccount {
  std::string email{};
  std::string password{};
  std::string name{};
  std::string organization{};  ///< name of the personal organization; empty: the user's name
  std::string invitation{};    ///< token of an invitation to an organization; empty: none
};
struct LoginRequest {
  std::string email{};
  std::string password{};
  std::string otp{};  ///< of the app, or a backup code; empty: none
};
struct SignedIn {
  User user;
  SessionId session;
  std::string access_token;
  std::string refresh_token;
  std::chrono::seconds expires_in{};  ///< of the access token
};
/// An account of a provider that its user signs in with (oauth.hpp).
struct LinkedProvider {
  std::string provider;
  std::string email;  ///< as the provider has verified it at the last sign-in; may be empty
  TimePoint created_at{};
  TimePoint last_used_at{};
};
struct TotpSetup {
  std::string secret;  ///< base32, to type in
  std::string uri;     ///< `otpauth://...`, to show as a QR code
};

class Accounts {
 public:
  struct Dependencies {
    storage::Database& database;
    SessionAuthenticator& authenticator;
    PasswordHasher& hasher;
    const TokenKeys& tokens;
    const crypto::KeyRing& seals;  ///< seeds of the second factor
    Mailer& mailer;
    const Clock& clock;
    Random& random;
    AccountWitness witness{};
  };
  Accounts(Dependencies dependencies, AccountsOptions options);
  ~Accounts();
  Accounts(const Accounts&) = delete;
  Accounts& operator=(const Accounts&) = delete;

  // ---- getting one --------------------------------------------------------------------------------------------------------------
  /// User, personal organization, session and the mail that verifies the address, all or nothing. With an invitation also the membership
  /// that it promises; having its token proves the address. Errors of invitations: see organization_service.hpp.
  [[nodiscard]] Result<SignedIn> register_account(const NewAccount& request, const Client& client);
  /// With `confirm_first`, and without an invitation. Answers before anything is looked up; then a mail goes to the address: the link that
  /// confirms it, or, where it has an account, that somebody wanted to make one, with a link to choose a new password.
  [[nodiscard]] Result<void> request_account(const NewAccount& request, const Client& client);
  [[nodiscard]] bool confirms_first() const;
  /// By an administrator or at the console; `registration` does not matter, and the address counts as verified.
  [[nodiscard]] Result<User> create_user(const NewAccount& request, bool superuser);
  [[nodiscard]] Result<bool> any_user();
  /// For the console of a first start: a one-time token that makes the first superuser; nothing once there is a user.
  [[nodiscard]] Result<std::optional<std::string>> make_setup_token();
  [[nodiscard]] Result<SignedIn> setup(std::string_view token, const NewAccount& request, const Client& client);

  // ---- signing in and staying signed in -----------------------------------------------------------------------------------------
  [[nodiscard]] Result<SignedIn> login(const LoginRequest& request, const Client& client);
  /// For who comes from a provider (oauth.hpp, with the errors of `user_of` there); a new account where `registration` is open.
  [[nodiscard]] Result<SignedIn> login(const ExternalIdentity& identity, const Client& client);
  [[nodiscard]] Result<SignedIn> refresh(std::string_view refresh_token, const Client& client);
  [[nodiscard]] Result<void> logout(const UserId& user, const SessionId& session);
  [[nodiscard]] Result<std::vector<SessionInfo>> sessions(const UserId& user);
  [[nodiscard]] Result<void> revoke_session(const UserId& user, const SessionId& session);
  /// All but `keep`.
  [[nodiscard]] Result<void> revoke_sessions(const UserId& user, const std::optional<SessionId>& keep);
  /// After the commit of something that has changed or ended the user's account elsewhere: sessions, keys and streams are looked at anew.
  void forget(const UserId& user);
  [[nodiscard]] Registration registration() const;
  /// For `csrf_token` and the gate.
  [[nodiscard]] const TokenKeys& token_keys() const;

  // ---- the account itself -------------------------------------------------------------------------------------------------------
  [[nodiscard]] Result<User> user(const UserId& user);
  [[nodiscard]] Result<User> rename(const UserId& user, const std::string& name);
  /// Nothing where the user has never chosen any.
  [[nodiscard]] Result<std::optional<Preferences>> preferences(const UserId& user);
  /// Answers all of them. What else changes at the same time stays.
  [[nodiscard]] Result<Preferences> change_preferences(const UserId& user, const PreferencesChange& change);
  /// Before what a stolen session must not do. Failures count as those of a login; `action` names what was tried, and outlives the call.
  [[nodiscard]] Result<void> prove_password(std::string_view action, const UserId& user, std::string_view password, const Client& client);
  /// Ends all sessions but `keep`.
  [[nodiscard]] Result<void> change_password(const UserId& user, const std::optional<SessionId>& keep, std::string_view old_password,
                                             std::string_view new_password, const Client& client);

  // ---- getting back in ----------------------------------------------------------------------------------------------------------
  /// Sends a link where there is such an account. Returns before anything is looked up.
  void forgot_password(std::string_view email);
  /// Ends all sessions, all links to set a password, and all API keys.
  [[nodiscard]] Result<void> reset_password(std::string_view token, std::string_view new_password, const Client& client);
  [[nodiscard]] Result<void> verify_email(std::string_view token);
  [[nodiscard]] Result<void> resend_verification(const UserId& user);

  // ---- providers ----------------------------------------------------------------------------------------------------------------
  [[nodiscard]] Result<std::vector<LinkedProvider>> linked_providers(const UserId& user);
  /// `identity` is who the user has just proven to be at the provider. The provider's word on addresses does not matter here.
  [[nodiscard]] Result<void> link_provider(const UserId& user, const ExternalIdentity& identity, const Client& client);
  /// Needs the password, and so leaves a way to sign in. Ends all sessions but `keep`.
  [[nodiscard]] Result<void> unlink_provider(const UserId& user, const std::optional<SessionId>& keep, std::string_view provider,
                                             std::string_view password, const Client& client);

  // ---- second factor ------------------------------------------------------------------------------------------------------------
  /// A new seed that is not in force yet. The password is asked, so that a stolen session cannot take the account over.
  [[nodiscard]] Result<TotpSetup> setup_totp(const UserId& user, std::string_view password, const Client& client);
  /// In force from now on; answers ten backup codes, shown once.
  [[nodiscard]] Result<std::vector<std::string>> enable_totp(const UserId& user, std::string_view code, const Client& client);
  /// Needs password and a code.
  [[nodiscard]] Result<void> disable_totp(const UserId& user, std::string_view password, std::string_view code, const Client& client);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::identity
