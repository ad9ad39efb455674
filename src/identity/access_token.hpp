/// Access tokens: short-lived JWTs (RFC 7519, `at+jwt` of RFC 9068) signed with HMAC-SHA256.
///
/// The first part of a token must be, byte for byte, one that we write ourselves; so nothing in the token chooses an algorithm, and a token
/// of another kind (`typ`) does not pass. Issuer, audience and expiry are checked, too. Whether the session still lives is not in the
/// token: the authenticator asks for that.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "identity/token_keys.hpp"

namespace pawl::identity {

struct AccessClaims {
  UserId user;
  SessionId session;
  TimePoint issued_at{};
  TimePoint expires_at{};
};

[[nodiscard]] std::string issue_access_token(const TokenKeys& keys, const AccessClaims& claims);
/// Nothing for whatever is not a token of ours that is valid at `now`.
[[nodiscard]] std::optional<AccessClaims> read_access_token(const TokenKeys& keys, std::string_view token, TimePoint now);

}  // namespace pawl::identity
