// pawl audit verify, pawl retention: what an administrator does to the audit trail and the age of data at the console.
#include <fmt/core.h>

#include <charconv>
#include <cstdio>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/log.hpp"
#include "app/part_options.hpp"
#include "audit/redact.hpp"
#include "audit/verify.hpp"
#include "json/write.hpp"
#include "privacy/retention.hpp"
#include "storage/database.hpp"
#include "storage/migrations.hpp"

namespace pawl::app {
namespace {

int fail(const Error& error) {
  fmt::print(stderr, "pawl: {}\n", error.message);
  return kFailed;
}

Result<std::unique_ptr<storage::Database>> open_existing(const config::Config& config) {
  PAWL_TRY(database, storage::Database::open(database_options(config)));
  PAWL_TRY_VOID(storage::verify_migrations(*database));
  return database;
}

/// `SEQUENCE:HASH`, as an earlier report had it.
bool read_expected(const std::string& text, audit::VerifyOptions& options) {
  const auto colon = text.find(':');
  if (colon == std::string::npos) return false;
  std::uint64_t sequence = 0;
  const auto read = std::from_chars(text.data(), text.data() + colon, sequence);
  if (read.ec != std::errc() || read.ptr != text.data() + colon) return false;
  options.expected_sequence = sequence;
  options.expected_hash = text.substr(colon + 1);
  return options.expected_hash.size() == 64;
}

void print_report(const audit::VerifyReport& report, bool as_json) {
  if (as_json) {
    auto object = json::Value::object({{"valid", report.ok},
                                       {"records", report.records},
                                       {"first", report.first},
                                       {"last", report.last},
                                       {"removed", report.removed},
                                       {"file_lines", report.file_lines},
                                       {"head", report.head}});
    if (report.problem) {
      object.set("problem",
                 json::Value::object(
                     {{"sequence", report.problem->sequence}, {"kind", report.problem->kind}, {"detail", report.problem->detail}}));
    } else {
      object.set("problem", nullptr);
    }
    fmt::print("{}\n", json::to_text(object));
  } else if (report.ok) {
    fmt::print("{} records, all as they were written; the newest is {}:{}\n", report.records, report.last, report.head);
  } else {
    fmt::print("record {}: {} ({})\n", report.problem->sequence, report.problem->detail, report.problem->kind);
  }
}

int verify_trail(const config::Config& config, const AuditOptions& options) {
  audit::VerifyOptions wish;
  if (!options.expected.empty() && !read_expected(options.expected, wish)) {
    fmt::print(stderr, "pawl: --expect wants SEQUENCE:HASH, as an earlier verification printed it\n");
    return kUsage;
  }
  auto keys = audit_keys(config, false);
  if (keys.has_error()) return fail(keys.error());
  wish.keys = std::move(*keys);
  const std::filesystem::path file = audit_file(config);
  std::error_code ignored;
  if (!options.without_file && std::filesystem::exists(file, ignored)) wish.file = file;
  const auto database = open_existing(config);
  if (database.has_error()) {
    if (database.error().code != "storage.locked") return fail(database.error());
    return fail(Error(database.error().kind, database.error().code,
                      database.error().message + "; a server verifies its trail at GET /api/audit/verify"));
  }
  const auto report = audit::verify(**database, wish);
  if (report.has_error()) return fail(report.error());
  print_report(*report, options.json);
  return report->ok ? kOk : kFailed;
}

void print_purged(const std::vector<privacy::Purged>& purged, bool dry_run, bool as_json) {
  auto items = json::Value::array();
  for (const auto& each : purged) {
    const auto before = each.before ? json::Value(to_rfc3339(*each.before)) : json::Value();
    items.push_back(json::Value::object({{"type", each.type}, {"before", before}, {"count", each.count}}));
    if (!as_json) {
      fmt::print("{:<20} {:>10} {}\n", each.type, each.count, each.before ? "older than " + to_rfc3339(*each.before) : "kept for ever");
    }
  }
  if (as_json) fmt::print("{}\n", json::to_text(json::Value::object({{"dry_run", dry_run}, {"items", std::move(items)}})));
}

Result<std::vector<privacy::Purged>> purge_now(const config::Config& config, storage::Database& database, bool dry_run) {
  const SystemClock clock;
  const audit::Redactor redactor;
  PAWL_TRY(keys, audit_keys(config, true));
  audit::LogOptions options;
  options.keys = std::move(keys);
  options.file = audit_file(config);
  options.rotate_bytes = config.audit_log_max_bytes;
  options.report = [](std::string_view sentence) { log(Level::error, sentence); };
  PAWL_TRY(trail, audit::Log::open(database, clock, redactor, std::move(options)));
  privacy::Retention retention(database, *trail, clock, retention_options(config));
  return dry_run ? retention.count() : retention.purge(audit::Actor::administrator());
}

}  // namespace

int run_audit(const CommonOptions& common, const AuditOptions& options) {
  const auto config = load_config(common, config::Purpose::tool);
  return config ? verify_trail(*config, options) : kUsage;
}

int run_retention(const CommonOptions& common, const RetentionOptions& options) {
  const auto config = load_config(common, config::Purpose::tool);
  if (!config) return kUsage;
  const auto database = open_existing(*config);
  if (database.has_error()) return fail(database.error());
  const auto purged = purge_now(*config, **database, options.dry_run);
  if (purged.has_error()) return fail(purged.error());
  print_purged(*purged, options.dry_run, options.json);
  return kOk;
}

}  // namespace pawl::app
