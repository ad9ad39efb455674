#include "identity/refresh_token.hpp"

#include <algorithm>

#include "crypto/encoding.hpp"
#include "crypto/hmac.hpp"

namespace pawl::identity {
namespace {

constexpr std::string_view kPrefix = "pawr_";
constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kGenerationBytes = 4;
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kMacBytes = 16;
constexpr std::size_t kBodyBytes = kIdBytes + kGenerationBytes + kSecretBytes;

std::string_view bytes_of(const crypto::Digest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

std::string mac_of(const TokenKey& key, std::string_view body) {
  return std::string(bytes_of(crypto::keyed_hash(key.refresh, "mac:" + std::string(body))).substr(0, kMacBytes));
}

std::string body_of(const RefreshToken& token) {
  std::string body(reinterpret_cast<const char*>(token.session.uuid.bytes.data()), kIdBytes);
  for (unsigned shift = 32; shift > 0; shift -= 8) body += static_cast<char>((token.generation >> (shift - 8)) & 0xFFU);
  return body + token.secret;
}

RefreshToken token_of(std::string_view body) {
  RefreshToken token;
  std::copy_n(body.begin(), kIdBytes, token.session.uuid.bytes.begin());
  for (std::size_t i = 0; i < kGenerationBytes; ++i) {
    token.generation = (token.generation << 8U) | static_cast<unsigned char>(body[kIdBytes + i]);
  }
  token.secret = std::string(body.substr(kIdBytes + kGenerationBytes));
  return token;
}

}  // namespace

std::string to_text(const TokenKeys& keys, const RefreshToken& token) {
  const auto body = body_of(token);
  return std::string(kPrefix) + crypto::to_base64url(body + mac_of(keys.current(), body));
}

std::optional<RefreshToken> read_refresh_token(const TokenKeys& keys, std::string_view text, TimePoint now) {
  if (!text.starts_with(kPrefix) || text.size() > 256) return std::nullopt;
  const auto bytes = crypto::from_base64url(text.substr(kPrefix.size()));
  if (!bytes || bytes->size() != kBodyBytes + kMacBytes) return std::nullopt;
  const auto body = std::string_view(*bytes).substr(0, kBodyBytes);
  for (const auto& key : keys.accepted(now)) {
    if (crypto::equal(mac_of(key, body), std::string_view(*bytes).substr(kBodyBytes))) return token_of(body);
  }
  return std::nullopt;
}

RefreshToken first_refresh_token(const SessionId& session) { return {session, 0, crypto::random_bytes(kSecretBytes)}; }

RefreshToken next_refresh_token(const TokenKeys& keys, const RefreshToken& token, std::string_view salt) {
  const auto input = "next:" + std::string(salt) + body_of(token);
  return {token.session, token.generation + 1, std::string(bytes_of(crypto::keyed_hash(keys.current().refresh, input)))};
}

std::string token_hash(std::string_view text) { return std::string(bytes_of(crypto::hash(text))); }

}  // namespace pawl::identity
