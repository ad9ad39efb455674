#include "identity/access_token.hpp"

#include <fmt/core.h>

#include "crypto/encoding.hpp"
#include "crypto/hmac.hpp"
#include "json/parse.hpp"
#include "json/value.hpp"

namespace pawl::identity {
namespace {

constexpr std::string_view kIssuer = "pawl";
constexpr std::string_view kAudience = "pawl:api";
constexpr std::size_t kMaxBytes = 2048;

std::string signature_of(const TokenKey& key, std::string_view signed_part) {
  const std::string_view secret(reinterpret_cast<const char*>(key.access.data()), key.access.size());
  const auto mac = crypto::hmac_sha256(secret, signed_part);
  return crypto::to_base64url({reinterpret_cast<const char*>(mac.data()), mac.size()});
}

std::int64_t seconds(TimePoint time) { return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count(); }

std::optional<TimePoint> time_of(const json::Value& claim) {
  if (!claim.is_integer() || claim.as_integer() < 0 || claim.as_integer() > 100'000'000'000) return std::nullopt;
  return TimePoint(std::chrono::seconds(claim.as_integer()));
}

std::optional<AccessClaims> read_claims(std::string_view payload, TimePoint now) {
  const auto text = crypto::from_base64url(payload);
  if (!text) return std::nullopt;
  const auto claims = json::parse(*text, {.max_depth = 4, .max_bytes = kMaxBytes});
  if (claims.has_error()) return std::nullopt;
  const auto is = [&](std::string_view name, std::string_view expected) {
    const auto& claim = claims->get(name);
    return claim.is_string() && claim.as_string() == expected;
  };
  if (!is("iss", kIssuer) || !is("aud", kAudience)) return std::nullopt;
  const auto& subject = claims->get("sub");
  const auto& session = claims->get("sid");
  if (!subject.is_string() || !session.is_string()) return std::nullopt;
  const auto user_id = UserId::parse(subject.as_string());
  const auto session_id = SessionId::parse(session.as_string());
  const auto issued = time_of(claims->get("iat"));
  const auto expires = time_of(claims->get("exp"));
  if (!user_id || !session_id || !issued || !expires || now >= *expires) return std::nullopt;
  return AccessClaims{*user_id, *session_id, *issued, *expires};
}

}  // namespace

std::string issue_access_token(const TokenKeys& keys, const AccessClaims& claims) {
  const auto& key = keys.current();
  const auto payload =
      fmt::format(R"({{"iss":"{}","aud":"{}","sub":"{}","sid":"{}","iat":{},"exp":{}}})", kIssuer, kAudience, claims.user.to_string(),
                  claims.session.to_string(), seconds(claims.issued_at), seconds(claims.expires_at));
  auto token = key.access_header + "." + crypto::to_base64url(payload);
  token += "." + signature_of(key, token);
  return token;
}

std::optional<AccessClaims> read_access_token(const TokenKeys& keys, std::string_view token, TimePoint now) {
  if (token.size() > kMaxBytes) return std::nullopt;
  const auto first = token.find('.');
  const auto last = token.rfind('.');
  if (first == std::string_view::npos || first == last) return std::nullopt;
  for (const auto& key : keys.accepted(now)) {
    if (token.substr(0, first) != key.access_header) continue;
    if (!crypto::equal(signature_of(key, token.substr(0, last)), token.substr(last + 1))) return std::nullopt;
    return read_claims(token.substr(first + 1, last - first - 1), now);
  }
  return std::nullopt;
}

}  // namespace pawl::identity
