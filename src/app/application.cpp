#include "app/application.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "agents/budgets.hpp"
#include "agents/healing.hpp"
#include "agents/memories.hpp"
#include "agents/memory_functions.hpp"
#include "api/api.hpp"
#include "app/account_audit.hpp"
#include "app/announcements.hpp"
#include "app/audit_watch.hpp"
#include "app/error_reports.hpp"
#include "app/figures.hpp"
#include "app/forwarding.hpp"
#include "app/function_audit.hpp"
#include "app/function_settings.hpp"
#include "app/identity_parts.hpp"
#include "app/key_files.hpp"
#include "app/log.hpp"
#include "app/metered_function.hpp"
#include "app/model_parts.hpp"
#include "app/part_options.hpp"
#include "app/people.hpp"
#include "app/readiness.hpp"
#include "app/run_tokens.hpp"
#include "app/tracing.hpp"
#include "app/user_function_folder.hpp"
#include "app/watched_folders.hpp"
#include "async/blocking_pool.hpp"
#include "async/io_threads.hpp"
#include "audit/redact.hpp"
#include "catalog/scheduler.hpp"
#include "engine/function.hpp"
#include "functions/functions.hpp"
#include "functions/mcp_servers.hpp"
#include "functions/remote_functions.hpp"
#include "http/server.hpp"
#include "identity/organizations.hpp"
#include "integrations/integrations.hpp"
#include "limits/rate_limiter.hpp"
#include "live/hub.hpp"
#include "live/redis_relay.hpp"
#include "live/run_events.hpp"
#include "models/llm_function.hpp"
#include "net/curl_outbound.hpp"
#include "net/redis.hpp"
#include "net/trusted_proxies.hpp"
#include "storage/database.hpp"
#include "storage/migrations.hpp"
#include "web/interface.hpp"

namespace pawl::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlockingThreads = 4;
constexpr std::size_t kBlockingQueue = 10'000;

std::size_t thread_count(const config::Config& config) {
  return config.threads > 0 ? config.threads : std::max(1U, std::thread::hardware_concurrency());
}

/// Null where none is configured, and for commands that serve nobody. Begins to connect; a server that is not there is no reason not to
/// start.
Result<std::unique_ptr<net::RedisClient>> connect_redis(const config::Config& config, const ApplicationOptions& options) {
  if (config.redis_url.empty() || !options.schedules) return std::unique_ptr<net::RedisClient>();
  auto address = net::RedisAddress::parse(config.redis_url);
  if (address.has_error()) return Error(address.error().kind, address.error().code, "REDIS_URL: " + address.error().message);
  net::RedisOptions redis_options;
  redis_options.ca_file = config.ca_file;
  redis_options.report = [](bool connected, const std::string& sentence) { log(connected ? Level::info : Level::warning, sentence); };
  return std::make_unique<net::RedisClient>(std::move(*address), std::move(redis_options));
}

Result<std::unique_ptr<storage::Database>> open_database(const config::Config& config, const ApplicationOptions& options,
                                                         const Clock& clock) {
  auto opening = database_options(config);
  opening.synchronous = options.durable;
  PAWL_TRY(database, storage::Database::open(opening));
  if (config.auto_migrate || options.always_migrate) {
    PAWL_TRY_VOID(storage::migrate_up(*database, clock));
  } else if (const auto verified = storage::verify_migrations(*database); verified.has_error()) {
    const auto& error = verified.error();
    return Error(error.kind, error.code, error.message + " (run `pawl migrate up`, or set PAWL_AUTO_MIGRATE=true)");
  }
  return database;
}

/// Where processes that share a database tell each other that an integration has changed.
constexpr std::string_view kIntegrationsChannel = "pawl:integrations";

/// Calls go through the spans where there are some.
net::Outbound& through(net::Outbound* spans, net::Outbound& plain) { return spans != nullptr ? *spans : plain; }

/// The route's name stands for the path: a path may carry a token (`/hooks/{token}`), and always carries what a client wrote.
void log_access(const http::Completed& completed) {
  const auto route = completed.route.empty() ? std::string_view("none") : completed.route;
  const auto level = completed.status >= 500 ? Level::warning : route.find("ealth") != std::string_view::npos ? Level::debug : Level::info;
  const auto method = http::to_string(completed.method);
  log(level, "http.request", fmt::format("{} {} {}", method, route, completed.status),
      {{"request_id", completed.request_id},
       {"method", method},
       {"route", route},
       {"status", completed.status},
       {"duration_ms", static_cast<double>(completed.duration.count()) / 1000.0},
       {"bytes", completed.bytes_sent},
       {"address", completed.remote_address},
       {"delivered", completed.delivered}});
}

}  // namespace

// Members are destroyed from the last to the first: whoever uses a part stands below it.
struct Application::Impl {
  Impl(const config::Config& a_config, ApplicationOptions a_options, net::CurlOptions curl, std::unique_ptr<storage::Database> a_database,
       crypto::KeyRing a_keys, std::unique_ptr<net::RedisClient> a_redis)
      : config(a_config),
        options(std::move(a_options)),
        threads(thread_count(a_config)),
        pool("pawl-work", kBlockingThreads, kBlockingQueue),
        policy(curl.policy),
        outbound(std::move(curl)),
        redis(std::move(a_redis)),
        relay(redis ? std::make_unique<live::RedisRelay>(*redis) : nullptr),
        redactor(needles_of(a_config)),
        database(std::move(a_database)),
        keys(std::move(a_keys)) {}

  config::Config config;
  ApplicationOptions options;
  SystemClock clock;
  SystemRandom random;
  OrganizationId organization;
  const TimePoint started_at = clock.now();
  std::unique_ptr<Tracing> tracing = Tracing::make(config, clock, random, redactor);  ///< null: no collector
  Figures figures;
  async::IoThreads threads;
  async::BlockingPool pool;
  net::AddressPolicy policy;
  net::CurlOutbound outbound;
  std::unique_ptr<net::Outbound> outbound_spans = tracing ? tracing->around(outbound) : nullptr;  ///< null like `tracing`
  net::Outbound& calls = through(outbound_spans.get(), outbound);
  std::unique_ptr<net::RedisClient> redis;  ///< null where none is configured
  std::unique_ptr<live::RedisRelay> relay;  ///< the same
  std::unique_ptr<limits::RateLimiter> limiter;
  audit::Redactor redactor;
  std::unique_ptr<ErrorReports> error_reports;  ///< null where no SENTRY_DSN is set
  std::unique_ptr<storage::Database> database;
  crypto::KeyRing keys;  ///< seals stored credentials
  live::Hub live{clock, random, relay.get()};
  std::unique_ptr<audit::Log> audit_log;
  std::unique_ptr<FunctionAudit> function_audit;
  std::unique_ptr<privacy::Retention> retention;
  std::unique_ptr<privacy::RetentionSchedule> retention_schedule;
  std::unique_ptr<AuditWatch> audit_watch;
  std::unique_ptr<pawl::integrations::Integrations> integrations;
  std::unique_ptr<agents::Budgets> budgets;
  std::unique_ptr<agents::Memories> memories;
  std::unique_ptr<ModelParts> models;
  engine::FunctionRegistry functions;
  std::unique_ptr<UserFunctionFolder> user_functions;
  std::unique_ptr<pawl::functions::RemoteFunctions> remote_functions;
  std::unique_ptr<pawl::functions::FetchingFunctions> fetching_functions;  // of the catalog: what is saved may fetch
  live::RunEvents run_events{live};
  RunObservers run_observers{run_events, tracing.get()};
  std::unique_ptr<WatchedFolders> folders;  ///< null for commands that serve nobody
  std::unique_ptr<catalog::Catalog> catalog;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<agents::Healing> healing;
  std::unique_ptr<catalog::Scheduler> scheduler;
  std::unique_ptr<People> people;
  std::unique_ptr<IdentityParts> sign_ins;
  std::unique_ptr<observe::Health> health;
  std::unique_ptr<api::Api> api;
  std::unique_ptr<http::Server> server;
  bool stopped = false;

  /// The integrations of the organization that the run belongs to; what the operator keeps in the environment is for the installation's own
  /// organization alone. A run of no organization gets nothing.
  [[nodiscard]] json::Value secrets_of(const OrganizationId& owner, const dsl::Plan& plan) const {
    if (owner.is_nil() || plan.secrets.empty()) return json::Value::object();
    auto secrets = integrations->secrets(owner, plan.secrets);
    if (owner != organization) return secrets;
    for (const auto& name : plan.secrets) {
      if (secrets.find(name) != nullptr) continue;
      if (const auto it = config.secrets.find(name); it != config.secrets.end()) secrets.set(name, it->second);
    }
    return secrets;
  }
  [[nodiscard]] auto secrets_provider() const {
    return [this](const OrganizationId& owner, const dsl::Plan& plan) { return secrets_of(owner, plan); };
  }
  [[nodiscard]] std::function<std::string()> metrics_text() const {
    if (!config.metrics) return {};
    return [this] { return figures.text(); };
  }
  [[nodiscard]] Result<void> build();
  [[nodiscard]] Result<void> build_audit();
  [[nodiscard]] Result<void> build_error_reports();
};

Result<void> Application::Impl::build_audit() {
  PAWL_TRY(chain_keys, audit_keys(config, true));
  audit::LogOptions log_options;
  log_options.keys = std::move(chain_keys);
  log_options.file = options.audit_file.empty() ? fs::path(data_folder(config)) / "audit.jsonl" : fs::path(options.audit_file);
  log_options.rotate_bytes = config.audit_log_max_bytes;
  log_options.report = [](std::string_view sentence) { log(Level::error, sentence); };
  log_options.watched = [this](const audit::Entry& entry) {
    return entry.organization && is_news(entry) && live.wants(*entry.organization);
  };
  log_options.appended = [this](const audit::Entry& entry) { live.raise(announcement_of(entry)); };
  PAWL_TRY(opened, audit::Log::open(*database, clock, redactor, std::move(log_options)));
  audit_log = std::move(opened);
  function_audit = std::make_unique<FunctionAudit>(*audit_log);
  retention = std::make_unique<privacy::Retention>(*database, *audit_log, clock, retention_options(config));
  return {};
}

Result<void> Application::Impl::build_error_reports() {
  if (config.sentry_dsn.empty()) return {};
  PAWL_TRY(address, SentryAddress::parse(config.sentry_dsn));
  error_reports = std::make_unique<ErrorReports>(std::move(address), config, redactor, clock, random);
  return {};
}

Result<void> Application::Impl::build() {
  PAWL_TRY_VOID(build_error_reports());
  if (tracing) database->on_traced_call([this](const storage::TracedCall& call) { tracing->database(call); });
  PAWL_TRY(secret, installation_secret(config, data_folder(config)));
  PAWL_TRY_VOID(build_audit());
  PAWL_TRY(owner, identity::ensure_organization(*database, clock, random));
  organization = owner;
  integrations = std::make_unique<pawl::integrations::Integrations>(pawl::integrations::Integrations::Dependencies{
      *database, keys, calls, policy, clock, random, [](const Error& error) { log(Level::error, error.message); }});
  if (redis) {
    integrations->on_change([this](const std::string& version) {
      redis->command({"PUBLISH", std::string(kIntegrationsChannel), version}, [](const Result<net::RedisReply>&) {});
    });
  }
  PAWL_TRY_VOID(integrations->start());
  if (options.schedules) {
    PAWL_TRY_VOID(check_plugin_directory(config.plugin_directory, options.file_roots));
  }
  const auto function_options = function_options_of(config, data_folder(config), options.file_roots);
  PAWL_TRY_VOID(functions::add_builtin_functions(functions, {calls, pool, clock, random, &policy}, function_options));
  PAWL_TRY(mcp_options, mcp_options_of(data_folder(config)));
  mcp_options.installation = organization;
  PAWL_TRY_VOID(
      pawl::functions::add_mcp_functions(functions, {calls, pool, clock, random, &policy}, function_options, std::move(mcp_options)));
  budgets = std::make_unique<agents::Budgets>(*database, audit_log.get(), clock, random);
  PAWL_TRY_VOID(budgets->start());
  PAWL_TRY(model_parts, ModelParts::make({config.models, *integrations, organization, calls, pool, threads, clock, random, figures,
                                          budgets.get(), tracing.get()}));
  models = std::move(model_parts);
  functions.add(pawl::models::make_llm_function({models->client(), functions, followers_of(live, clock, redactor)}));
  memories = std::make_unique<agents::Memories>(*database, clock, random, config.models.memory_quota);
  agents::add_memory_functions(
      functions, {memories.get(), &pool, &clock, [this](const OrganizationId& whose, const RunId& run, engine::Engine::Viewed done) {
                    engine->view(whose, run, false, std::move(done));
                  }});
  const auto observed = [this](std::unique_ptr<engine::Function> function) {
    function = metered(std::move(function), figures);
    return tracing ? tracing->around(std::move(function)) : std::move(function);
  };
  functions.wrap(observed);
  functions.add(agents::Healing::make_function([this] { return healing.get(); }, observed));
  user_functions = std::make_unique<UserFunctionFolder>(config.plugin_directory, functions, options.schedules);
  if (!config.plugin_directory.empty()) functions.set_reload([this] { return user_functions->read(); });
  remote_functions = std::make_unique<pawl::functions::RemoteFunctions>(calls, functions, data_folder(config) + "/functions");
  functions.set_remote([this](const dsl::FunctionCatalog::Remote& wanted) { return remote_functions->kept(wanted); });
  fetching_functions = std::make_unique<pawl::functions::FetchingFunctions>(functions, *remote_functions);
  if (options.schedules) {
    PAWL_TRY(watched, WatchedFolders::make(function_options.roots, function_options.hidden));
    folders = std::move(watched);
  }
  catalog = std::make_unique<catalog::Catalog>(catalog::Catalog::Dependencies{
      .database = *database,
      .functions = *fetching_functions,
      .clock = clock,
      .random = random,
      .seals = keys,
      .max_versions = config.versioning ? config.max_versions : 1,
      .folders = folders.get(),
  });
  engine = std::make_unique<engine::Engine>(
      engine::Engine::Dependencies{.threads = threads,
                                   .database = *database,
                                   .functions = functions,
                                   .plans = *catalog,
                                   .clock = clock,
                                   .random = random,
                                   .on_fatal = options.on_fatal,
                                   .secrets = secrets_provider(),
                                   .observer = &run_observers,
                                   .effects = function_audit.get(),
                                   .run_ended = [this](engine::Phase phase, Millis age) { figures.run(phase, age); }},
      engine::EngineOptions{});
  healing = std::make_unique<agents::Healing>(
      agents::Healing::Dependencies{.database = *database,
                                    .engine = *engine,
                                    .catalog = *catalog,
                                    .functions = functions,
                                    .models = models->client(),
                                    .pool = pool,
                                    .clock = clock,
                                    .random = random,
                                    .secrets = secrets_provider(),
                                    .hide = [this](const json::Value& value) { return redactor.value(value); },
                                    .audit = audit_log.get()});
  run_observers.add(*healing);
  people = std::make_unique<People>(People::Dependencies{.config = config,
                                                         .folder = data_folder(config),
                                                         .secret = secret,
                                                         .public_url = public_url(config),
                                                         .installation = organization,
                                                         .database = *database,
                                                         .seals = keys,
                                                         .outbound = calls,
                                                         .catalog = *catalog,
                                                         .engine = *engine,
                                                         .integrations = *integrations,
                                                         .audit = audit_log.get(),
                                                         .tracing = tracing.get(),
                                                         .clock = clock,
                                                         .random = random});
  sign_ins = std::make_unique<IdentityParts>(IdentityParts::Dependencies{
      config, secret, *database, keys, people->mailer(), clock, random, organization,
      account_witness(*audit_log, [this](const identity::AccountEvent& event) { figures.account(event.action, event.success); }),
      [this](const identity::Forgotten& whose) { live.revoke({.user = whose.user, .session = whose.session, .api_key = whose.api_key}); }});
  people->forget_principal([this](const UserId& user) { sign_ins->authenticator.forget(user); });
  people->organization_gone([this](const OrganizationId& gone) { live.revoke({.organization = gone}); });
  people->notified([this](const OrganizationId& where, const notify::NotificationId& id, std::string_view kind, int least_role) {
    if (live.wants(where)) live.raise(announcement_of(where, id, kind, least_role));
  });
  people->invited([this](const identity::Invited& invited) { live.raise(announcement_of(invited)); });
  figures.ask({*database, *engine, pool, clock, started_at, outbound, redis.get(), live});
  if (!options.schedules) return {};
  scheduler = std::make_unique<catalog::Scheduler>(
      catalog::Scheduler::Dependencies{.database = *database,
                                       .engine = *engine,
                                       .catalog = *catalog,
                                       .clock = clock,
                                       .random = random,
                                       .secrets = secrets_provider(),
                                       .report = [](const std::string& sentence) { log(Level::warning, sentence); }});
  catalog->on_change([this](const WorkflowId& workflow) { scheduler->changed(workflow); });
  engine->on_lifecycle([this](const OrganizationId& owner_of_event, json::Value event, std::function<void(Result<void>)> done) {
    scheduler->take_event(owner_of_event, std::move(event), std::move(done));
  });
  engine->on_event(
      [this](const OrganizationId& owner_of_event, const json::Value& event) { scheduler->take_event(owner_of_event, event, {}); });
  return {};
}

Application::Application(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Application::~Application() { stop(Millis(0)); }

Result<std::unique_ptr<Application>> Application::create(const config::Config& config, ApplicationOptions options) {
  PAWL_TRY(curl, outbound_options(config, options.allow_private_addresses));
  PAWL_TRY(database, open_database(config, options, SystemClock()));
  PAWL_TRY(keys, open_key_ring(config));
  PAWL_TRY(redis, connect_redis(config, options));
  auto impl = std::make_unique<Impl>(config, std::move(options), std::move(curl), std::move(database), std::move(keys), std::move(redis));
  PAWL_TRY_VOID(impl->build());
  return std::unique_ptr<Application>(new Application(std::move(impl)));
}

Result<void> Application::start() {
  auto& impl = *impl_;
  PAWL_TRY_VOID(impl.catalog->start());
  impl.threads.start();
  impl.live.start();
  if (impl.redis) {
    impl.redis->subscribe(std::string(kIntegrationsChannel),
                          [&impl](std::string_view version) { impl.integrations->changed_elsewhere(version); });
  }
  PAWL_TRY_VOID(impl.engine->start());
  PAWL_TRY_VOID(impl.healing->start());
  if (impl.scheduler) PAWL_TRY_VOID(impl.scheduler->start());
  if (impl.options.schedules) impl.people->start();
  if (impl.options.housekeeping) {
    impl.retention_schedule = std::make_unique<privacy::RetentionSchedule>(
        *impl.retention, [](const Error& error) { log(Level::error, "retention: " + error.message); });
    impl.audit_watch =
        std::make_unique<AuditWatch>(*impl.database, *impl.audit_log, [&impl](std::string_view outcome, std::string_view detail) {
          impl.figures.trail(outcome);
          if (outcome != "ok")
            log(Level::error, "audit." + std::string(outcome), "the audit trail is not whole or cannot be read: " + std::string(detail),
                {});
        });
  }
  return {};
}

Result<std::uint16_t> Application::listen(std::vector<std::string> api_keys, bool health_only) {
  auto& impl = *impl_;
  PAWL_TRY(proxies, net::TrustedProxies::parse(impl.config.trusted_proxies));
  PAWL_TRY(secret, installation_secret(impl.config, data_folder(impl.config)));
  PAWL_TRY(mcp_functions, mcp_functions_of(impl.config, impl.functions, impl.user_functions->findings()));
  impl.limiter = std::make_unique<limits::RateLimiter>(limits_of(impl.config), impl.clock, crypto::derive_key(secret, "pawl rate limits"),
                                                       impl.redis.get());
  api::Options api_options;
  api_options.version = PAWL_VERSION;
  api_options.environment = std::string(config::to_text(impl.config.environment));
  api_options.api_keys = std::move(api_keys);
  api_options.cors_origins = impl.config.cors_origins;
  api_options.mcp_functions = std::move(mcp_functions);
  api_options.cookies.secure = secure_cookies(impl.config);
  api_options.min_free_disk_bytes = impl.config.min_free_disk_bytes;
  api_options.max_body_bytes = impl.config.max_body_bytes;
  for (const auto& one : impl.config.effective) {
    const auto& setting = *one.setting;
    api_options.settings.push_back({.name = setting.name,
                                    .summary = setting.summary,
                                    .unit = setting.unit,
                                    .source = config::to_text(one.source),
                                    .secret = setting.is_secret(),
                                    .is_set = one.is_set,
                                    .value = one.value,
                                    .fallback = std::string(setting.fallback)});
  }
  impl.health = std::make_unique<observe::Health>();
  add_checks(*impl.health, *impl.database, impl.redis.get(), impl.people->transport(), impl.clock, impl.config.min_free_disk_bytes);
  impl.health->start();
  api::Dependencies dependencies{impl.threads,   impl.pool,  *impl.database, *impl.engine,      *impl.catalog,          *impl.scheduler,
                                 impl.functions, impl.clock, impl.random,    impl.organization, impl.secrets_provider()};
  dependencies.authenticator = &impl.sign_ins->authenticator;
  dependencies.accounts = &impl.sign_ins->accounts;
  dependencies.api_keys = &impl.sign_ins->api_keys;
  dependencies.auth_pool = &impl.sign_ins->pool;
  dependencies.live = &impl.live;
  dependencies.organizations = &impl.people->organizations();
  dependencies.users = &impl.people->users();
  dependencies.oauth = &impl.people->oauth();
  dependencies.mails = impl.people->transport();
  dependencies.limiter = impl.limiter.get();
  dependencies.redis = impl.redis.get();
  dependencies.outbound = &impl.outbound;
  dependencies.audit = impl.audit_log.get();
  dependencies.redactor = &impl.redactor;
  dependencies.retention = impl.retention.get();
  dependencies.integrations = impl.integrations.get();
  dependencies.models = &impl.models->client();
  dependencies.notifications = &impl.people->notifications();
  dependencies.channels = &impl.people->channels();
  dependencies.health = impl.health.get();
  dependencies.function_faults = [folder = impl.user_functions.get()] { return folder->findings(); };
  dependencies.metrics = impl.metrics_text();
  impl.api =
      std::make_unique<api::Api>(std::move(dependencies), std::move(api_options), api::Installation{secret, public_url(impl.config)});
  http::ServerOptions server_options;
  server_options.host = impl.config.host;
  server_options.port = impl.config.port;
  server_options.max_connections = impl.config.max_connections;
  server_options.max_body_bytes = impl.config.max_body_bytes;
  server_options.always_https = server_options.require_https = impl.config.environment == config::Environment::production;
  if (impl.config.public_url.starts_with("https://")) server_options.https_origin = impl.config.public_url;
  server_options.identify = [proxies = std::move(proxies)](http::Request& request) { see_through(proxies, request); };
  if (impl.tracing != nullptr) server_options.trace = [&impl](const http::Request& request) { return impl.tracing->begin(request); };
  server_options.on_exception = [](std::string_view request, std::string_view what) {
    log(Level::error, "http.exception", what, {{"request_id", request}});
  };
  server_options.on_complete = [&impl](const http::Completed& completed) {
    const TraceScope scope(completed.trace.own);
    impl.figures.request(completed);
    log_access(completed);
    if (impl.tracing != nullptr) impl.tracing->request(completed);
    if (impl.error_reports != nullptr) impl.error_reports->request(completed);
  };
  auto router = health_only ? impl.api->health_router() : impl.api->router();
  if (!health_only) web::add_interface(router, PAWL_VERSION);
  impl.server = std::make_unique<http::Server>(impl.threads, std::move(router), std::move(server_options));
  PAWL_TRY_VOID(impl.server->start());
  return impl.server->port();
}

void Application::stop(Millis patience) {
  auto& impl = *impl_;
  if (std::exchange(impl.stopped, true)) return;
  const auto end = std::chrono::steady_clock::now() + patience;
  const auto left = [end] { return std::max(Millis(0), std::chrono::duration_cast<Millis>(end - std::chrono::steady_clock::now())); };
  if (impl.api) impl.api->release_waiting();
  impl.live.stop();
  if (impl.server) impl.server->stop(left());
  if (impl.redis) impl.redis->stop();  // what it was asked is answered while those who asked are still there
  impl.retention_schedule.reset();
  impl.audit_watch.reset();
  if (impl.scheduler) impl.scheduler->stop();
  impl.people->stop();
  impl.engine->stop(left());
  // Calls that wait for their reservation go on, and end with the network.
  static_cast<void>(impl.database->write_and_wait([](storage::Transaction&) -> Result<void> { return {}; }));
  impl.outbound.stop();  // who waits for an answer (a model's) hears of the end while all that it reports to is still there
  impl.sign_ins->pool.stop();
  impl.integrations->stop();
  impl.pool.stop();
  impl.threads.stop();
  impl.outbound.stop();  // what was started meanwhile
  impl.server.reset();
  impl.health.reset();  // its checks use the database
}

engine::Engine& Application::engine() { return *impl_->engine; }
identity::Accounts& Application::accounts() { return impl_->sign_ins->accounts; }
catalog::Catalog& Application::catalog() { return *impl_->catalog; }
catalog::Approvals Application::approvals() { return {*impl_->database, *impl_->engine}; }
const engine::FunctionRegistry& Application::functions() const { return impl_->functions; }
const OrganizationId& Application::organization() const { return impl_->organization; }
Clock& Application::clock() { return impl_->clock; }
json::Value Application::secrets_of(const dsl::Plan& plan) const { return impl_->secrets_of(impl_->organization, plan); }

}  // namespace pawl::app
