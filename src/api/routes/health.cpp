// Health: is the process alive, is it ready for work, what is wrong.
#include <chrono>
#include <memory>

#include "api/detail/context.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"
#include "net/curl_outbound.hpp"
#include "observe/health.hpp"
#include "observe/metrics.hpp"
#include "storage/migrations.hpp"

namespace pawl::api::detail {
namespace {

constexpr std::size_t kShownBreakers = 100;

/// Calls `done` with the answers of all checks; never blocks, whatever the checks do.
template <class Done>
void with_report(Context& context, Call call, Done done) {
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.health->report([&context, shared, done](const observe::HealthReport& report) { done(context, *shared, report); });
}

std::string_view status_of(const observe::HealthReport& report) { return report.ready ? "ready" : "not_ready"; }

void health(Context& context, Call call) {
  std::string out;
  {
    ObjectWriter object(out);
    object.text("status", context.d.database.is_poisoned() ? "failed" : "healthy");
    object.text("version", context.options.version);
    object.text("environment", context.options.environment);
    object.time("timestamp", context.d.clock.now());
  }
  call.reply(context.d.database.is_poisoned() ? 503 : 200, std::move(out));
}

void liveness(Context& context, Call call) {
  std::string out;
  {
    ObjectWriter object(out);
    object.text("status", "alive");
    object.time("timestamp", context.d.clock.now());
  }
  call.reply(200, std::move(out));
}

void reply_readiness(Context& context, Call& call, const observe::HealthReport& report) {
  std::string out;
  {
    ObjectWriter object(out);
    object.text("status", status_of(report));
    object.time("timestamp", context.d.clock.now());
    {
      // Statuses only: this route is open, and details belong to the administrator (`/health/detailed`).
      ObjectWriter members(object.raw("checks"));
      for (const auto& item : report.items) members.text(item.name, observe::to_text(item.result.status));
    }
  }
  call.reply(report.ready ? 200 : 503, std::move(out));
}

void readiness(Context& context, Call call) { with_report(context, std::move(call), reply_readiness); }

void migrations(Context& context, Call call) {
  const auto status = storage::migration_status(context.d.database);
  if (status.has_error()) return call.reply(503, R"({"status":"unknown"})");  // why, `/health/detailed` says
  std::int64_t current = 0;
  std::int64_t head = 0;
  std::int64_t pending = 0;
  bool drift = false;
  for (const auto& migration : *status) {
    if (migration.known) head = std::max<std::int64_t>(head, migration.version);
    if (migration.applied_at) current = std::max<std::int64_t>(current, migration.version);
    if (!migration.applied_at) ++pending;
    drift |= migration.changed || !migration.known;
  }
  std::string out;
  {
    ObjectWriter object(out);
    object.text("status", drift ? "drift" : pending > 0 ? "pending" : "up_to_date");
    object.integer("current_revision", current);
    object.integer("head_revision", head);
    object.integer("pending_migrations", pending);
  }
  call.reply(pending == 0 && !drift ? 200 : 503, std::move(out));
}

void reply_detailed(Context& context, Call& call, const observe::HealthReport& report) {
  const auto engine = context.d.engine.statistics();
  const auto database = context.d.database.statistics();
  std::string out;
  {
    ObjectWriter object(out);
    object.text("status", status_of(report));
    object.text("version", context.options.version);
    object.time("timestamp", context.d.clock.now());
    object.integer("uptime_seconds", std::chrono::duration_cast<std::chrono::seconds>(context.d.clock.now() - context.started_at).count());
    append_array(object.raw("checks"), report.items, [&](const observe::HealthReport::Item& check) {
      ObjectWriter item(out);
      item.text("name", check.name);
      item.text("status", observe::to_text(check.result.status));
      item.boolean("needed", check.needed);
      item.text("detail", check.result.detail);
      item.integer("latency_ms", check.latency.count());
    });
    {
      ObjectWriter members(object.raw("engine"));
      members.integer("runs_in_memory", static_cast<std::int64_t>(engine.runs_in_memory));
      members.integer("runs_started", static_cast<std::int64_t>(engine.runs_started));
      members.integer("runs_finished", static_cast<std::int64_t>(engine.runs_finished));
      members.integer("effects_in_flight", static_cast<std::int64_t>(engine.effects_in_flight));
      members.integer("journal_rows", static_cast<std::int64_t>(engine.journal_rows));
    }
    {
      ObjectWriter members(object.raw("database"));
      members.integer("commits", static_cast<std::int64_t>(database.commits));
      members.integer("writes", static_cast<std::int64_t>(database.writes));
      members.integer("queue_bytes", static_cast<std::int64_t>(context.d.database.queue_bytes()));
      members.text("kind", context.d.database.dialect() == storage::Dialect::sqlite ? "sqlite" : "postgresql");
      members.text("breaker", to_text(context.d.database.breaker().state));
    }
    {
      const auto pool = context.d.database.pool();
      ObjectWriter members(object.raw("database_pool"));
      members.integer("size", pool.size);
      members.integer("max_overflow", pool.max_overflow);
      members.integer("in", pool.in);
      members.integer("out", pool.out);
      members.integer("overflow", pool.overflow);
      members.integer("waiters", pool.waiters);
      members.integer("exhausted", static_cast<std::int64_t>(pool.exhausted));
    }
    if (context.d.outbound != nullptr) {
      const auto states = context.d.outbound->breakers(kShownBreakers);
      append_array(object.raw("circuit_breakers"), states, [&](const net::HostBreakerState& state) {
        ObjectWriter item(out);
        item.text("origin", state.origin);
        item.text("state", to_text(state.breaker.state));
        item.integer("failures", static_cast<std::int64_t>(state.breaker.failures));
        item.integer("refused", static_cast<std::int64_t>(state.breaker.refused));
      });
    }
    {
      ObjectWriter members(object.raw("process"));
      members.integer("resident_bytes", static_cast<std::int64_t>(observe::resident_bytes()));
      members.integer("open_files", static_cast<std::int64_t>(observe::open_files()));
    }
    object.integer("blocking_jobs_queued", static_cast<std::int64_t>(context.d.pool.queued()));
  }
  call.reply(200, std::move(out));
}

void detailed(Context& context, Call call) { with_report(context, std::move(call), reply_detailed); }

void metrics(Context& context, Call call) {
  if (!context.d.metrics) return call.fail(Error(ErrorClass::not_found, "metrics.off", "Metrics are switched off (ENABLE_METRICS)."));
  http::Response response(200, "text/plain; version=0.0.4; charset=utf-8", context.d.metrics());
  call.reply(std::move(response));
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Shape health_shape() {
  return Shape::object("Health", {{"status", Shape::choice({"healthy", "failed"})},
                                  {"version", Shape::text("0.1.0")},
                                  {"environment", Shape::text("production")},
                                  {"timestamp", Shape::time()}});
}
Shape liveness_shape() { return Shape::object("Liveness", {{"status", Shape::text("alive")}, {"timestamp", Shape::time()}}); }
Shape readiness_shape() {
  return Shape::object("Readiness", {{"status", Shape::choice({"ready", "not_ready", "standby", "starting"})},
                                     {"timestamp", Shape::time()},
                                     {"checks", Shape::map("database", Shape::choice({"ok", "warning", "failed", "not_configured"}))}});
}
Shape migrations_shape() {
  return Shape::object("MigrationState", {{"status", Shape::choice({"up_to_date", "pending", "drift", "unknown"})},
                                          {"current_revision", Shape::integer(2)},
                                          {"head_revision", Shape::integer(2)},
                                          {"pending_migrations", Shape::integer(0)}});
}
Shape unready_migrations_shape() {
  return Shape::object("MigrationProblem", {{"status", Shape::choice({"pending", "drift", "unknown"})},
                                            {"current_revision", Shape::integer(1), Shape::kOptional},
                                            {"head_revision", Shape::integer(2), Shape::kOptional},
                                            {"pending_migrations", Shape::integer(1), Shape::kOptional}});
}
Shape detailed_shape() {
  const auto check =
      Shape::object("HealthCheck", {{"name", Shape::text("database")}, {"status", Shape::text("ok")}, {"detail", Shape::text("", 10'000)}})
          .open();
  return Shape::object(
             "DetailedHealth",
             {{"status", Shape::choice({"ready", "not_ready"})}, {"version", Shape::text("0.1.0")}, {"checks", Shape::array(check)}})
      .open();
}

}  // namespace

std::vector<Route> health_routes() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/health",
       .id = "health",
       .tag = "health",
       .summary = "Is the server healthy?",
       .permission = Permission::open,
       .handler = health,
       .rate = RateClass::none,
       .reply = health_shape(),
       .other_replies = {{503, "The database has failed for good.", "application/json", health_shape()}}},
      {.method = Method::get,
       .path = "/health/liveness",
       .id = "liveness",
       .tag = "health",
       .summary = "Does the process answer?",
       .permission = Permission::open,
       .handler = liveness,
       .rate = RateClass::none,
       .reply = liveness_shape()},
      {.method = Method::get,
       .path = "/health/readiness",
       .id = "readiness",
       .tag = "health",
       .summary = "Is it ready for work? Checks what it needs",
       .permission = Permission::open,
       .handler = readiness,
       .rate = RateClass::none,
       .reply = readiness_shape(),
       .other_replies = {{503, "Not ready; `checks` says why, or another node does the work (`standby`).", "application/json",
                          readiness_shape()}}},
      {.method = Method::get,
       .path = "/health/migrations",
       .id = "migrations",
       .tag = "health",
       .summary = "State of the database's schema",
       .permission = Permission::open,
       .handler = migrations,
       .runs = Runs::pool,
       .rate = RateClass::none,
       .reply = migrations_shape(),
       .other_replies = {{503, "The schema is not what this program needs, or nobody knows.", "application/json",
                          unready_migrations_shape()}}},
      {.method = Method::get,
       .path = "/health/detailed",
       .id = "detailedHealth",
       .tag = "health",
       .summary = "All checks with details and figures",
       .permission = Permission::administer,
       .handler = detailed,
       .rate = RateClass::none,
       .reply = detailed_shape()},
      {.method = Method::get,
       .path = "/metrics",
       .id = "metrics",
       .tag = "health",
       .summary = "Figures in Prometheus' text format",
       .permission = Permission::administer,
       .handler = metrics,
       .rate = RateClass::none,
       .reply = Shape::text("# HELP pawl_runs_started_total Runs started", 10'000'000),
       .reply_type = "text/plain"},
      {.method = Method::get,
       .path = "/api/health",
       .id = "apiHealth",
       .tag = "health",
       .summary = "The same as /health",
       .permission = Permission::open,
       .handler = health,
       .rate = RateClass::none,
       .reply = health_shape(),
       .other_replies = {{503, "The database has failed for good.", "application/json", health_shape()}}},
      {.method = Method::get,
       .path = "/api/ready",
       .id = "apiReady",
       .tag = "health",
       .summary = "The same as /health/readiness",
       .permission = Permission::open,
       .handler = readiness,
       .rate = RateClass::none,
       .reply = readiness_shape(),
       .other_replies = {{503, "Not ready; `checks` says why, or another node does the work (`standby`).", "application/json",
                          readiness_shape()}}},
      {.method = Method::get,
       .path = "/api/live",
       .id = "apiLive",
       .tag = "health",
       .summary = "The same as /health/liveness",
       .permission = Permission::open,
       .handler = liveness,
       .rate = RateClass::none,
       .reply = liveness_shape()},
  };
}

}  // namespace pawl::api::detail
