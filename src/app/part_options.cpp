#include "app/part_options.hpp"

#include <filesystem>

#include "app/key_files.hpp"

namespace pawl::app {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSqliteScheme = "sqlite:///";

}  // namespace

std::string data_folder(const config::Config& config) {
  if (!config.database_url.starts_with(kSqliteScheme)) return config.data_dir;
  return config.database_url.substr(kSqliteScheme.size() - 1);
}

storage::DatabaseOptions database_options(const config::Config& config) {
  storage::DatabaseOptions options;
  options.folder = data_folder(config);
  if (storage::is_postgresql_url(config.database_url)) options.url = config.database_url;
  options.pool_size = config.database_pool_size;
  options.max_overflow = config.database_max_overflow;
  options.pool_timeout = std::chrono::seconds(config.database_pool_timeout_seconds);
  options.pool_recycle = std::chrono::seconds(config.database_pool_recycle_seconds);
  return options;
}

Result<audit::Keys> audit_keys(const config::Config& config, bool make) {
  const auto folder = data_folder(config);
  std::error_code ignored;
  const bool has_file = fs::exists(fs::path(folder) / "secret.key", ignored);
  audit::Keys keys;
  if (!config.secret_key.empty()) keys.push_back(audit::key_of(config.secret_key));
  for (const auto& previous : config.previous_secret_keys) keys.push_back(audit::key_of(previous));
  if (!keys.empty() && !has_file) return keys;
  if (!make && !has_file) {
    return Error(ErrorClass::invalid, "audit.key", "SECRET_KEY is not set and the data folder has no secret.key: nothing can be verified");
  }
  PAWL_TRY(file, ensure_key_file(folder, "secret.key"));
  // Before SECRET_KEY was set it signed; where it is not, it does.
  keys.insert(config.secret_key.empty() ? keys.begin() : keys.end(), audit::key_of(file.key));
  return keys;
}

std::string audit_file(const config::Config& config) {
  if (!config.audit_log_path.empty()) return config.audit_log_path;
  return (fs::path(data_folder(config)) / "audit.jsonl").string();
}

privacy::RetentionOptions retention_options(const config::Config& config) {
  return {.runs = config.retention_runs_days,
          .sessions = config.retention_sessions_days,
          .audit = config.audit_retention_days,
          .invitations = config.retention_invitations_days,
          .one_time_tokens = config.retention_one_time_tokens_days,
          .drafts = config.retention_drafts_days};
}

Result<std::string> installation_secret(const config::Config& config, const std::string& folder) {
  if (!config.secret_key.empty()) return config.secret_key;
  PAWL_TRY(file, ensure_key_file(folder, "secret.key"));
  return std::move(file.key);
}

Result<net::CurlOptions> outbound_options(const config::Config& config, bool allow_private) {
  net::CurlOptions curl;
  curl.policy.allow_private = allow_private || config.allow_private_addresses;
  for (const auto& entry : config.allowed_addresses) PAWL_TRY_VOID(curl.policy.allow(entry));
  curl.ca_file = config.ca_file;
  return curl;
}

limits::Limits limits_of(const config::Config& config) {
  limits::Limits limits;
  limits.enabled = config.rate_limit_enabled;
  limits.per_minute = config.rate_limit_per_minute;
  limits.per_hour = config.rate_limit_per_hour;
  limits.models_per_minute = config.rate_limit_llm_per_minute;
  return limits;
}

audit::Needles needles_of(const config::Config& config) {
  audit::Needles needles;
  needles.add(config.secret_key);
  needles.add(config.api_key);
  needles.add(config.encryption_key);
  for (const auto& key : config.previous_encryption_keys) needles.add(key);
  for (const auto& [name, value] : config.trace_headers) needles.add(value);
  needles.add(config.sentry_dsn);
  for (const auto& [name, value] : config.secrets) needles.add(value);
  return needles;
}

}  // namespace pawl::app
