/// The HTTP contract: the route table (`route.hpp`) behind the gate, ready for a server.
///
///     api::Api api({...});
///     http::Server server(threads, api.router(), options);
///
/// Nothing is reachable without a row in the table, and each row names its permission; one function, the gate, decides. Paths under `/api`
/// are served under `/api/v1` as well. Handlers that read or write the database run on the blocking pool; those that only talk to the
/// engine stay on the connection's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "http/cookies.hpp"
#include "http/router.hpp"
#include "json/fwd.hpp"

namespace pawl {
class Clock;
class Random;
}  // namespace pawl
namespace pawl::mail {
class Transport;
}
namespace pawl::audit {
class Log;
class Redactor;
}  // namespace pawl::audit
namespace pawl::async {
class BlockingPool;
class IoThreads;
}  // namespace pawl::async
namespace pawl::dsl {
struct Plan;
}
namespace pawl::catalog {
class Catalog;
class Scheduler;
}  // namespace pawl::catalog
namespace pawl::engine {
class Engine;
class FunctionRegistry;
}  // namespace pawl::engine
namespace pawl::identity {
class Accounts;
class ApiKeys;
class Authenticator;
class OAuth;
class Organizations;
class UserAdmin;
}  // namespace pawl::identity
namespace pawl::limits {
class RateLimiter;
}
namespace pawl::net {
class CurlOutbound;
class RedisClient;
}  // namespace pawl::net
namespace pawl::live {
class Hub;
}
namespace pawl::privacy {
class Retention;
}
namespace pawl::integrations {
class Integrations;
}
namespace pawl::models {
class Client;
}
namespace pawl::notify {
class Channels;
class Notifications;
}  // namespace pawl::notify
namespace pawl::observe {
class Health;
}
namespace pawl::storage {
class Database;
}

namespace pawl::api {

/// A row of the configuration as it holds. Of secrets nothing but whether they are set.
struct ShownSetting {
  std::string_view name;  ///< this and the next two: literals
  std::string_view summary;
  std::string_view unit;
  std::string_view source;  ///< `default`, `file`, `environment`, `flag`
  bool secret = false;
  bool is_set = false;
  std::string value;     ///< empty for secrets
  std::string fallback;  ///< what holds where nothing is set
};

struct Options {
  std::string version;                ///< of the program
  std::string environment;            ///< `development` ...
  std::vector<std::string> api_keys;  ///< accepted bearer keys; the administrator's
  std::vector<std::string> cors_origins;
  std::vector<std::string> mcp_functions;  ///< canonical names: these are tools of MCP beside the workflows
  http::CookieRules cookies;               ///< of browsers' sessions
  std::uint64_t min_free_disk_bytes = 0;
  std::size_t max_body_bytes = 4U << 20U;
  std::size_t max_definition_bytes = 1U << 20U;
  std::vector<ShownSetting> settings;  ///< for administrators
};

struct Dependencies {
  async::IoThreads& threads;
  async::BlockingPool& pool;
  storage::Database& database;
  engine::Engine& engine;
  catalog::Catalog& catalog;
  catalog::Scheduler& scheduler;
  const engine::FunctionRegistry& functions;
  Clock& clock;
  Random& random;
  OrganizationId organization;  ///< the one that came with the installation: where its own key acts
  std::function<json::Value(const OrganizationId&, const dsl::Plan&)> secrets;  ///< `$secrets` of a run; may be empty
  identity::Authenticator* authenticator = nullptr;                             ///< null: only the installation's own keys open anything
  live::Hub* live = nullptr;                                                    ///< null: no live events
  identity::Organizations* organizations = nullptr;
  identity::UserAdmin* users = nullptr;
  limits::RateLimiter* limiter = nullptr;       ///< null: nothing is counted
  const net::RedisClient* redis = nullptr;      ///< null: none is configured
  const net::CurlOutbound* outbound = nullptr;  ///< for its circuit breakers in health; may be null
  identity::OAuth* oauth = nullptr;
  mail::Transport* mails = nullptr;           ///< null: mails wait
  audit::Log* audit = nullptr;                ///< null: nothing is recorded, and there is no trail to read
  const audit::Redactor* redactor = nullptr;  ///< takes known secrets out of what runs show; null: nothing is taken out
  privacy::Retention* retention = nullptr;    ///< needed by the routes of data retention
  identity::Accounts* accounts = nullptr;     ///< null only with `health_router`, as the next two
  identity::ApiKeys* api_keys = nullptr;
  async::BlockingPool* auth_pool = nullptr;  ///< where passwords are hashed, so that they hold up nothing else
  integrations::Integrations* integrations = nullptr;
  models::Client* models = nullptr;                ///< null: no model is asked
  notify::Notifications* notifications = nullptr;  ///< null only with `health_router`, as the next one
  notify::Channels* channels = nullptr;
  observe::Health* health = nullptr;               ///< what readiness asks
  std::function<json::Value()> function_faults{};  ///< of user functions: `findings` of `GET /api/plugins`; empty: there is no folder
  std::function<std::string()> metrics{};          ///< Prometheus' text; empty: none are offered
};

/// Who this is towards clients.
struct Installation {
  std::string secret;      ///< what clients carry for it (`requestState` of MCP) is sealed with a key made of this
  std::string public_url;  ///< where it is reached, without a slash at the end
};

class Api {
 public:
  Api(Dependencies dependencies, Options options, const Installation& installation);
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  /// All routes. The Api must outlive the server that gets them.
  [[nodiscard]] http::Router router();
  /// Only health: what a worker without a public listener offers.
  [[nodiscard]] http::Router health_router();

  /// Answers the requests that wait for the end of a run with 202, and later ones at once: call it before the server's graceful stop, which
  /// would wait for them.
  void release_waiting();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::api
