#include "identity/oauth.hpp"

#include <algorithm>
#include <map>
#include <mutex>

#include "crypto/encoding.hpp"
#include "identity/detail/jws.hpp"
#include "identity/detail/oauth_claims.hpp"
#include "identity/user.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "net/outbound.hpp"
#include "net/uri.hpp"
#include "storage/database.hpp"

namespace pawl::identity {
namespace {

constexpr Millis kFetchTimeout{10'000};
constexpr std::size_t kMaxReply = 1U << 20U;
constexpr Millis kKeepDiscovery = std::chrono::hours(1);
constexpr Millis kKeepKeys = std::chrono::hours(1);
constexpr Millis kAskKeysAgain = std::chrono::minutes(1);  ///< a token of an unknown key may ask for new ones this often
constexpr std::string_view kCookieBinding = "pawl oauth state";
constexpr std::string_view kGithubAuthorize = "https://github.com/login/oauth/authorize";
constexpr std::string_view kGithubToken = "https://github.com/login/oauth/access_token";
constexpr std::string_view kGithubUser = "https://api.github.com/user";
constexpr std::string_view kGithubEmails = "https://api.github.com/user/emails";

using Json = std::function<void(Result<json::Value>)>;
using Done = std::function<void(Result<ExternalIdentity>)>;

Error unavailable(std::string why) {
  return {ErrorClass::unavailable, "oauth.unavailable", "The sign-in provider does not answer as it should: " + why};
}
Error refused(std::string why) { return {ErrorClass::unauthenticated, "oauth.refused", std::move(why)}; }
Error invalid_state() {
  return {ErrorClass::unauthenticated, "oauth.invalid_state",
          "This sign-in was not begun by this browser, took too long, or is over already."};
}

std::string_view text_of(const json::Value& object, std::string_view name) {
  const auto& value = object.get(name);
  return value.is_string() ? value.as_string() : std::string_view();
}

/// What the browser carries from `begin` to `finish`.
struct Attempt {
  std::string provider;
  std::string state;
  std::string nonce;
  std::string verifier;
  TimePoint expires{};
  std::optional<Asker> asked_by{};
};

std::string to_cookie(const Attempt& attempt, const crypto::Key& key) {
  const auto asker = attempt.asked_by.value_or(Asker{});
  const auto text = json::to_text(json::Value::object({{"provider", attempt.provider},
                                                       {"state", attempt.state},
                                                       {"nonce", attempt.nonce},
                                                       {"verifier", attempt.verifier},
                                                       {"asked_by", attempt.asked_by ? asker.user.to_string() : std::string()},
                                                       {"asked_in", attempt.asked_by ? asker.session.to_string() : std::string()},
                                                       {"expires", attempt.expires.time_since_epoch().count()}}));
  return crypto::to_base64url(crypto::seal(key, text, kCookieBinding));
}

std::optional<Attempt> from_cookie(std::string_view cookie, const crypto::Key& key) {
  constexpr std::size_t kMaxCookie = 4096;
  if (cookie.empty() || cookie.size() > kMaxCookie) return std::nullopt;
  const auto sealed = crypto::from_base64url(cookie);
  const auto text = sealed ? crypto::open(key, *sealed, kCookieBinding) : std::nullopt;
  if (!text) return std::nullopt;
  const auto value = json::parse(*text);
  if (value.has_error() || !value->get("expires").is_integer()) return std::nullopt;
  Attempt attempt;
  attempt.provider = std::string(text_of(*value, "provider"));
  attempt.state = std::string(text_of(*value, "state"));
  attempt.nonce = std::string(text_of(*value, "nonce"));
  attempt.verifier = std::string(text_of(*value, "verifier"));
  attempt.expires = TimePoint(Millis(value->get("expires").as_integer()));
  if (const auto asked_by = text_of(*value, "asked_by"); !asked_by.empty()) {
    const auto user = UserId::parse(asked_by);
    const auto session = SessionId::parse(text_of(*value, "asked_in"));
    if (!user || !session) return std::nullopt;
    attempt.asked_by = Asker{*user, *session};
  }
  return attempt;
}

/// Where an OpenID provider wants to be asked (OpenID Connect Discovery 1.0).
struct Endpoints {
  std::string authorization;
  std::string token;
  std::string keys;
  std::string user_info;        ///< may be empty
  bool secret_in_body = false;  ///< the provider takes no HTTP Basic
  TimePoint fetched{};
};

struct KeySet {
  json::Value keys;
  TimePoint fetched{};
};

Result<Endpoints> read_discovery(const json::Value& document, const std::string& issuer) {
  if (text_of(document, "issuer") != issuer) return unavailable("its discovery document names another issuer.");
  Endpoints endpoints;
  endpoints.authorization = std::string(text_of(document, "authorization_endpoint"));
  endpoints.token = std::string(text_of(document, "token_endpoint"));
  endpoints.keys = std::string(text_of(document, "jwks_uri"));
  endpoints.user_info = std::string(text_of(document, "userinfo_endpoint"));
  if (endpoints.authorization.empty() || endpoints.token.empty() || endpoints.keys.empty()) {
    return unavailable("its discovery document lacks an endpoint.");
  }
  // Whoever stands between us and a provider on https must not be able to lead us off it.
  for (const auto* each : {&endpoints.authorization, &endpoints.token, &endpoints.keys}) {
    if (issuer.starts_with("https://") && !each->starts_with("https://")) return unavailable("an endpoint is not on https.");
  }
  const auto& methods = document.get("token_endpoint_auth_methods_supported");
  if (methods.is_array()) {
    const auto items = methods.items();
    endpoints.secret_in_body = std::none_of(items.begin(), items.end(), [](const json::Value& method) {
      return method.is_string() && method.as_string() == "client_secret_basic";
    });
  }
  return endpoints;
}

/// One address of a GitHub account that both sides trust, or the empty text.
std::string verified_primary(const json::Value& emails) {
  if (!emails.is_array()) return {};
  for (const auto& each : emails.items()) {
    const auto& verified = each.get("verified");
    const auto& primary = each.get("primary");
    if (verified.is_bool() && verified.as_bool() && primary.is_bool() && primary.as_bool()) return std::string(text_of(each, "email"));
  }
  return {};
}

}  // namespace

struct OAuth::Impl : std::enable_shared_from_this<OAuth::Impl> {
  explicit Impl(Dependencies dependencies) : d(std::move(dependencies)) {}

  Dependencies d;
  std::mutex mutex;
  std::map<std::string, Endpoints, std::less<>> endpoints;  // by provider
  std::map<std::string, KeySet, std::less<>> key_sets;

  /// Of one sign-in, from the code on.
  struct Exchange {
    OAuthProvider provider;
    Endpoints endpoints;
    Attempt attempt;
    std::string code;
    std::string access_token;
    Done done;
  };
  using ExchangePtr = std::shared_ptr<Exchange>;

  [[nodiscard]] const OAuthProvider* find(std::string_view name) const {
    const auto it = std::find_if(d.providers.begin(), d.providers.end(), [&](const OAuthProvider& each) { return each.name == name; });
    return it == d.providers.end() ? nullptr : &*it;
  }
  void fetch(net::OutboundRequest request, Json next) const;
  void with_endpoints(const OAuthProvider& provider, std::function<void(Result<Endpoints>)> next);
  void with_keys(const OAuthProvider& provider, const Endpoints& where, const std::string& key_id, Json next);
  [[nodiscard]] Result<void> use_state(const Attempt& attempt) const;
  void exchange_code(const ExchangePtr& exchange);
  void take_tokens(const ExchangePtr& exchange, const json::Value& reply);
  void check_id_token(const ExchangePtr& exchange, const std::string& id_token, const json::Value& keys);
  void ask_user_info(const ExchangePtr& exchange, ExternalIdentity identity);
  void ask_github(const ExchangePtr& exchange);
};

void OAuth::Impl::fetch(net::OutboundRequest request, Json next) const {
  request.timeout = kFetchTimeout;
  request.follow_redirects = false;  // a code or a secret goes where the configuration says, and nowhere else
  request.max_response_bytes = kMaxReply;
  request.headers.emplace_back("Accept", "application/json");
  // Whatever `next` leads to may use this object: it lives while it is held here, and nothing is called once it is gone.
  d.outbound.start(std::move(request), [weak = weak_from_this(), next = std::move(next)](Result<net::OutboundResponse> outcome) {
    const auto self = weak.lock();
    if (!self) return;
    if (outcome.has_error()) return next(unavailable(outcome.error().message));
    constexpr int kOk = 200;
    constexpr int kServerErrors = 500;
    json::ParseLimits limits;
    limits.max_depth = 32;
    auto value = json::parse(outcome->body, limits);
    if (outcome->status == kOk && value.has_value()) return next(std::move(*value));
    if (outcome->status >= kServerErrors || value.has_error()) {
      return next(unavailable("status " + std::to_string(outcome->status) + "."));
    }
    next(refused("The provider refused the sign-in (status " + std::to_string(outcome->status) + ")."));
  });
}

void OAuth::Impl::with_endpoints(const OAuthProvider& provider, std::function<void(Result<Endpoints>)> next) {
  if (provider.kind == OAuthProvider::Kind::github) {
    Endpoints github;
    github.authorization = std::string(kGithubAuthorize);
    github.token = std::string(kGithubToken);
    github.secret_in_body = true;
    return next(std::move(github));
  }
  std::optional<Endpoints> known;
  {
    const std::lock_guard lock(mutex);
    const auto it = endpoints.find(provider.name);
    if (it != endpoints.end() && d.clock.now() - it->second.fetched < kKeepDiscovery) known = it->second;
  }
  if (known) return next(std::move(*known));
  net::OutboundRequest request;
  request.url = provider.issuer + (provider.issuer.ends_with('/') ? "" : "/") + ".well-known/openid-configuration";
  fetch(std::move(request), [this, name = provider.name, issuer = provider.issuer, next = std::move(next)](Result<json::Value> document) {
    if (document.has_error()) return next(unavailable(document.error().message));
    auto read = read_discovery(*document, issuer);
    if (read.has_value()) {
      read->fetched = d.clock.now();
      const std::lock_guard lock(mutex);
      endpoints[name] = *read;
    }
    next(std::move(read));
  });
}

void OAuth::Impl::with_keys(const OAuthProvider& provider, const Endpoints& where, const std::string& key_id, Json next) {
  std::optional<json::Value> known;
  {
    const std::lock_guard lock(mutex);
    const auto it = key_sets.find(provider.name);
    if (it != key_sets.end()) {
      const auto age = d.clock.now() - it->second.fetched;
      // Providers rotate keys: a name that is not in the set asks for the set again, but not as often as somebody likes to send names.
      if (age < kAskKeysAgain || (age < kKeepKeys && detail::has_key(it->second.keys, key_id))) known = it->second.keys;
    }
  }
  if (known) return next(std::move(*known));
  net::OutboundRequest request;
  request.url = where.keys;
  fetch(std::move(request), [this, name = provider.name, next = std::move(next)](Result<json::Value> keys) {
    if (keys.has_error()) return next(unavailable(keys.error().message));
    {
      const std::lock_guard lock(mutex);
      key_sets[name] = {*keys, d.clock.now()};
    }
    next(std::move(keys));
  });
}

Result<void> OAuth::Impl::use_state(const Attempt& attempt) const {
  const auto now = d.clock.now();
  const auto digest = crypto::hash(attempt.state);
  return d.database.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(transaction.execute("delete from oauth_used_states where expires_at < $1", {now}));
    const auto hash = storage::Parameter::blob({reinterpret_cast<const char*>(digest.data()), digest.size()});
    PAWL_TRY(fresh, transaction.execute("insert into oauth_used_states (state_hash, expires_at) values ($1, $2) on conflict do nothing",
                                        {hash, attempt.expires}));
    if (fresh != 1) return invalid_state();
    return {};
  });
}

void OAuth::Impl::exchange_code(const ExchangePtr& exchange) {
  const auto& provider = exchange->provider;
  std::vector<std::pair<std::string, std::string>> form{{"grant_type", "authorization_code"},
                                                        {"code", exchange->code},
                                                        {"redirect_uri", provider.redirect_uri},
                                                        {"client_id", provider.client_id},
                                                        {"code_verifier", exchange->attempt.verifier}};
  net::OutboundRequest request;
  request.method = "POST";
  request.url = exchange->endpoints.token;
  request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  if (exchange->endpoints.secret_in_body) {
    form.emplace_back("client_secret", provider.client_secret);
  } else {
    // RFC 6749, 2.3.1: both are form-encoded first.
    request.credentials = net::BasicCredentials{net::percent_encode(provider.client_id), net::percent_encode(provider.client_secret)};
  }
  request.body = net::build_query(form);
  fetch(std::move(request), [this, exchange](Result<json::Value> reply) {
    if (reply.has_error()) return exchange->done(std::move(reply).error());
    take_tokens(exchange, *reply);
  });
}

void OAuth::Impl::take_tokens(const ExchangePtr& exchange, const json::Value& reply) {
  exchange->access_token = std::string(text_of(reply, "access_token"));
  if (exchange->provider.kind == OAuthProvider::Kind::github) {
    // GitHub answers 200 to a code that is no good.
    if (exchange->access_token.empty()) return exchange->done(refused("The provider refused the sign-in."));
    return ask_github(exchange);
  }
  auto id_token = std::string(text_of(reply, "id_token"));
  if (id_token.empty()) return exchange->done(unavailable("it sent no ID token."));
  const auto key_id = detail::key_id_of(id_token);
  with_keys(exchange->provider, exchange->endpoints, key_id, [this, exchange, id_token = std::move(id_token)](Result<json::Value> keys) {
    if (keys.has_error()) return exchange->done(std::move(keys).error());
    check_id_token(exchange, id_token, *keys);
  });
}

void OAuth::Impl::check_id_token(const ExchangePtr& exchange, const std::string& id_token, const json::Value& keys) {
  const auto claims = detail::verify_jws(id_token, keys);
  if (claims.has_error()) return exchange->done(claims.error());
  const auto& provider = exchange->provider;
  const detail::Expected expected{provider.issuer, provider.client_id, exchange->attempt.nonce, d.clock.now()};
  if (const auto checked = detail::check_claims(*claims, expected); checked.has_error()) return exchange->done(checked.error());
  auto identity = detail::identity_of(*claims);
  identity.provider = provider.name;
  if (identity.email.empty() && !exchange->endpoints.user_info.empty() && !exchange->access_token.empty()) {
    return ask_user_info(exchange, std::move(identity));
  }
  exchange->done(std::move(identity));
}

void OAuth::Impl::ask_user_info(const ExchangePtr& exchange, ExternalIdentity identity) {
  net::OutboundRequest request;
  request.url = exchange->endpoints.user_info;
  request.credentials = net::BearerToken{exchange->access_token};
  fetch(std::move(request), [exchange, identity = std::move(identity)](Result<json::Value> reply) {
    if (reply.has_error()) return exchange->done(std::move(reply).error());
    // OpenID Connect Core 5.3.2: or a token of somebody else could have been put in its place.
    if (text_of(*reply, "sub") != identity.subject) return exchange->done(unavailable("its user information is about somebody else."));
    auto complete = detail::identity_of(*reply);
    complete.provider = identity.provider;
    exchange->done(std::move(complete));
  });
}

void OAuth::Impl::ask_github(const ExchangePtr& exchange) {
  net::OutboundRequest request;
  request.url = std::string(kGithubUser);
  request.credentials = net::BearerToken{exchange->access_token};
  fetch(std::move(request), [this, exchange](Result<json::Value> user) {
    if (user.has_error()) return exchange->done(std::move(user).error());
    if (!user->get("id").is_integer()) return exchange->done(unavailable("it did not say who this is."));
    ExternalIdentity identity;
    identity.provider = exchange->provider.name;
    identity.subject = std::to_string(user->get("id").as_integer());
    identity.name = std::string(text_of(*user, "name"));
    if (identity.name.empty()) identity.name = std::string(text_of(*user, "login"));
    net::OutboundRequest emails;
    emails.url = std::string(kGithubEmails);
    emails.credentials = net::BearerToken{exchange->access_token};
    fetch(std::move(emails), [exchange, identity = std::move(identity)](Result<json::Value> list) {
      if (list.has_error()) return exchange->done(std::move(list).error());
      auto complete = identity;
      complete.email = email_key(verified_primary(*list)).value_or(std::string());
      complete.email_verified = !complete.email.empty();
      exchange->done(std::move(complete));
    });
  });
}

OAuth::OAuth(Dependencies dependencies) : impl_(std::make_shared<Impl>(std::move(dependencies))) {}
OAuth::~OAuth() = default;

std::vector<std::string> OAuth::providers() const {
  std::vector<std::string> names;
  for (const auto& each : impl_->d.providers) names.push_back(each.name);
  return names;
}

namespace {

Error unknown_provider() { return {ErrorClass::not_found, "oauth.unknown_provider", "This sign-in provider is not set up here."}; }

}  // namespace

bool OAuth::is_link(std::string_view cookie) const {
  const auto attempt = from_cookie(cookie, impl_->d.key);
  return attempt && attempt->asked_by;
}

void OAuth::begin(std::string_view provider_name, const std::optional<Asker>& asked_by, std::function<void(Result<Start>)> done) {
  const auto* provider = impl_->find(provider_name);
  if (provider == nullptr) return done(unknown_provider());
  impl_->with_endpoints(
      *provider, [impl = impl_.get(), provider = *provider, asked_by, done = std::move(done)](Result<Endpoints> endpoints) {
        if (endpoints.has_error()) return done(std::move(endpoints).error());
        Attempt attempt;
        attempt.asked_by = asked_by;
        attempt.provider = provider.name;
        attempt.state = crypto::random_token();
        attempt.nonce = crypto::random_token();
        attempt.verifier = crypto::random_token();
        attempt.expires = impl->d.clock.now() + kOAuthPatience;
        const bool github = provider.kind == OAuthProvider::Kind::github;
        std::vector<std::pair<std::string, std::string>> query{{"response_type", "code"},
                                                               {"client_id", provider.client_id},
                                                               {"redirect_uri", provider.redirect_uri},
                                                               {"scope", github ? "read:user user:email" : "openid email profile"},
                                                               {"state", attempt.state},
                                                               {"code_challenge", crypto::to_base64url(detail::sha256(attempt.verifier))},
                                                               {"code_challenge_method", "S256"}};
        if (!github) query.emplace_back("nonce", attempt.nonce);
        Start start;
        start.location = net::with_query(endpoints->authorization, query);
        start.cookie = to_cookie(attempt, impl->d.key);
        done(std::move(start));
      });
}

void OAuth::finish(std::string_view provider_name, const Answer& answer, std::string_view cookie, Done done) {
  const auto* provider = impl_->find(provider_name);
  if (provider == nullptr) return done(unknown_provider());
  auto attempt = from_cookie(cookie, impl_->d.key);
  if (!attempt || attempt->provider != provider->name || attempt->expires <= impl_->d.clock.now() ||
      !crypto::equal(answer.state, attempt->state)) {
    return done(invalid_state());
  }
  if (!answer.issuer.empty() && !provider->issuer.empty() && answer.issuer != provider->issuer) return done(invalid_state());
  if (const auto used = impl_->use_state(*attempt); used.has_error()) return done(used.error());
  if (!answer.error.empty() || answer.code.empty()) return done(refused("The sign-in was not completed at the provider."));
  auto exchange = std::make_shared<Impl::Exchange>();
  exchange->provider = *provider;
  exchange->attempt = std::move(*attempt);
  exchange->code = answer.code;
  exchange->done = [asked_by = exchange->attempt.asked_by, done = std::move(done)](Result<ExternalIdentity> identity) {
    if (identity.has_value()) identity->asked_by = asked_by;
    done(std::move(identity));
  };
  impl_->with_endpoints(*provider, [impl = impl_.get(), exchange](Result<Endpoints> endpoints) {
    if (endpoints.has_error()) return exchange->done(std::move(endpoints).error());
    exchange->endpoints = std::move(*endpoints);
    impl->exchange_code(exchange);
  });
}

}  // namespace pawl::identity
