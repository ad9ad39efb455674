#include "identity/token_keys.hpp"

#include <fmt/core.h>

#include "crypto/encoding.hpp"

namespace pawl::identity {
namespace {

std::string_view bytes_of(const crypto::Digest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

TokenKey derive(std::string_view secret) {
  TokenKey key;
  key.kid = crypto::to_base64url(bytes_of(crypto::derive_key(secret, "pawl token key id")).substr(0, 6));
  key.access_header = crypto::to_base64url(fmt::format(R"({{"alg":"HS256","kid":"{}","typ":"at+jwt"}})", key.kid));
  key.access = crypto::derive_key(secret, "pawl access tokens");
  key.refresh = crypto::derive_key(secret, "pawl refresh tokens");
  key.csrf = crypto::derive_key(secret, "pawl csrf tokens");
  return key;
}

std::string csrf_token(const TokenKey& key, const SessionId& session) {
  return crypto::to_base64url(bytes_of(crypto::keyed_hash(key.csrf, session.to_string())));
}

}  // namespace

TokenKeys::TokenKeys(std::string_view current, std::span<const std::string> previous, std::optional<TimePoint> previous_until)
    : previous_until_(previous_until) {
  keys_.push_back(derive(current));
  for (const auto& secret : previous) keys_.push_back(derive(secret));
}

std::span<const TokenKey> TokenKeys::accepted(TimePoint now) const {
  const bool over = previous_until_ && now >= *previous_until_;
  return std::span<const TokenKey>(keys_).first(over ? 1 : keys_.size());
}

std::string csrf_token(const TokenKeys& keys, const SessionId& session) { return csrf_token(keys.current(), session); }

bool is_csrf_token(const TokenKeys& keys, const SessionId& session, std::string_view token, TimePoint now) {
  bool found = false;
  for (const auto& key : keys.accepted(now)) found |= crypto::equal(csrf_token(key, session), token);
  return found;
}

}  // namespace pawl::identity
