/// The authentication policies of the DSL: `basic`, `bearer`, `digest`, `oauth2`, `oidc`, inline or by the name of a secret. Pure.
#pragma once

#include <optional>
#include <string>

#include "base/error.hpp"
#include "base/time.hpp"
#include "json/value.hpp"
#include "net/outbound.hpp"

namespace pawl::functions {

/// What must be fetched before the call can be made.
struct TokenSource {
  std::string cache_key;      ///< equal policies share a token
  json::Value policy;         ///< of `oauth2` or `oidc`, resolved
  std::string token_uri;      ///< empty: to be discovered
  std::string discovery_uri;  ///< `oidc`: where the token endpoint is described
};

struct Authentication {
  net::Credentials credentials;
  std::optional<TokenSource> token;
};

/// `policy`: as a task has it after evaluation, or null for none; `secrets`: what `use: name` refers to (an object, or text that is one in
/// JSON; for `bearer` also the token itself). Error `auth.policy`.
[[nodiscard]] Result<Authentication> read_authentication(const json::Value& policy, const json::Value& secrets);

/// The request for a token (RFC 6749; client authentication by post, basic, assertion or none). Error `auth.policy`.
[[nodiscard]] Result<net::OutboundRequest> token_request(const TokenSource& source);

struct Token {
  std::string value;
  Millis lifetime{0};
};
/// Error `auth.token`: refused, or not a token response. Never contains what was sent.
[[nodiscard]] Result<Token> read_token(const TokenSource& source, const net::OutboundResponse& response);

}  // namespace pawl::functions
