/// Mail and sign-in providers as the configuration wants them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "identity/oauth.hpp"
#include "mail/transport.hpp"

namespace pawl::app {

/// SMTP where SMTP_HOST is set; else files in `outbox` of the data folder in development, and nothing elsewhere: then mails wait.
[[nodiscard]] std::unique_ptr<mail::Transport> make_mail_transport(const config::Config& config, const std::string& folder);

/// Those whose client id is set.
[[nodiscard]] std::vector<identity::OAuthProvider> sign_in_providers(const config::Config& config, const std::string& public_url);

}  // namespace pawl::app
