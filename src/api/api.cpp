#include "api/api.hpp"

#include <map>

#include "api/detail/context.hpp"
#include "api/detail/cors.hpp"
#include "api/detail/wait_list.hpp"

namespace pawl::api {

using detail::Call;
using detail::Context;
using http::Method;

namespace {

namespace h = detail::handlers;

/// Where a handler runs: on the connection's io thread, or on the blocking pool.
enum class Runs : std::uint8_t { here, pool };

struct Row {
  RouteInfo info;
  detail::Handler handler;
  Runs runs = Runs::here;
};

// The contract. Paths below /api are served below /api/v1 too.
constexpr Row kRows[] = {
    {{Method::get, "/", Permission::open, "Where to go from here"}, h::start_page},
    {{Method::get, "/health", Permission::open, "Is the server healthy?"}, h::health},
    {{Method::get, "/health/liveness", Permission::open, "Does the process answer?"}, h::liveness},
    {{Method::get, "/health/readiness", Permission::open, "Is it ready for work? Checks database, disk, migrations"},
     h::readiness,
     Runs::pool},
    {{Method::get, "/health/migrations", Permission::open, "State of the database's schema"}, h::migrations, Runs::pool},
    {{Method::get, "/health/detailed", Permission::read, "All checks with details and figures"}, h::detailed, Runs::pool},
    {{Method::get, "/api/health", Permission::open, "The same as /health"}, h::health},
    {{Method::get, "/api/ready", Permission::open, "The same as /health/readiness"}, h::readiness, Runs::pool},
    {{Method::get, "/api/live", Permission::open, "The same as /health/liveness"}, h::liveness},

    {{Method::get, "/api/workflows", Permission::read, "List workflows"}, h::list_workflows, Runs::pool},
    {{Method::post, "/api/workflows", Permission::write, "Create a workflow"}, h::create_workflow, Runs::pool},
    {{Method::post, "/api/workflows/validate", Permission::read, "Check a definition without storing it"},
     h::validate_workflow,
     Runs::pool},
    {{Method::get, "/api/workflows/{workflow_id}", Permission::read, "Read a workflow"}, h::get_workflow, Runs::pool},
    {{Method::put, "/api/workflows/{workflow_id}", Permission::write, "Change a workflow"}, h::update_workflow, Runs::pool},
    {{Method::delete_, "/api/workflows/{workflow_id}", Permission::write, "Remove a workflow"}, h::delete_workflow, Runs::pool},
    {{Method::get, "/api/workflows/{workflow_id}/versions", Permission::read, "List versions, newest first"}, h::list_versions, Runs::pool},
    {{Method::get, "/api/workflows/{workflow_id}/versions/{version}", Permission::read, "Read a version"}, h::get_version, Runs::pool},
    {{Method::post, "/api/workflows/{workflow_id}/execute", Permission::execute, "Start a run"}, h::execute_workflow},
    {{Method::get, "/api/workflows/{workflow_id}/executions", Permission::read, "List a workflow's runs"}, h::list_executions, Runs::pool},

    {{Method::get, "/api/runs", Permission::read, "List runs"}, h::list_runs, Runs::pool},
    {{Method::get, "/api/runs/{run_id}", Permission::read, "Read a run with its tasks"}, h::get_run},
    {{Method::get, "/api/runs/{run_id}/events", Permission::read, "Follow a run (server-sent events)"}, h::stream_run},
    {{Method::post, "/api/runs/{run_id}/events", Permission::execute, "Send a CloudEvent to a run"}, h::deliver_event},
    {{Method::post, "/api/runs/{run_id}/cancel", Permission::execute, "Cancel a run"}, h::cancel_run},
    {{Method::post, "/api/runs/{run_id}/suspend", Permission::execute, "Suspend a run"}, h::suspend_run},
    {{Method::post, "/api/runs/{run_id}/resume", Permission::execute, "Resume a suspended run"}, h::resume_run},
    {{Method::post, "/api/runs/{run_id}/retry", Permission::execute, "Run a faulted run again from a task"}, h::retry_run},
    {{Method::post, "/api/events", Permission::execute, "Publish a CloudEvent"}, h::publish_event},

    {{Method::get, "/api/schedules", Permission::read, "List schedules"}, h::list_schedules, Runs::pool},
    {{Method::get, "/api/schedules/{schedule_id}", Permission::read, "Read a schedule"}, h::get_schedule, Runs::pool},
    {{Method::post, "/api/schedules/{schedule_id}", Permission::write, "Pause or resume a schedule"}, h::change_schedule, Runs::pool},

    {{Method::get, "/hooks/{token}", Permission::open, "Webhook"}, h::webhook},
    {{Method::post, "/hooks/{token}", Permission::open, "Webhook"}, h::webhook},
    {{Method::put, "/hooks/{token}", Permission::open, "Webhook"}, h::webhook},
    {{Method::patch, "/hooks/{token}", Permission::open, "Webhook"}, h::webhook},
    {{Method::delete_, "/hooks/{token}", Permission::open, "Webhook"}, h::webhook},

    {{Method::get, "/api/plugins", Permission::read, "List the functions that workflows may call"}, h::list_plugins},
    {{Method::get, "/api/plugins/{name}", Permission::read, "Read a function: schemas and examples"}, h::get_plugin},
};

std::vector<RouteInfo> route_infos() {
  std::vector<RouteInfo> infos;
  for (const auto& row : kRows) infos.push_back(row.info);
  return infos;
}

void run_on_pool(Context& context, detail::Handler handler, Call call) {
  const auto shared = std::make_shared<Call>(std::move(call));
  const bool taken = context.d.pool.try_post([&context, handler, shared] { handler(context, std::move(*shared)); });
  if (!taken) shared->fail(Error(ErrorClass::unavailable, "server.busy", "The server is busy; try again."));
}

/// The way into every handler: nothing reaches one but through `authorize`.
http::Handler guarded(Context& context, const Row& row) {
  return [&context, permission = row.info.permission, handler = row.handler, runs = row.runs](http::Request&& request,
                                                                                              http::Responder responder) {
    if (!context.options.cors_origins.empty()) responder = detail::with_cors(context.options.cors_origins, request, std::move(responder));
    auto principal = detail::authorize(context, request, permission);
    Call call{std::move(request), std::move(responder), {}};
    if (principal.has_error()) return call.fail(principal.error());
    call.principal = *principal;
    if (runs == Runs::pool) return run_on_pool(context, handler, std::move(call));
    handler(context, std::move(call));
  };
}

std::vector<std::string> paths_of(const Row& row) {
  std::vector<std::string> paths{std::string(row.info.path)};
  if (row.info.path.starts_with("/api/")) paths.push_back("/api/v1" + std::string(row.info.path.substr(4)));
  return paths;
}

}  // namespace

std::string_view to_text(Permission permission) {
  switch (permission) {
    case Permission::open: return "open";
    case Permission::read: return "read";
    case Permission::write: return "write";
    case Permission::execute: return "execute";
  }
  return "";
}

struct Api::Impl {
  Context context;

  http::Router build(bool health_only) {
    http::Router router;
    std::map<std::string, std::vector<Method>> methods;
    for (const auto& row : kRows) {
      if (health_only && !row.info.path.starts_with("/health")) continue;
      for (const auto& path : paths_of(row)) {
        http::RouteOptions options;
        options.name = row.info.path;
        options.max_body_bytes = context.options.max_body_bytes;
        router.add(row.info.method, path, guarded(context, row), options);
        methods[path].push_back(row.info.method);
      }
    }
    // Browsers ask before they call from another origin; without origins the server's own answer to OPTIONS is enough.
    if (context.options.cors_origins.empty()) return router;
    for (const auto& [path, allowed] : methods) router.add(Method::options, path, detail::preflight(context.options.cors_origins, allowed));
    return router;
  }
};

Api::Api(Dependencies dependencies, Options options) : impl_(new Impl{{std::move(dependencies), std::move(options), {}, {}, {}}}) {
  auto& context = impl_->context;
  for (const auto& key : context.options.api_keys) context.key_digests.push_back(crypto::hash(key));
  context.manual_trigger = json::Value::object({{"type", "manual"}});
  context.waits = std::make_unique<detail::WaitLists>(context.d.threads);
}

Api::~Api() = default;

http::Router Api::router() { return impl_->build(false); }
http::Router Api::health_router() { return impl_->build(true); }

void Api::release_waiting() { impl_->context.waits->release(impl_->context.d.threads); }

std::span<const RouteInfo> Api::routes() {
  static const std::vector<RouteInfo> infos = route_infos();
  return infos;
}

}  // namespace pawl::api
