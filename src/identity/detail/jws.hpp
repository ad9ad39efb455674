// Signed tokens of OpenID providers: RFC 7515 (JWS), 7517 (JWK), 7518 (RS256, ES256). Nothing else is accepted.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "json/value.hpp"

namespace pawl::identity::detail {

[[nodiscard]] std::string sha256(std::string_view data);

/// Name of the key that a token says it was signed with; empty: it does not say. Not verified.
[[nodiscard]] std::string key_id_of(std::string_view token);
/// Is there a key of this name in the set? An empty name: is there any?
[[nodiscard]] bool has_key(const json::Value& key_set, std::string_view key_id);

/// The claims of a compact JWS that a key of the set has signed. The key decides the algorithm (RSA: RS256, P-256: ES256), and the header
/// must name just that: `none` and symmetric algorithms never pass. Error `oauth.invalid_token`.
[[nodiscard]] Result<json::Value> verify_jws(std::string_view token, const json::Value& key_set);

}  // namespace pawl::identity::detail
