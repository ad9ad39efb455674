#include "api/api.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "api/detail/context.hpp"
#include "api/detail/cors.hpp"
#include "api/detail/gate.hpp"
#include "api/detail/wait_list.hpp"
#include "api/detail/workflow_tools.hpp"
#include "api/route.hpp"
#include "json/write.hpp"

namespace pawl::api {

using detail::Context;
using http::Method;

namespace {

std::vector<std::string> paths_of(const Route& route) {
  std::vector<std::string> paths{std::string(route.path)};
  if (route.path.starts_with("/api/")) paths.push_back("/api/v1" + std::string(route.path.substr(4)));
  return paths;
}

/// Reads of these themes may be compressed. Left out is what deals with credentials (accounts, keys, integrations, members), and every
/// route that takes a body: its reply may show what was sent beside a webhook's address.
bool may_compress(const Route& route) {
  constexpr std::array<std::string_view, 8> kThemes = {"workflows", "runs",    "schedules",     "dead letters",
                                                       "audit",     "plugins", "documentation", "health"};
  return route.method == Method::get && route.reply_type != "text/event-stream" &&
         std::find(kThemes.begin(), kThemes.end(), route.tag) != kThemes.end();
}

/// Passwords and codes are short, and whoever sends them is not known yet.
std::size_t max_body_bytes(const Route& route, const Options& options) {
  constexpr std::size_t kCredentials = 64U << 10U;
  const bool from_anybody = route.permission == Permission::open && route.body != Body::raw;
  return route.rate == RateClass::auth || from_anybody ? std::min(kCredentials, options.max_body_bytes) : options.max_body_bytes;
}

}  // namespace

struct Api::Impl {
  Context context;

  http::Router build(bool health_only) {
    http::Router router;
    std::map<std::string, std::vector<Method>> methods;
    for (const auto& route : route_table()) {
      if (health_only && !route.path.starts_with("/health")) continue;
      for (const auto& path : paths_of(route)) {
        http::RouteOptions options;
        options.name = route.path;
        options.max_body_bytes = max_body_bytes(route, context.options);
        options.compress = may_compress(route);
        router.add(route.method, path, detail::gate(context, route), options);
        methods[path].push_back(route.method);
      }
    }
    // Browsers ask before they call from another origin; without origins the server's own answer to OPTIONS is enough.
    if (context.options.cors_origins.empty()) return router;
    for (const auto& [path, allowed] : methods) router.add(Method::options, path, detail::preflight(context.options.cors_origins, allowed));
    return router;
  }
};

Api::Api(Dependencies dependencies, Options options, const Installation& installation)
    : impl_(new Impl{{std::move(dependencies), std::move(options), {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}}) {
  auto& context = impl_->context;
  for (const auto& key : context.options.api_keys) context.key_digests.push_back(crypto::hash(key));
  context.openapi = std::make_shared<const std::string>(json::to_text(openapi_document(route_table(), context.options.version)));
  context.manual_trigger = json::Value::object({{"type", "manual"}});
  context.waits = std::make_unique<detail::WaitLists>(context.d.threads);
  context.dead_letters = std::make_unique<catalog::DeadLetters>(catalog::DeadLetters::Dependencies{.database = context.d.database,
                                                                                                   .engine = context.d.engine,
                                                                                                   .catalog = context.d.catalog,
                                                                                                   .clock = context.d.clock,
                                                                                                   .random = context.d.random,
                                                                                                   .secrets = context.d.secrets});
  context.approvals = std::make_unique<catalog::Approvals>(context.d.database, context.d.engine);
  context.trail = std::make_unique<detail::Trail>(context.d.audit, context.d.clock);
  context.continuation_key = crypto::derive_key(installation.secret, "pawl continuations");
  context.public_url = installation.public_url;
  context.tool_names = std::make_shared<detail::ToolNames>();
  context.started_at = context.d.clock.now();
}

Api::~Api() = default;

http::Router Api::router() { return impl_->build(false); }
http::Router Api::health_router() { return impl_->build(true); }

void Api::release_waiting() { impl_->context.waits->release(impl_->context.d.threads); }

}  // namespace pawl::api
