// What an ID token must say (OpenID Connect Core 3.1.3.7), and who it speaks of. Pure.
#pragma once

#include <string>

#include "base/error.hpp"
#include "base/time.hpp"
#include "identity/oauth.hpp"
#include "json/value.hpp"

namespace pawl::identity::detail {

struct Expected {
  std::string issuer;
  std::string client_id;
  std::string nonce;
  TimePoint now{};
};
/// Error `oauth.invalid_token`. Clocks may differ by a minute.
[[nodiscard]] Result<void> check_claims(const json::Value& claims, const Expected& expected);

/// Subject, address and name, of ID tokens and user information; `email_verified` counts only as the boolean `true`.
[[nodiscard]] ExternalIdentity identity_of(const json::Value& claims);

}  // namespace pawl::identity::detail
