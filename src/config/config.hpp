/// The one place where configuration enters: environment, an optional file and command line flags become an immutable, typed `Config`.
///
/// Order of precedence: flags, environment, file, built-in defaults. Every setting is one row of the table in `settings.cpp`;
/// `.env.example` and `docs/configuration.md` are written from that table and a test compares them. All problems are reported at once.
///
/// No other module reads the environment. Values are read once at start and never change.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/model_settings.hpp"

namespace pawl::config {

enum class Environment : std::uint8_t { development, staging, production };
[[nodiscard]] std::string_view to_text(Environment environment);

enum class LogLevel : std::uint8_t { debug, info, warning, error };

/// Who may make an account.
enum class Registration : std::uint8_t { open, invited, closed };
enum class LogFormat : std::uint8_t { text, json };

enum class Sandbox : std::uint8_t { automatic, bubblewrap, landlock, none };

/// How mails leave.
struct Smtp {
  std::string host;  ///< empty: files in development, else mails wait
  std::uint16_t port = 0;
  std::string username;
  std::string password;
  std::string from;
  bool use_tls = true;
};
/// What this installation is called at a sign-in provider; off without an id.
struct OAuthClient {
  std::string client_id;
  std::string client_secret;
  std::string redirect_uri;  ///< empty: below the public URL
};

/// What a client's `traceparent` means.
enum class TraceCallers : std::uint8_t {
  ignore,
  link,    ///< the request's own trace points to the client's
  parent,  ///< the request is part of the client's trace, and kept where the client keeps it
};

struct Setting;

/// Where a setting's value came from.
enum class Source : std::uint8_t { standard, file, environment, flag };
[[nodiscard]] std::string_view to_text(Source source);

/// A setting as it holds, for people to look at. Of secrets it is only known whether they are set.
struct Effective {
  const Setting* setting = nullptr;
  Source source = Source::standard;
  bool is_set = false;
  std::string value;  ///< as it was written; empty for secrets, and credentials in addresses are masked
};

/// What the program runs with. Sizes in bytes, times in milliseconds.
struct Config {
  Environment environment = Environment::development;
  std::string secret_key;  ///< empty only in development: then one is made and kept in the data folder
  std::vector<std::string> previous_secret_keys;
  std::string previous_secret_keys_until;  ///< RFC 3339; empty: accepted while they are configured
  std::string encryption_key;              ///< empty only in development, likewise
  std::vector<std::string> previous_encryption_keys;
  std::string api_key;                       ///< empty: `serve` makes one in development
  std::optional<Registration> registration;  ///< none: open in development, else invited
  bool confirm_address = false;              ///< before the first sign-in
  bool core_dumps = false;                   ///< and debuggers; in development only
  std::uint32_t access_token_minutes = 0;
  std::uint32_t refresh_token_days = 0;
  std::string host;
  std::uint16_t port = 0;
  std::vector<std::string> cors_origins;
  std::vector<std::string> mcp_functions;  ///< as they are written
  LogLevel log_level = LogLevel::info;
  std::optional<LogFormat> log_format;  ///< unset: text in development and on a terminal, else JSON
  std::string log_file;                 ///< empty: standard error
  bool metrics = true;
  std::string trace_endpoint;  ///< of an OpenTelemetry collector, without a slash at the end; empty: no traces
  std::vector<std::pair<std::string, std::string>> trace_headers;
  std::string trace_service;
  double trace_ratio = 1.0;                           ///< of the traces that are kept
  bool trace_content = false;                         ///< what models and tools are told and say, too
  std::uint32_t notification_interval_seconds = 300;  ///< between two messages to one channel or by mail
  std::string sentry_dsn;                             ///< empty: errors go nowhere; holds a key
  TraceCallers trace_callers = TraceCallers::link;
  std::string data_dir;
  std::string database_url;  ///< empty: SQLite in the data folder; holds a password
  std::uint32_t database_pool_size = 0;
  std::uint32_t database_max_overflow = 0;
  std::uint32_t database_pool_timeout_seconds = 0;
  std::uint32_t database_pool_recycle_seconds = 0;
  std::uint32_t threads = 0;  ///< 0: one per core
  bool auto_migrate = true;   ///< apply pending migrations at start
  bool allow_private_addresses = false;
  std::vector<std::string> allowed_addresses;
  std::string ca_file;  ///< of outbound TLS; empty: the system's
  std::vector<std::string> file_roots;
  Sandbox sandbox = Sandbox::automatic;
  std::uint64_t max_body_bytes = 0;
  std::uint32_t max_connections = 0;
  bool versioning = true;
  std::uint32_t max_versions = 0;  ///< of each workflow; 0: all
  std::uint32_t stop_seconds = 0;
  std::uint64_t min_free_disk_bytes = 0;
  std::string public_url;    ///< without a slash at the end; empty: made of host and port
  std::string frontend_url;  ///< likewise; empty: `public_url`
  Smtp smtp;
  OAuthClient google;
  OAuthClient github;
  OAuthClient oidc;
  std::string oidc_issuer;
  std::string redis_url;  ///< empty: no Redis
  bool rate_limit_enabled = true;
  std::uint32_t rate_limit_per_minute = 0;
  std::uint32_t rate_limit_per_hour = 0;
  std::uint32_t rate_limit_llm_per_minute = 0;  ///< of the routes that ask a model
  std::vector<std::string> trusted_proxies;     ///< addresses and networks
  std::string audit_log_path;                   ///< empty: `audit.jsonl` in the data folder
  std::uint64_t audit_log_max_bytes = 0;
  std::uint32_t audit_retention_days = 0;  ///< of this and the next four, 0: for ever
  std::uint32_t retention_runs_days = 0;
  std::uint32_t retention_sessions_days = 0;
  std::uint32_t retention_invitations_days = 0;
  std::uint32_t retention_one_time_tokens_days = 0;
  std::uint32_t retention_drafts_days = 0;
  Models models;
  std::map<std::string, std::string> secrets;  ///< `$secrets` by name, from `PAWL_SECRET_<NAME>`
  std::string plugin_directory;                ///< of user functions; empty: none
  std::vector<Effective> effective;            ///< each row of the table, in its order
};

/// One row of the table.
struct Setting {
  enum class Type : std::uint8_t { text, secret, secret_list, integer, boolean, choice, list };
  std::string_view name;
  Type type = Type::text;
  std::string_view fallback{};  ///< default as text; empty: unset
  std::string_view unit{};      ///< for people: `bytes`, `seconds`
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::vector<std::string_view> choices{};
  std::string_view flag{};     ///< command line flag of `serve` that sets it; empty: none
  std::string_view summary{};  ///< one or two sentences
  void (*apply)(Config&, const struct Parsed&) = nullptr;

  [[nodiscard]] bool is_secret() const { return type == Type::secret || type == Type::secret_list; }
};
/// A setting's value after its type was checked.
struct Parsed {
  std::string text;
  std::int64_t number = 0;
  bool flag = false;
  std::vector<std::string> list;
};

[[nodiscard]] std::span<const Setting> settings();
inline constexpr std::string_view kSecretPrefix = "PAWL_SECRET_";
inline constexpr std::size_t kMinKeyLength = 32;

using Values = std::map<std::string, std::string, std::less<>>;

struct Sources {
  Values flags;        ///< by the setting's name
  Values environment;  ///< see `process_environment`
  std::string file_name;
  std::string file_text;  ///< `NAME=value` lines; empty: no file
};

/// A server is held to the rules of its environment (keys, origins); a tool for one person (`pawl run`) only to the types.
enum class Purpose : std::uint8_t { server, tool };

/// Findings have the setting's name as pointer (for a file also the line). Never contains a secret's value.
[[nodiscard]] Checked<Config> load(const Sources& sources, Purpose purpose);

/// The process's environment, restricted to the names of the table and the secret prefix, plus `PAWL_CONFIG`.
[[nodiscard]] Values process_environment();
/// Whether the person asked for no colours (`NO_COLOR`, or `TERM=dumb`).
[[nodiscard]] bool plain_terminal();

/// Reads `NAME=value` lines: `#` comments, blank lines, optional `export `, single or double quotes. Findings carry lines.
[[nodiscard]] Checked<Values> parse_file(std::string_view text);

/// Text of `.env.example`.
[[nodiscard]] std::string example_file();
/// Text of `docs/configuration.md`.
[[nodiscard]] std::string reference_page();

/// Rules for a signing key: nothing where it is strong enough, else what is wrong with it.
[[nodiscard]] std::string key_weakness(std::string_view key);

}  // namespace pawl::config
