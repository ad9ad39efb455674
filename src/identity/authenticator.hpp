/// From what a request carries to who asks: access tokens, API keys, the installation's own key.
///
///     if (auto known = authenticator.try_authenticate(credentials)) { ... }      // io thread: from memory, never blocks
///     else pool.try_post([&] { auto principal = authenticator.authenticate(credentials); ... });
///
/// A token's signature, purpose and expiry are checked without the database. Whether its session still lives, its user is still active and
/// what the user may do comes from a small cache with a short time to live; a miss needs the blocking call. What this process revokes takes
/// effect at once, what another one revokes within that time.
///
/// Without any credentials the answer is `Principal::Kind::anonymous`; credentials that are no good are an error, never anonymous.
///
/// Errors: `auth.invalid_token` (401: malformed, forged, expired, revoked, or of a user who may not sign in; one code for all of them),
/// those of storage. Thread-safe. Names no credentials in any error.
#pragma once

#include <optional>
#include <string_view>

#include "base/error.hpp"
#include "identity/principal.hpp"

namespace pawl::identity {

/// Views into the request; empty where it carries none. The bearer wins over the cookie.
struct Credentials {
  std::string_view bearer;          ///< of `Authorization: Bearer ...`
  std::string_view cookie_session;  ///< value of the access cookie
};

class Authenticator {
 public:
  Authenticator() = default;
  Authenticator(const Authenticator&) = delete;
  Authenticator& operator=(const Authenticator&) = delete;
  virtual ~Authenticator() = default;

  /// The answer where memory has it; nothing where the database must be asked. Never blocks.
  [[nodiscard]] virtual std::optional<Result<Principal>> try_authenticate(const Credentials& credentials) = 0;
  /// Blocks: on the pool.
  [[nodiscard]] virtual Result<Principal> authenticate(const Credentials& credentials) = 0;
};

}  // namespace pawl::identity
