#include "identity/detail/oauth_claims.hpp"

#include <algorithm>

#include "crypto/crypto.hpp"
#include "identity/user.hpp"

namespace pawl::identity::detail {
namespace {

constexpr std::size_t kMaxSubject = 255;
constexpr std::size_t kMaxName = 200;
constexpr std::int64_t kSkewSeconds = 60;

Error invalid(std::string why) { return {ErrorClass::unauthenticated, "oauth.invalid_token", "The provider's token is not valid: " + why}; }

std::string_view text_of(const json::Value& object, std::string_view name) {
  const auto& value = object.get(name);
  return value.is_string() ? value.as_string() : std::string_view();
}

bool is_for(const json::Value& claims, std::string_view client) {
  const auto& audience = claims.get("aud");
  if (audience.is_string()) return audience.as_string() == client;
  if (!audience.is_array()) return false;
  const auto items = audience.items();
  const bool named =
      std::any_of(items.begin(), items.end(), [&](const json::Value& each) { return each.is_string() && each.as_string() == client; });
  return named && (items.size() == 1 || text_of(claims, "azp") == client);
}

}  // namespace

Result<void> check_claims(const json::Value& claims, const Expected& expected) {
  const auto now = std::chrono::floor<std::chrono::seconds>(expected.now).time_since_epoch().count();
  if (text_of(claims, "iss") != expected.issuer) return invalid("another issuer.");
  if (!is_for(claims, expected.client_id)) return invalid("it is for somebody else.");
  const auto azp = text_of(claims, "azp");
  if (!azp.empty() && azp != expected.client_id) return invalid("it was given to somebody else.");
  const auto& expiry = claims.get("exp");
  if (!expiry.is_number() || expiry.as_double() <= static_cast<double>(now - kSkewSeconds)) return invalid("it has expired.");
  for (const auto* name : {"iat", "nbf"}) {
    const auto& time = claims.get(name);
    if (time.is_number() && time.as_double() > static_cast<double>(now + kSkewSeconds)) return invalid("it is of the future.");
  }
  const auto nonce = text_of(claims, "nonce");
  if (expected.nonce.empty() || !crypto::equal(nonce, expected.nonce)) return invalid("another nonce.");
  const auto subject = text_of(claims, "sub");
  if (subject.empty() || subject.size() > kMaxSubject) return invalid("no subject.");
  return {};
}

ExternalIdentity identity_of(const json::Value& claims) {
  ExternalIdentity identity;
  identity.subject = std::string(text_of(claims, "sub"));
  identity.email = email_key(text_of(claims, "email")).value_or(std::string());
  const auto& verified = claims.get("email_verified");
  identity.email_verified = !identity.email.empty() && verified.is_bool() && verified.as_bool();
  identity.name = std::string(text_of(claims, "name"));
  if (identity.name.size() > kMaxName) identity.name.clear();
  return identity;
}

}  // namespace pawl::identity::detail
