/// Signing in with an account of somebody else: OpenID Connect (Google, any provider) and GitHub.
///
/// Authorization code with PKCE (S256), a one-time state that is bound to the browser by a sealed cookie, a nonce, and the exact redirect
/// address of the configuration. What comes of it is an `ExternalIdentity` and nothing else: tokens of the provider are used once and not
/// kept, and none of ours or theirs ever stands in a URL.
///
///     begin    -> where to send the browser, and a cookie for it
///     finish   -> who the provider says it is
///     user_of  -> the user here: known by this identity, or joined by a verified address, or new
///
/// Somebody who is signed in links a further account in the same way: `begin` for that user, and what `finish` answers says so: `asked_by`.
///
/// | error                     | class           |
/// | ---                       | ---             |
/// | `oauth.unknown_provider`  | not_found       | not configured
/// | `oauth.invalid_state`     | unauthenticated | cookie and answer do not belong together, are too old, or were used before
/// | `oauth.refused`           | unauthenticated | the person or the provider said no
/// | `oauth.invalid_token`     | unauthenticated | signature, algorithm, issuer, audience, time or nonce
/// | `oauth.unverified_email`  | unauthenticated | the provider vouches for no address
/// | `oauth.sign_in_required`  | conflict        | the address has an account here that must sign in by itself
/// | `oauth.unavailable`       | unavailable     | the provider does not answer as it should
///
/// Thread-safe. `begin` and `finish` do not wait for the network; `done` comes on a thread of the outbound client and must not block.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "crypto/crypto.hpp"
#include "identity/user.hpp"

namespace pawl::net {
class Outbound;
}
namespace pawl::storage {
class Database;
}

namespace pawl::identity {

class Mailer;

struct OAuthProvider {
  enum class Kind : std::uint8_t { oidc, github };
  std::string name;  ///< in paths: `google`, `github`, `oidc`
  Kind kind = Kind::oidc;
  std::string client_id;
  std::string client_secret;
  std::string redirect_uri;
  std::string issuer{};  ///< of `oidc`; discovery is below it
};

/// Who is signed in here and wants to sign in with a further account, and the session that asked for it.
struct Asker {
  UserId user;
  SessionId session;
  friend bool operator==(const Asker&, const Asker&) = default;
};

struct ExternalIdentity {
  std::string provider;
  std::string subject;  ///< the provider's name for the account; never reused
  std::string email;    ///< in lower case
  bool email_verified = false;
  std::string name;
  std::optional<Asker> asked_by{};  ///< none: this is a sign-in
};

/// How long a person may take at the provider.
inline constexpr Millis kOAuthPatience = std::chrono::minutes(10);

/// Where an identity leads.
struct Entry {
  UserId user;
  bool taken_over = false;  ///< it had a password until now: what was opened with that has ended
};
/// The user that an identity leads to. In this order: the user it was linked with; the user with the same address, where the provider has
/// verified it *and* the user has confirmed it here (it is linked from now on, and its password, sessions and API keys end, with a mail to
/// the address: whoever made the account need not be whom the provider knows); a new user with a personal organization, where
/// `may_register`. Errors `oauth.unverified_email`, `oauth.sign_in_required` (the account here has not confirmed the address, or has a
/// second factor, which the provider's word does not replace), `auth.registration_closed`, `auth.invalid_credentials` (deactivated).
/// Blocks. What it changes is told to `witness`.
[[nodiscard]] Result<Entry> user_of(storage::Database& database, Mailer& mailer, const ExternalIdentity& identity, bool may_register,
                                    TimePoint now, Random& random, const AccountWitness& witness = {});

class OAuth {
 public:
  struct Dependencies {
    net::Outbound& outbound;
    storage::Database& database;
    const Clock& clock;
    crypto::Key key;  ///< seals the cookie
    std::vector<OAuthProvider> providers;
  };
  explicit OAuth(Dependencies dependencies);
  /// Sign-ins in flight end without an answer: no `done` is called afterwards.
  ~OAuth();
  OAuth(const OAuth&) = delete;
  OAuth& operator=(const OAuth&) = delete;

  [[nodiscard]] std::vector<std::string> providers() const;

  struct Start {
    std::string location;  ///< at the provider
    std::string cookie;    ///< sealed; for `kOAuthPatience`
  };
  /// `asked_by`: see ExternalIdentity.
  void begin(std::string_view provider, const std::optional<Asker>& asked_by, std::function<void(Result<Start>)> done);
  /// Whether this attempt is one to link an account, whatever becomes of it.
  [[nodiscard]] bool is_link(std::string_view cookie) const;

  /// What the provider sent the browser back with.
  struct Answer {
    std::string code;
    std::string state;
    std::string issuer;  ///< `iss` (RFC 9207); empty: not given
    std::string error;
  };
  /// Blocks for the database (the state is used up), not for the network.
  void finish(std::string_view provider, const Answer& answer, std::string_view cookie, std::function<void(Result<ExternalIdentity>)> done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace pawl::identity
