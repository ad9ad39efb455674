// Settings of mail and of sign-in with other providers' accounts.
#include "config/sign_in_settings.hpp"

namespace pawl::config {

std::vector<Setting> mail_settings() {
  using Type = Setting::Type;
  return {
      {.name = "PAWL_PUBLIC_URL",
       .summary =
           "Where people reach this installation (`https://pawl.example.org`): the start of links in mails. Never taken from a request. "
           "Unset: made of host and port, which is right on one's own machine only.",
       .apply =
           [](Config& config, const Parsed& value) {
             config.public_url = value.text;
             while (config.public_url.ends_with('/')) config.public_url.pop_back();
           }},
      {.name = "FRONTEND_URL",
       .summary = "Where the pages are that links in mails lead to, if another server shows them. Unset: PAWL_PUBLIC_URL.",
       .apply =
           [](Config& config, const Parsed& value) {
             config.frontend_url = value.text;
             while (config.frontend_url.ends_with('/')) config.frontend_url.pop_back();
           }},
      {.name = "SMTP_HOST",
       .summary =
           "Mail server. Unset: development writes mails as files into `outbox` in the data folder; elsewhere they wait, and readiness "
           "warns.",
       .apply = [](Config& config, const Parsed& value) { config.smtp.host = value.text; }},
      {.name = "SMTP_PORT",
       .type = Type::integer,
       .fallback = "587",
       .min = 1,
       .max = 65535,
       .summary = "Port of the mail server. 465 means TLS from the first byte; on any other port STARTTLS is required.",
       .apply = [](Config& config, const Parsed& value) { config.smtp.port = static_cast<std::uint16_t>(value.number); }},
      {.name = "SMTP_USERNAME",
       .summary = "Name to sign in at the mail server with; unset: no sign-in.",
       .apply = [](Config& config, const Parsed& value) { config.smtp.username = value.text; }},
      {.name = "SMTP_PASSWORD",
       .type = Type::secret,
       .summary = "Password for SMTP_USERNAME. Never sent without TLS.",
       .apply = [](Config& config, const Parsed& value) { config.smtp.password = value.text; }},
      {.name = "SMTP_FROM_EMAIL",
       .fallback = "pawl@localhost",
       .summary = "Sender's address of all mails. Needed with SMTP_HOST.",
       .apply = [](Config& config, const Parsed& value) { config.smtp.from = value.text; }},
      {.name = "SMTP_USE_TLS",
       .type = Type::boolean,
       .fallback = "true",
       .summary = "Encrypt, and check the server's certificate. False only for a relay on the same host.",
       .apply = [](Config& config, const Parsed& value) { config.smtp.use_tls = value.flag; }},
  };
}

std::vector<Setting> provider_settings() {
  using Type = Setting::Type;
  return {
      {.name = "OIDC_ISSUER",
       .summary = "OpenID Connect provider for sign-in: its issuer, below which the discovery document lies. https outside of development.",
       .apply = [](Config& config, const Parsed& value) { config.oidc_issuer = value.text; }},
      {.name = "OIDC_CLIENT_ID",
       .summary = "What this installation is called at that provider.",
       .apply = [](Config& config, const Parsed& value) { config.oidc.client_id = value.text; }},
      {.name = "OIDC_CLIENT_SECRET",
       .type = Type::secret,
       .summary = "Its secret there.",
       .apply = [](Config& config, const Parsed& value) { config.oidc.client_secret = value.text; }},
      {.name = "OIDC_REDIRECT_URI",
       .summary = "Where that provider sends people back to. Unset: `/api/auth/oidc/callback` below PAWL_PUBLIC_URL.",
       .apply = [](Config& config, const Parsed& value) { config.oidc.redirect_uri = value.text; }},
      {.name = "GOOGLE_CLIENT_ID",
       .summary = "Sign-in with Google: the client's id; unset: off.",
       .apply = [](Config& config, const Parsed& value) { config.google.client_id = value.text; }},
      {.name = "GOOGLE_CLIENT_SECRET",
       .type = Type::secret,
       .summary = "Its secret.",
       .apply = [](Config& config, const Parsed& value) { config.google.client_secret = value.text; }},
      {.name = "GOOGLE_REDIRECT_URI",
       .summary = "Unset: `/api/auth/google/callback` below PAWL_PUBLIC_URL.",
       .apply = [](Config& config, const Parsed& value) { config.google.redirect_uri = value.text; }},
      {.name = "GITHUB_CLIENT_ID",
       .summary = "Sign-in with GitHub: the OAuth app's client id; unset: off.",
       .apply = [](Config& config, const Parsed& value) { config.github.client_id = value.text; }},
      {.name = "GITHUB_CLIENT_SECRET",
       .type = Type::secret,
       .summary = "Its secret.",
       .apply = [](Config& config, const Parsed& value) { config.github.client_secret = value.text; }},
      {.name = "GITHUB_REDIRECT_URI",
       .summary = "Unset: `/api/auth/github/callback` below PAWL_PUBLIC_URL.",
       .apply = [](Config& config, const Parsed& value) { config.github.redirect_uri = value.text; }},
  };
}

}  // namespace pawl::config
