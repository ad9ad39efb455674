// The table of settings. A row that no code reads does not belong here; a value that code reads without a row cannot exist.
#include "config/config.hpp"
#include "config/model_settings.hpp"
#include "config/sign_in_settings.hpp"

namespace pawl::config {
namespace {

constexpr std::int64_t kMebi = 1024 * 1024;

std::uint32_t narrow(std::int64_t number) { return static_cast<std::uint32_t>(number); }

const std::vector<Setting>& table() {
  using Type = Setting::Type;
  static const std::vector<Setting> rows = {
      {.name = "ENVIRONMENT",
       .type = Type::choice,
       .fallback = "development",
       .choices = {"development", "staging", "production"},
       .summary =
           "What kind of installation this is. Everything but `development` requires SECRET_KEY and PAWL_API_KEY; `production` is strict "
           "about CORS_ORIGINS and does not apply pending migrations by itself.",
       .apply =
           [](Config& config, const Parsed& value) {
             config.environment = value.text == "production" ? Environment::production
                                  : value.text == "staging"  ? Environment::staging
                                                             : Environment::development;
           }},
      {.name = "SECRET_KEY",
       .type = Type::secret,
       .summary = "Signs sessions, links and the audit trail. At least 32 characters without weak words; required outside of development, "
                  "where one is "
                  "made and kept in the data folder. `openssl rand -base64 48` makes a good one.",
       .apply = [](Config& config, const Parsed& value) { config.secret_key = value.text; }},
      {.name = "SECRET_KEY_PREVIOUS",
       .type = Type::secret_list,
       .summary = "Earlier secret keys, comma separated: sessions and tokens under them stay valid, and audit records that they signed "
                  "verify; SECRET_KEY signs.",
       .apply = [](Config& config, const Parsed& value) { config.previous_secret_keys = value.list; }},
      {.name = "SECRET_KEY_PREVIOUS_UNTIL",
       .summary = "When earlier secret keys stop being accepted, RFC 3339. Unset: when they leave SECRET_KEY_PREVIOUS.",
       .apply = [](Config& config, const Parsed& value) { config.previous_secret_keys_until = value.text; }},
      {.name = "PAWL_REGISTRATION",
       .type = Type::choice,
       .choices = {"open", "invited", "closed"},
       .summary = "Who may make an account: anybody, whoever holds an invitation, nobody (administrators make users). Unset: `open` in "
                  "development, `invited` elsewhere.",
       .apply =
           [](Config& config, const Parsed& value) {
             config.registration = value.text == "open"      ? Registration::open
                                   : value.text == "invited" ? Registration::invited
                                                             : Registration::closed;
           }},
      {.name = "PAWL_CONFIRM_ADDRESS",
       .type = Type::boolean,
       .summary =
           "A new account signs in once its address is confirmed by the link in a mail, and not before. Then registering does not tell "
           "whether an address has an account. Needs SMTP_HOST outside of development. Unset: true outside of development where "
           "PAWL_REGISTRATION is `open` and SMTP_HOST is set.",
       .apply = [](Config& config, const Parsed& value) { config.confirm_address = value.flag; }},
      {.name = "PAWL_CORE_DUMPS",
       .type = Type::boolean,
       .fallback = "false",
       .summary = "Lets the system write the server's memory to a file when it crashes, and debuggers look into it. Memory holds keys: in "
                  "development only.",
       .apply = [](Config& config, const Parsed& value) { config.core_dumps = value.flag; }},
      {.name = "ACCESS_TOKEN_EXPIRE_MINUTES",
       .type = Type::integer,
       .fallback = "15",
       .unit = "minutes",
       .min = 1,
       .max = 1440,
       .summary = "How long an access token is good for.",
       .apply = [](Config& config, const Parsed& value) { config.access_token_minutes = narrow(value.number); }},
      {.name = "REFRESH_TOKEN_EXPIRE_DAYS",
       .type = Type::integer,
       .fallback = "30",
       .unit = "days",
       .min = 1,
       .max = 180,
       .summary = "How long a session lives after its last use.",
       .apply = [](Config& config, const Parsed& value) { config.refresh_token_days = narrow(value.number); }},
      {.name = "ENCRYPTION_KEY",
       .type = Type::secret,
       .summary = "Seals stored credentials (integrations, second factors). At least 32 characters without weak words, and not "
                  "SECRET_KEY; required outside of development, where one is made and kept in the data folder. A lost key means lost "
                  "credentials: keep a copy apart from the database's backups.",
       .apply = [](Config& config, const Parsed& value) { config.encryption_key = value.text; }},
      {.name = "ENCRYPTION_KEY_PREVIOUS",
       .type = Type::secret_list,
       .summary = "Earlier encryption keys, comma separated. They open what was sealed before; `pawl keys rotate` seals it anew, then they "
                  "can go.",
       .apply = [](Config& config, const Parsed& value) { config.previous_encryption_keys = value.list; }},
      {.name = "PAWL_API_KEY",
       .type = Type::secret,
       .summary = "Administrator's key of the HTTP API (`Authorization: Bearer ...`), at least 32 characters. Required outside of "
                  "development, where "
                  "one is made at first start, printed once and kept in the data folder.",
       .apply = [](Config& config, const Parsed& value) { config.api_key = value.text; }},
      {.name = "API_HOST",
       .fallback = "127.0.0.1",
       .flag = "--host",
       .summary = "Address to listen on.",
       .apply = [](Config& config, const Parsed& value) { config.host = value.text; }},
      {.name = "API_PORT",
       .type = Type::integer,
       .fallback = "8000",
       .min = 0,
       .max = 65535,
       .flag = "--port",
       .summary = "Port to listen on; 0 takes any free one.",
       .apply = [](Config& config, const Parsed& value) { config.port = static_cast<std::uint16_t>(value.number); }},
      {.name = "PORT",
       .type = Type::integer,
       .min = 0,
       .max = 65535,
       .summary = "The same under the name that hosting platforms set; wins over API_PORT.",
       .apply = [](Config& config, const Parsed& value) { config.port = static_cast<std::uint16_t>(value.number); }},
      {.name = "CORS_ORIGINS",
       .type = Type::list,
       .summary = "Origins of web pages that may call the API, comma separated. Production refuses `*` and origins without https.",
       .apply = [](Config& config, const Parsed& value) { config.cors_origins = value.list; }},
      {.name = "PAWL_MCP_FUNCTIONS",
       .type = Type::list,
       .summary = "Functions that are tools of the MCP server, beside the workflows, for callers that may write workflows: names, comma "
                  "separated. Unset: none. See docs/mcp.md.",
       .apply = [](Config& config, const Parsed& value) { config.mcp_functions = value.list; }},
      {.name = "LOG_LEVEL",
       .type = Type::choice,
       .fallback = "info",
       .choices = {"debug", "info", "warning", "error"},
       .summary = "Least important lines that the server writes to standard error.",
       .apply =
           [](Config& config, const Parsed& value) {
             config.log_level = value.text == "debug"     ? LogLevel::debug
                                : value.text == "warning" ? LogLevel::warning
                                : value.text == "error"   ? LogLevel::error
                                                          : LogLevel::info;
           }},
      {.name = "LOG_FORMAT",
       .type = Type::choice,
       .choices = {"text", "json"},
       .summary = "Lines for a person, or JSON objects. Unset: text in development and on a terminal, JSON otherwise.",
       .apply = [](Config& config, const Parsed& value) { config.log_format = value.text == "json" ? LogFormat::json : LogFormat::text; }},
      {.name = "LOG_FILE",
       .summary = "File that log lines are appended to, instead of standard error.",
       .apply = [](Config& config, const Parsed& value) { config.log_file = value.text; }},
      {.name = "OTEL_EXPORTER_OTLP_ENDPOINT",
       .summary = "OpenTelemetry collector that gets traces of requests and runs (OTLP over HTTP with JSON, `/v1/traces` below this). "
                  "Unset: no traces.",
       .apply =
           [](Config& config, const Parsed& value) {
             config.trace_endpoint = value.text;
             while (config.trace_endpoint.ends_with('/')) config.trace_endpoint.pop_back();
           }},
      {.name = "OTEL_EXPORTER_OTLP_HEADERS",
       .type = Type::secret_list,
       .summary = "Fields for the collector, `name=value`, comma separated: a key, where it asks for one.",
       .apply =
           [](Config& config, const Parsed& value) {
             for (const auto& field : value.list) {
               const auto mark = field.find('=');
               if (mark != std::string::npos) config.trace_headers.emplace_back(field.substr(0, mark), field.substr(mark + 1));
             }
           }},
      {.name = "OTEL_SERVICE_NAME",
       .fallback = "pawl",
       .summary = "What this installation is called in traces.",
       .apply = [](Config& config, const Parsed& value) { config.trace_service = value.text; }},
      {.name = "PAWL_TRACE_PERCENT",
       .type = Type::integer,
       .fallback = "100",
       .min = 0,
       .max = 100,
       .summary = "How many of a hundred traces are kept; a trace is kept whole or not at all.",
       .apply = [](Config& config, const Parsed& value) { config.trace_ratio = static_cast<double>(value.number) / 100.0; }},
      {.name = "PAWL_TRACE_CONTENT",
       .type = Type::boolean,
       .fallback = "false",
       .summary = "Put into the spans of models and tools what they are told and say (`gen_ai.input.messages` and the others that "
                  "OpenTelemetry's conventions leave to choice), without known secrets. What people wrote then lies at the collector, "
                  "where nothing of it is erased.",
       .apply = [](Config& config, const Parsed& value) { config.trace_content = value.flag; }},
      {.name = "PAWL_NOTIFICATION_INTERVAL_SECONDS",
       .type = Type::integer,
       .fallback = "300",
       .unit = "seconds",
       .min = 1,
       .max = 86'400,
       .summary = "How often a notification channel, or a person by mail, is told at most; what comes in between is one digest.",
       .apply = [](Config& config, const Parsed& value) { config.notification_interval_seconds = narrow(value.number); }},
      {.name = "SENTRY_DSN",
       .type = Type::secret,
       .summary = "Where errors of the server are reported in Sentry's way (`https://KEY@host/PROJECT`): failed requests and background "
                  "work, and what ends the process; without bodies, addresses or names of people. Unset: nowhere.",
       .apply = [](Config& config, const Parsed& value) { config.sentry_dsn = value.text; }},
      {.name = "PAWL_TRACE_CALLERS",
       .type = Type::choice,
       .fallback = "link",
       .choices = {"ignore", "link", "parent"},
       .summary = "What a client's `traceparent` means: nothing; a link from the request's own trace; `parent`: the request joins the "
                  "client's trace and is kept where the client keeps it, for installations whose clients are all their own.",
       .apply =
           [](Config& config, const Parsed& value) {
             config.trace_callers = value.text == "parent"   ? TraceCallers::parent
                                    : value.text == "ignore" ? TraceCallers::ignore
                                                             : TraceCallers::link;
           }},
      {.name = "ENABLE_METRICS",
       .type = Type::boolean,
       .fallback = "true",
       .summary = "Offer `/metrics` in Prometheus' text format, to administrators of the installation.",
       .apply = [](Config& config, const Parsed& value) { config.metrics = value.flag; }},
      {.name = "PAWL_DATA_DIR",
       .fallback = "./pawl-data",
       .flag = "--data-dir",
       .summary = "Folder of the database and of everything else that must survive.",
       .apply = [](Config& config, const Parsed& value) { config.data_dir = value.text; }},
      {.name = "DATABASE_URL",
       .type = Type::secret,
       .flag = "--database-url",
       .summary = "`postgresql://user:password@host:5432/database` stores in PostgreSQL, `sqlite:///path/to/folder` in `pawl.db` of that "
                  "folder. Unset: `pawl.db` in the data folder.",
       .apply = [](Config& config, const Parsed& value) { config.database_url = value.text; }},
      {.name = "DATABASE_POOL_SIZE",
       .type = Type::integer,
       .fallback = "10",
       .min = 1,
       .max = 1000,
       .summary = "PostgreSQL: connections for reading that are kept open. One more is for writing.",
       .apply = [](Config& config, const Parsed& value) { config.database_pool_size = narrow(value.number); }},
      {.name = "DATABASE_MAX_OVERFLOW",
       .type = Type::integer,
       .fallback = "20",
       .min = 0,
       .max = 1000,
       .summary = "PostgreSQL: further connections for moments when all are in use; closed afterwards.",
       .apply = [](Config& config, const Parsed& value) { config.database_max_overflow = narrow(value.number); }},
      {.name = "DATABASE_POOL_TIMEOUT",
       .type = Type::integer,
       .fallback = "30",
       .unit = "seconds",
       .min = 1,
       .max = 600,
       .summary = "How long a request waits for a connection before it is answered with 503.",
       .apply = [](Config& config, const Parsed& value) { config.database_pool_timeout_seconds = narrow(value.number); }},
      {.name = "DATABASE_POOL_RECYCLE",
       .type = Type::integer,
       .fallback = "3600",
       .unit = "seconds",
       .min = 0,
       .max = 1'000'000,
       .summary = "PostgreSQL: a connection older than this is replaced; 0: never.",
       .apply = [](Config& config, const Parsed& value) { config.database_pool_recycle_seconds = narrow(value.number); }},
      {.name = "PAWL_AUTO_MIGRATE",
       .type = Type::boolean,
       .summary = "Apply pending migrations at start. Unset: yes, except in production, which refuses to start with pending ones.",
       .apply = [](Config& config, const Parsed& value) { config.auto_migrate = value.flag; }},
      {.name = "PAWL_THREADS",
       .type = Type::integer,
       .fallback = "0",
       .min = 0,
       .max = 256,
       .summary = "Threads that run workflows and serve connections; 0: one per core.",
       .apply = [](Config& config, const Parsed& value) { config.threads = narrow(value.number); }},
      {.name = "PAWL_ALLOW_PRIVATE_ADDRESSES",
       .type = Type::boolean,
       .fallback = "false",
       .summary = "Let workflows call loopback and private addresses. Off, because a workflow's author could otherwise reach the inside of "
                  "the network.",
       .apply = [](Config& config, const Parsed& value) { config.allow_private_addresses = value.flag; }},
      {.name = "PAWL_ALLOWED_ADDRESSES",
       .type = Type::list,
       .summary = "Exceptions to that rule: host names, addresses or networks (`10.1.0.0/16`), comma separated.",
       .apply = [](Config& config, const Parsed& value) { config.allowed_addresses = value.list; }},
      {.name = "PAWL_CA_FILE",
       .type = Type::text,
       .summary = "PEM file of the authorities that outbound TLS trusts (HTTP, mail, Redis) in place of the system's; for a company's own "
                  "authority.",
       .apply = [](Config& config, const Parsed& value) { config.ca_file = value.text; }},
      {.name = "PAWL_FILE_ROOTS",
       .type = Type::list,
       .summary = "Folders that file functions may touch, comma separated. Unset: `files` in the data folder.",
       .apply = [](Config& config, const Parsed& value) { config.file_roots = value.list; }},
      {.name = "PLUGIN_DIRECTORY",
       .type = Type::text,
       .summary = "Folder of functions that users have written, as `functions/NAME/VERSION/function.yaml` (docs/user-functions.md). "
                  "Unset: none.",
       .apply = [](Config& config, const Parsed& value) { config.plugin_directory = value.text; }},
      {.name = "PAWL_SANDBOX",
       .type = Type::choice,
       .fallback = "auto",
       .choices = {"auto", "bubblewrap", "landlock", "none"},
       .summary = "What holds shell commands and scripts: `auto` takes the strongest that works and refuses to run them where none does; "
                  "`none` waives "
                  "the protection.",
       .apply =
           [](Config& config, const Parsed& value) {
             config.sandbox = value.text == "bubblewrap" ? Sandbox::bubblewrap
                              : value.text == "landlock" ? Sandbox::landlock
                              : value.text == "none"     ? Sandbox::none
                                                         : Sandbox::automatic;
           }},
      {.name = "PAWL_MAX_BODY_BYTES",
       .type = Type::integer,
       .fallback = "4194304",
       .unit = "bytes",
       .min = 1024,
       .max = 256 * kMebi,
       .summary = "Largest request body.",
       .apply = [](Config& config, const Parsed& value) { config.max_body_bytes = static_cast<std::uint64_t>(value.number); }},
      {.name = "PAWL_MAX_CONNECTIONS",
       .type = Type::integer,
       .fallback = "10000",
       .min = 1,
       .max = 1'000'000,
       .summary = "Open connections at once; one more is answered with 503 and closed.",
       .apply = [](Config& config, const Parsed& value) { config.max_connections = narrow(value.number); }},
      {.name = "ENABLE_VERSIONING",
       .type = Type::boolean,
       .fallback = "true",
       .summary = "Keep old versions of workflows. Off: only those that runs are pinned to.",
       .apply = [](Config& config, const Parsed& value) { config.versioning = value.flag; }},
      {.name = "MAX_VERSIONS_PER_WORKFLOW",
       .type = Type::integer,
       .fallback = "10",
       .min = 0,
       .max = 100'000,
       .summary = "Versions kept of each workflow, besides those that runs are pinned to; 0: all.",
       .apply = [](Config& config, const Parsed& value) { config.max_versions = narrow(value.number); }},
      {.name = "PAWL_STOP_SECONDS",
       .type = Type::integer,
       .fallback = "20",
       .unit = "seconds",
       .min = 0,
       .max = 3600,
       .summary = "How long requests and steps in flight may take to finish after SIGTERM.",
       .apply = [](Config& config, const Parsed& value) { config.stop_seconds = narrow(value.number); }},
      {.name = "AUDIT_LOG_PATH",
       .summary =
           "File of the audit trail, one JSON object a line. Unset: `audit.jsonl` in the data folder. The records are in the database "
           "too, which is what counts; see docs/audit.md.",
       .apply = [](Config& config, const Parsed& value) { config.audit_log_path = value.text; }},
      {.name = "AUDIT_LOG_MAX_BYTES",
       .type = Type::integer,
       .fallback = "67108864",
       .unit = "bytes",
       .min = 1024 * 1024,
       .max = 1'000'000 * kMebi,
       .summary = "A larger audit file is put aside and a new one begun. Files put aside go when retention has removed their records.",
       .apply = [](Config& config, const Parsed& value) { config.audit_log_max_bytes = static_cast<std::uint64_t>(value.number); }},
      {.name = "AUDIT_RETENTION_DAYS",
       .type = Type::integer,
       .fallback = "2555",
       .unit = "days",
       .min = 0,
       .max = 36500,
       .summary = "How long audit records are kept; 0: for ever. The rest still verifies after older ones went.",
       .apply = [](Config& config, const Parsed& value) { config.audit_retention_days = narrow(value.number); }},
      {.name = "RETENTION_WORKFLOW_EXECUTIONS_DAYS",
       .type = Type::integer,
       .fallback = "180",
       .unit = "days",
       .min = 0,
       .max = 36500,
       .summary = "How long finished runs are kept; 0: for ever.",
       .apply = [](Config& config, const Parsed& value) { config.retention_runs_days = narrow(value.number); }},
      {.name = "RETENTION_SESSIONS_DAYS",
       .type = Type::integer,
       .fallback = "90",
       .unit = "days",
       .min = 0,
       .max = 36500,
       .summary = "How long sign-ins that have ended are kept; 0: for ever.",
       .apply = [](Config& config, const Parsed& value) { config.retention_sessions_days = narrow(value.number); }},
      {.name = "RETENTION_INVITATIONS_DAYS",
       .type = Type::integer,
       .fallback = "30",
       .unit = "days",
       .min = 0,
       .max = 36500,
       .summary = "How long invitations are kept that were accepted, withdrawn or have expired; 0: for ever.",
       .apply = [](Config& config, const Parsed& value) { config.retention_invitations_days = narrow(value.number); }},
      {.name = "RETENTION_ONE_TIME_TOKENS_DAYS",
       .type = Type::integer,
       .fallback = "7",
       .unit = "days",
       .min = 0,
       .max = 36500,
       .summary = "How long used or expired links of mails, and failed sign-ins, are kept; 0: for ever.",
       .apply = [](Config& config, const Parsed& value) { config.retention_one_time_tokens_days = narrow(value.number); }},
      {.name = "RETENTION_DRAFTS_DAYS",
       .type = Type::integer,
       .fallback = "7",
       .unit = "days",
       .min = 0,
       .max = 36500,
       .summary = "How long dry runs of documents that are listed nowhere (task tests, drafts and proposals of agents) are kept, and such "
                  "documents once no run is of them any more; 0: for ever.",
       .apply = [](Config& config, const Parsed& value) { config.retention_drafts_days = narrow(value.number); }},
      {.name = "PAWL_MIN_FREE_DISK_BYTES",
       .type = Type::integer,
       .fallback = "104857600",
       .unit = "bytes",
       .min = 0,
       .max = 1'000'000 * kMebi,
       .summary = "Readiness fails when the data folder's disk has less room than this.",
       .apply = [](Config& config, const Parsed& value) { config.min_free_disk_bytes = static_cast<std::uint64_t>(value.number); }},
      {.name = "REDIS_URL",
       .type = Type::secret,
       .summary = "`redis://[[user]:password@]host[:port][/database]`, `rediss://` with TLS: lets several processes share rate limits and "
                  "live events. Unset: each "
                  "process is alone. See docs/limits.md.",
       .apply = [](Config& config, const Parsed& value) { config.redis_url = value.text; }},
      {.name = "RATE_LIMIT_ENABLED",
       .type = Type::boolean,
       .fallback = "true",
       .summary = "Refuse requests beyond the limits with 429. Off, passwords can be guessed as fast as the machine allows.",
       .apply = [](Config& config, const Parsed& value) { config.rate_limit_enabled = value.flag; }},
      {.name = "RATE_LIMIT_PER_MINUTE",
       .type = Type::integer,
       .fallback = "600",
       .unit = "requests",
       .min = 1,
       .max = 1'000'000,
       .summary = "Requests a minute of a user (or of an address where nobody is signed in), and of a webhook.",
       .apply = [](Config& config, const Parsed& value) { config.rate_limit_per_minute = narrow(value.number); }},
      {.name = "RATE_LIMIT_PER_HOUR",
       .type = Type::integer,
       .fallback = "20000",
       .unit = "requests",
       .min = 1,
       .max = 1'000'000,
       .summary = "Requests an hour of a user, or of an address where nobody is signed in.",
       .apply = [](Config& config, const Parsed& value) { config.rate_limit_per_hour = narrow(value.number); }},
      {.name = "RATE_LIMIT_LLM_PER_MINUTE",
       .type = Type::integer,
       .fallback = "60",
       .unit = "requests",
       .min = 1,
       .max = 1'000'000,
       .summary = "Requests a minute of a user to the routes that ask a model (`/api/llm/...`); they count as every other request too.",
       .apply = [](Config& config, const Parsed& value) { config.rate_limit_llm_per_minute = narrow(value.number); }},
      {.name = "PAWL_TRUSTED_PROXIES",
       .type = Type::list,
       .summary = "Addresses and networks (`10.0.0.0/8`) of the proxies in front, comma separated. Only from them X-Forwarded-For, "
                  "X-Forwarded-Proto and Forwarded are believed.",
       .apply = [](Config& config, const Parsed& value) { config.trusted_proxies = value.list; }},
  };
  return rows;
}

}  // namespace

std::span<const Setting> settings() {
  static const auto all = [] {
    auto rows = table();
    for (auto&& more : {mail_settings(), provider_settings(), model_settings()}) rows.insert(rows.end(), more.begin(), more.end());
    return rows;
  }();
  return all;
}

}  // namespace pawl::config
