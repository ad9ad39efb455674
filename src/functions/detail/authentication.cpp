#include "functions/detail/authentication.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.hpp"
#include "functions/detail/builtin.hpp"
#include "functions/detail/encoding.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "net/uri.hpp"

namespace pawl::functions {
namespace {

constexpr Millis kDefaultLifetime{60'000};  // where the server does not say

Error bad_policy(std::string message) { return {ErrorClass::invalid, "auth.policy", std::move(message)}; }

// The settings of one kind of policy, with `use: name` replaced by that secret.
Result<json::Value> resolve(std::string_view kind, const json::Value& settings, const json::Value& secrets) {
  const json::Value& name = settings.get("use");
  if (!name.is_string()) {
    if (!settings.is_object()) return bad_policy(fmt::format("the {} authentication is not an object", kind));
    return settings;
  }
  const json::Value* secret = secrets.find(name.as_string());
  if (secret == nullptr)
    return bad_policy(fmt::format("the {} authentication uses the secret '{}', which is not there", kind, name.as_string()));
  if (secret->is_object()) return *secret;
  if (secret->is_string()) {
    auto parsed = json::parse(secret->as_string());
    if (parsed.has_value() && parsed->is_object()) return parsed;
    if (kind == "bearer") return json::Value::object({{"token", *secret}});
  }
  return bad_policy(fmt::format("the secret '{}' is not an object as {} authentication needs it", name.as_string(), kind));
}

Result<std::string> required(std::string_view kind, const json::Value& settings, std::string_view name) {
  const json::Value& value = settings.get(name);
  if (!value.is_string() || value.empty()) return bad_policy(fmt::format("the {} authentication lacks `{}`", kind, name));
  return std::string(value.as_string());
}

std::string join(std::string base, std::string_view path) {
  if (path.starts_with("http://") || path.starts_with("https://")) return std::string(path);
  while (base.ends_with('/')) base.pop_back();
  return path.starts_with('/') ? base + std::string(path) : fmt::format("{}/{}", base, path);
}

Result<Authentication> read_token_policy(std::string_view kind, json::Value settings) {
  PAWL_TRY(authority, required(kind, settings, "authority"));
  PAWL_TRY(grant, required(kind, settings, "grant"));
  if (grant == "authorization_code")
    return bad_policy("the grant authorization_code needs a person with a browser; a workflow cannot use it");
  TokenSource source;
  source.cache_key = sha256(json::to_text(settings, {.sort_keys = true}));
  const json::Value& endpoint = settings.get("endpoints").get("token");
  if (kind == "oauth2" || endpoint.is_string()) {
    source.token_uri = join(authority, endpoint.is_string() ? endpoint.as_string() : "/oauth2/token");
  } else {
    source.discovery_uri = join(authority, "/.well-known/openid-configuration");
  }
  source.policy = std::move(settings);
  Authentication result;
  result.token = std::move(source);
  return result;
}

std::string joined(const json::Value& list) {
  std::string text;
  for (const json::Value& item : list.items()) text += (text.empty() ? "" : " ") + as_text(item);
  return text;
}

using Fields = std::vector<std::pair<std::string, std::string>>;

Result<void> add_grant(Fields& fields, const json::Value& policy) {
  const std::string grant = text_or(policy, "grant", "");
  fields.emplace_back("grant_type", grant);
  if (grant == "password") {
    PAWL_TRY(username, required("oauth2", policy, "username"));
    PAWL_TRY(password, required("oauth2", policy, "password"));
    fields.emplace_back("username", std::move(username));
    fields.emplace_back("password", std::move(password));
  } else if (grant == "refresh_token") {
    const json::Value& given = policy.get("refresh_token").is_string() ? policy.get("refresh_token") : policy.get("subject").get("token");
    if (!given.is_string()) return bad_policy("the grant refresh_token needs the token as `subject.token`");
    fields.emplace_back("refresh_token", given.as_string());
  } else if (grant == "urn:ietf:params:oauth:grant-type:token-exchange") {
    const json::Value& subject = policy.get("subject");
    if (!subject.get("token").is_string()) return bad_policy("a token exchange needs `subject`");
    for (const char* role : {"subject", "actor"}) {
      const json::Value& token = policy.get(role);
      if (!token.is_object()) continue;
      fields.emplace_back(fmt::format("{}_token", role), as_text(token.get("token")));
      fields.emplace_back(fmt::format("{}_token_type", role), as_text(token.get("type")));
    }
  } else if (grant != "client_credentials") {
    return bad_policy(fmt::format("the grant '{}' is not known", grant));
  }
  if (policy.get("scopes").is_array()) fields.emplace_back("scope", joined(policy.get("scopes")));
  if (policy.get("audiences").is_array()) fields.emplace_back("audience", joined(policy.get("audiences")));
  return boost::system::in_place_value;
}

Result<void> add_client(net::OutboundRequest& request, Fields& fields, const json::Value& client) {
  if (!client.is_object()) return boost::system::in_place_value;
  const std::string id = text_or(client, "id", "");
  const std::string secret = text_or(client, "secret", "");
  const std::string method = text_or(client, "authentication", "client_secret_post");
  if (method == "client_secret_basic") {
    // Section 2.3.1: both are form-encoded first.
    request.credentials = net::BasicCredentials{net::percent_encode(id), net::percent_encode(secret)};
    return boost::system::in_place_value;
  }
  if (!id.empty()) fields.emplace_back("client_id", id);
  if (method == "client_secret_post") {
    if (!secret.empty()) fields.emplace_back("client_secret", secret);
  } else if (method == "client_secret_jwt" || method == "private_key_jwt") {
    PAWL_TRY(assertion, required("oauth2", client, "assertion"));
    fields.emplace_back("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    fields.emplace_back("client_assertion", std::move(assertion));
  } else if (method != "none") {
    return bad_policy(fmt::format("the client authentication '{}' is not known", method));
  }
  return boost::system::in_place_value;
}

// The claim `iss` of a token that is a JWT; nothing for other tokens. Not verified: the token came from the authority itself over its own
// connection.
std::optional<std::string> issuer_of(const std::string& token) {
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string::npos ? first : token.find('.', first + 1);
  if (second == std::string::npos) return std::nullopt;
  std::string payload = token.substr(first + 1, second - first - 1);
  std::replace(payload.begin(), payload.end(), '-', '+');
  std::replace(payload.begin(), payload.end(), '_', '/');
  const auto bytes = from_base64(payload);
  if (!bytes || !is_utf8(*bytes)) return std::nullopt;
  const auto claims = json::parse(*bytes);
  if (claims.has_error() || !claims->get("iss").is_string()) return std::nullopt;
  return std::string(claims->get("iss").as_string());
}

}  // namespace

Result<Authentication> read_authentication(const json::Value& policy, const json::Value& secrets) {
  Authentication result;
  if (policy.is_null()) return result;
  for (const std::string_view kind : {"basic", "digest", "bearer", "oauth2", "oidc"}) {
    const json::Value* given = policy.find(kind);
    if (given == nullptr) continue;
    PAWL_TRY(settings, resolve(kind, *given, secrets));
    if (kind == "oauth2" || kind == "oidc") return read_token_policy(kind, std::move(settings));
    if (kind == "bearer") {
      PAWL_TRY(token, required(kind, settings, "token"));
      result.credentials = net::BearerToken{std::move(token)};
      return result;
    }
    PAWL_TRY(username, required(kind, settings, "username"));
    PAWL_TRY(password, required(kind, settings, "password"));
    if (kind == "basic") {
      result.credentials = net::BasicCredentials{std::move(username), std::move(password)};
    } else {
      result.credentials = net::DigestCredentials{std::move(username), std::move(password)};
    }
    return result;
  }
  return bad_policy("the authentication policy names none of basic, bearer, digest, oauth2, oidc");
}

Result<net::OutboundRequest> token_request(const TokenSource& source) {
  net::OutboundRequest request;
  request.method = "POST";
  request.url = source.token_uri;
  request.follow_redirects = false;  // credentials go to the authority and nowhere else
  request.max_response_bytes = 1U << 20U;
  Fields fields;
  PAWL_TRY_VOID(add_grant(fields, source.policy));
  PAWL_TRY_VOID(add_client(request, fields, source.policy.get("client")));
  request.headers.emplace_back("Accept", "application/json");
  if (text_or(source.policy.get("request"), "encoding", "") == "application/json") {
    json::Value body = json::Value::object();
    for (const auto& [name, value] : fields) body.set(name, value);
    request.body = json::to_text(body);
    request.headers.emplace_back("Content-Type", "application/json");
  } else {
    request.body = net::build_query(fields);
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  }
  return request;
}

Result<Token> read_token(const TokenSource& source, const net::OutboundResponse& response) {
  const auto refuse = [&](std::string_view why) {
    return Error(ErrorClass::unauthenticated, "auth.token", fmt::format("no token from {}: {}", source.token_uri, why));
  };
  const auto body = is_utf8(response.body) ? json::parse(response.body) : Result<json::Value>(json::Value());
  const json::Value answer = body.has_value() ? *body : json::Value();
  if (response.status != 200) {
    // `error` is one of the registered words; the description may echo what was sent, so it stays out.
    const std::string word = text_or(answer, "error", "");
    return refuse(word.empty() ? fmt::format("status {}", response.status)
                               : fmt::format("status {}, {}", response.status, word.substr(0, 80)));
  }
  Token token;
  token.value = text_or(answer, "access_token", "");
  if (token.value.empty()) return refuse("the answer has no access_token");
  const json::Value& seconds = answer.get("expires_in");
  token.lifetime =
      seconds.is_number() ? Millis(static_cast<std::int64_t>(std::clamp(seconds.as_double(), 0.0, 1e9) * 1000)) : kDefaultLifetime;
  const json::Value& issuers = source.policy.get("issuers");
  const auto issuer = issuer_of(token.value);
  if (issuers.is_array() && !issuers.empty() && issuer) {
    const auto same = [&](const json::Value& one) { return one.is_string() && one.as_string() == *issuer; };
    if (std::none_of(issuers.items().begin(), issuers.items().end(), same)) return refuse("its issuer is not one of `issuers`");
  }
  return token;
}

}  // namespace pawl::functions
