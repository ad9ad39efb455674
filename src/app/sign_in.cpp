#include "app/sign_in.hpp"

namespace pawl::app {

std::unique_ptr<mail::Transport> make_mail_transport(const config::Config& config, const std::string& folder) {
  if (!config.smtp.host.empty()) {
    mail::SmtpOptions options;
    options.host = config.smtp.host;
    options.port = config.smtp.port;
    options.username = config.smtp.username;
    options.password = config.smtp.password;
    options.use_tls = config.smtp.use_tls;
    options.ca_file = config.ca_file;
    return mail::make_smtp_transport(std::move(options));
  }
  if (config.environment == config::Environment::development) return mail::make_file_transport(folder + "/outbox");
  return nullptr;
}

std::vector<identity::OAuthProvider> sign_in_providers(const config::Config& config, const std::string& public_url) {
  using identity::OAuthProvider;
  std::vector<OAuthProvider> providers;
  const auto add = [&](std::string name, OAuthProvider::Kind kind, const config::OAuthClient& client, std::string issuer) {
    if (client.client_id.empty()) return;
    OAuthProvider provider;
    provider.redirect_uri = client.redirect_uri.empty() ? public_url + "/api/auth/" + name + "/callback" : client.redirect_uri;
    provider.name = std::move(name);
    provider.kind = kind;
    provider.client_id = client.client_id;
    provider.client_secret = client.client_secret;
    provider.issuer = std::move(issuer);
    providers.push_back(std::move(provider));
  };
  add("google", OAuthProvider::Kind::oidc, config.google, "https://accounts.google.com");
  add("github", OAuthProvider::Kind::github, config.github, "");
  add("oidc", OAuthProvider::Kind::oidc, config.oidc, config.oidc_issuer);
  return providers;
}

}  // namespace pawl::app
