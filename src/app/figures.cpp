#include "app/figures.hpp"

namespace pawl::app {
namespace {

constexpr std::size_t kMostBreakers = 100;

/// By a guard of ours: addresses, folders, hosts of secrets. What others refuse is `communication`.
bool is_refused(const json::Value& error) {
  const auto& type = error.get("type");
  return type.is_string() && type.as_string().ends_with("/authorization");
}

double number(std::uint64_t value) { return static_cast<double>(value); }

}  // namespace

Figures::Figures()
    : requests_(metrics_.counter("pawl_http_requests_total", "HTTP requests by route", {"route", "method", "status"})),
      request_seconds_(
          metrics_.histogram("pawl_http_request_duration_seconds", "From the request's header to the answer's last byte", {"route"})),
      bytes_(metrics_.counter("pawl_http_sent_bytes_total", "Bytes of answers", {"route"})),
      functions_(metrics_.counter("pawl_function_calls_total", "Calls of functions by outcome", {"function", "outcome"})),
      function_seconds_(metrics_.histogram("pawl_function_duration_seconds", "From the start of a call to its answer", {"function"})),
      run_seconds_(metrics_.histogram("pawl_run_duration_seconds", "From the creation of a run to its end, by final status", {"status"})),
      // OpenTelemetry's names for generative AI, as Prometheus writes names.
      model_seconds_(metrics_.histogram("gen_ai_client_operation_duration_seconds", "Calls of language models, with all attempts",
                                        {"gen_ai_provider_name", "gen_ai_request_model", "error_type"})),
      model_tokens_(metrics_.counter("gen_ai_client_token_usage_total", "Tokens of language models",
                                     {"gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type"})),
      model_cost_(metrics_.counter("pawl_model_cost_microdollars_total", "What calls of language models cost, as far as prices are known",
                                   {"gen_ai_provider_name", "gen_ai_request_model"})),
      accounts_(
          metrics_.counter("pawl_account_events_total", "What happened to accounts: sign-ins, links, changes", {"action", "outcome"})),
      trail_(metrics_.counter("pawl_audit_verifications_total", "Daily looks at the audit trail", {"outcome"})) {
  // What alerts ask for is there from the start: the first one counts as well.
  static_cast<void>(accounts_.with({"account.login", "failed"}));
  static_cast<void>(accounts_.with({"account.token_reused", "failed"}));
  for (const auto* outcome : {"ok", "broken", "failed"}) static_cast<void>(trail_.with({outcome}));
}

void Figures::ask(FigureSources sources) {
  auto* const engine = &sources.engine;
  auto* const database = &sources.database;
  auto* const pool = &sources.pool;
  metrics_.counted("pawl_runs_started_total", "Runs started", [=] { return number(engine->statistics().runs_started); });
  metrics_.counteds("pawl_runs_finished_total", "Runs that ended, by final status", {"status"}, [=] {
    const auto now = engine->statistics();
    return observe::Metrics::Samples{{{"completed"}, number(now.runs_finished - now.runs_faulted - now.runs_cancelled)},
                                     {{"faulted"}, number(now.runs_faulted)},
                                     {{"cancelled"}, number(now.runs_cancelled)}};
  });
  metrics_.counted("pawl_run_seconds_total", "Time from start to end of all runs that ended; by their number: the mean",
                   [=] { return number(engine->statistics().run_millis) / 1000.0; });
  metrics_.gauge("pawl_runs_in_memory", "Runs in memory", [=] { return number(engine->statistics().runs_in_memory); });
  metrics_.gauges("pawl_concurrency_runs", "Runs with a concurrency key: active, or waiting for a place", {"state"}, [=] {
    const auto now = engine->statistics();
    return observe::Metrics::Samples{{{"active"}, number(now.places_taken)}, {{"waiting"}, number(now.places_wanted)}};
  });
  auto* const live = &sources.live;
  metrics_.gauge("pawl_live_subscribers", "Open WebSockets and event streams of live events",
                 [=] { return number(live->statistics().subscribers); });
  metrics_.counted("pawl_live_delivered_total", "Live events given to subscribers", [=] { return number(live->statistics().delivered); });
  metrics_.counted("pawl_live_dropped_total", "Live subscribers that did not keep up and were dropped",
                   [=] { return number(live->statistics().dropped); });
  metrics_.gauge("pawl_effects_in_flight", "Calls of functions under way", [=] { return number(engine->statistics().effects_in_flight); });
  metrics_.counted("pawl_journal_rows_total", "Rows written to the journal", [=] { return number(engine->statistics().journal_rows); });
  metrics_.counted("pawl_journal_commits_total", "Commits of the journal", [=] { return number(engine->statistics().commits); });
  metrics_.counted("pawl_database_commits_total", "Commits of the database", [=] { return number(database->statistics().commits); });
  metrics_.counted("pawl_database_writes_total", "Writes that the commits carried", [=] { return number(database->statistics().writes); });
  metrics_.gauge("pawl_database_queue_bytes", "Bytes that wait to be written", [=] { return number(database->queue_bytes()); });
  metrics_.gauges("pawl_database_pool_connections", "Connections of the pool", {"state"}, [=] {
    const auto now = database->pool();
    return observe::Metrics::Samples{
        {{"in"}, number(now.in)},           {{"out"}, number(now.out)},   {{"overflow"}, number(now.overflow)},
        {{"waiters"}, number(now.waiters)}, {{"size"}, number(now.size)}, {{"max_overflow"}, number(now.max_overflow)}};
  });
  metrics_.counted("pawl_database_pool_exhausted_total", "How often somebody waited for a connection in vain",
                   [=] { return number(database->pool().exhausted); });
  metrics_.gauges("pawl_circuit_breaker_state", "Places called whose breaker is not closed: 1 half open, 2 open", {"target"},
                  [database, outbound = &sources.outbound] {
                    observe::Metrics::Samples samples;
                    const auto add = [&](std::string target, CircuitBreaker::State state) {
                      if (state == CircuitBreaker::State::closed) return;
                      samples.push_back({{std::move(target)}, state == CircuitBreaker::State::open ? 2.0 : 1.0});
                    };
                    add("database", database->breaker().state);
                    for (const auto& place : outbound->breakers(kMostBreakers)) add(place.origin, place.breaker.state);
                    return samples;
                  });
  if (const auto* const redis = sources.redis; redis != nullptr) {
    metrics_.gauge("pawl_redis_connected", "Whether Redis answers", [=] { return redis->connected() ? 1.0 : 0.0; });
    metrics_.counted("pawl_redis_commands_total", "Commands sent to Redis", [=] { return number(redis->snapshot().commands); });
    metrics_.counted("pawl_redis_failures_total", "Commands that Redis did not answer, and connections to it that failed",
                     [=] { return number(redis->snapshot().failures); });
  }
  metrics_.gauge("pawl_blocking_jobs_queued", "Jobs that wait for the blocking pool", [=] { return number(pool->queued()); });
  metrics_.gauge("process_resident_memory_bytes", "Resident memory", [] { return number(observe::resident_bytes()); });
  metrics_.gauge("process_open_fds", "Open files and sockets", [] { return number(observe::open_files()); });
  metrics_.gauge("pawl_uptime_seconds", "Since the start", [clock = &sources.clock, started = sources.started_at] {
    return static_cast<double>((clock->now() - started).count()) / 1000.0;
  });
}

void Figures::request(const http::Completed& completed) {
  // A path that no route knows is the client's text: it is no label.
  const auto route = completed.route.empty() ? std::string_view("none") : completed.route;
  requests_.with({route, http::to_string(completed.method), std::to_string(completed.status)}).add();
  request_seconds_.with({route}).observe(std::chrono::duration<double>(completed.duration).count());
  bytes_.with({route}).add(completed.bytes_sent);
}

void Figures::run(engine::Phase phase, Millis age) {
  run_seconds_.with({engine::to_text(phase)}).observe(static_cast<double>(age.count()) / 1000.0);
}

void Figures::model(const models::Measured& measured) {
  constexpr double kMicro = 1e6;
  model_seconds_.with({measured.provider, measured.model, measured.error}).observe(static_cast<double>(measured.took.count()) / 1000.0);
  model_tokens_.with({measured.provider, measured.model, "input"}).add(static_cast<std::uint64_t>(measured.usage.input));
  model_tokens_.with({measured.provider, measured.model, "output"}).add(static_cast<std::uint64_t>(measured.usage.output));
  if (measured.cost) {
    model_cost_.with({measured.provider, measured.model}).add(static_cast<std::uint64_t>(*measured.cost * kMicro));
  }
}

void Figures::function(std::string_view name, const engine::Outcome& outcome, double seconds) {
  functions_.with({name, outcome.ok() ? "ok" : is_refused(outcome.error) ? "refused" : "failed"}).add();
  function_seconds_.with({name}).observe(seconds);
}

void Figures::account(std::string_view action, bool success) { accounts_.with({action, success ? "ok" : "failed"}).add(); }

void Figures::trail(std::string_view outcome) { trail_.with({outcome}).add(); }

}  // namespace pawl::app
