#include "app/identity_parts.hpp"

#include <fmt/core.h>

namespace pawl::app {
namespace {

constexpr std::size_t kHashingThreads = 2;
constexpr std::size_t kHashingQueue = 64;

identity::Registration registration_of(const config::Config& config) {
  if (!config.registration) {
    return config.environment == config::Environment::development ? identity::Registration::open : identity::Registration::invited;
  }
  switch (*config.registration) {
    case config::Registration::open: return identity::Registration::open;
    case config::Registration::invited: return identity::Registration::invited;
    case config::Registration::closed: return identity::Registration::closed;
  }
  return identity::Registration::closed;
}

identity::AccountsOptions account_options(const config::Config& config) {
  identity::AccountsOptions options;
  options.registration = registration_of(config);
  options.confirm_first = config.confirm_address;
  options.public_url = links_url(config);
  options.access_lifetime = std::chrono::minutes(config.access_token_minutes);
  options.refresh_lifetime = std::chrono::hours(24) * config.refresh_token_days;
  return options;
}

identity::SessionAuthenticatorOptions authenticator_options(const IdentityParts::Dependencies& d) {
  identity::SessionAuthenticatorOptions options;
  if (!d.config.api_key.empty()) options.installation_keys.push_back(d.config.api_key);
  options.installation = d.installation;
  options.on_forget = d.on_forget;
  return options;
}

identity::PasswordHasherOptions hasher_options() {
  identity::PasswordHasherOptions options;
  options.parallel = kHashingThreads;
  return options;
}

}  // namespace

std::string public_url(const config::Config& config) {
  if (!config.public_url.empty()) return config.public_url;
  const bool v6 = config.host.find(':') != std::string::npos;
  return v6 ? fmt::format("http://[{}]:{}", config.host, config.port) : fmt::format("http://{}:{}", config.host, config.port);
}

std::string links_url(const config::Config& config) { return config.frontend_url.empty() ? public_url(config) : config.frontend_url; }

bool secure_cookies(const config::Config& config) {
  return config.environment != config::Environment::development || config.public_url.starts_with("https://");
}

IdentityParts::IdentityParts(const Dependencies& d)
    : tokens(d.secret, d.config.previous_secret_keys, parse_rfc3339(d.config.previous_secret_keys_until)),
      hasher(hasher_options()),
      authenticator(d.database, d.clock, tokens, authenticator_options(d)),
      accounts({d.database, authenticator, hasher, tokens, d.seals, d.mailer, d.clock, d.random, d.witness}, account_options(d.config)),
      api_keys({d.database, authenticator, d.clock, d.random, d.witness}),
      pool("pawl-auth", kHashingThreads, kHashingQueue) {}

}  // namespace pawl::app
