/// Everything about who somebody is, put together: keys, passwords, sessions, accounts, API keys, and the threads that hash.
#pragma once

#include <functional>
#include <string>

#include "async/blocking_pool.hpp"
#include "config/config.hpp"
#include "identity/accounts.hpp"
#include "identity/api_keys.hpp"
#include "identity/session_authenticator.hpp"

namespace pawl::app {

/// Members in the order of their lives. Whatever it is made from outlives it.
class IdentityParts {
 public:
  struct Dependencies {
    const config::Config& config;
    std::string secret;  ///< signs tokens: SECRET_KEY, or the one in the data folder
    storage::Database& database;
    const crypto::KeyRing& seals;
    identity::Mailer& mailer;
    const Clock& clock;
    Random& random;
    OrganizationId installation;
    identity::AccountWitness witness;
    std::function<void(const identity::Forgotten&)> on_forget{};  ///< what runs on with an old standing ends
  };
  explicit IdentityParts(const Dependencies& d);

  const identity::TokenKeys tokens;
  identity::PasswordHasher hasher;
  identity::SessionAuthenticator authenticator;
  identity::Accounts accounts;
  identity::ApiKeys api_keys;
  async::BlockingPool pool;  ///< as many threads as passwords are hashed at once, so that sign-ins hold up nobody else
};

/// Where the program is reached: PAWL_PUBLIC_URL, else host and port.
[[nodiscard]] std::string public_url(const config::Config& config);
/// Start of the links in mails: FRONTEND_URL, else where the program is reached.
[[nodiscard]] std::string links_url(const config::Config& config);
/// May browsers be reached over https only?
[[nodiscard]] bool secure_cookies(const config::Config& config);

}  // namespace pawl::app
