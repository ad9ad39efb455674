#include <fmt/core.h>

#include <cstdio>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/part_options.hpp"
#include "storage/database.hpp"
#include "storage/migrations.hpp"
#include "storage/schema_reference.hpp"

namespace pawl::app {
namespace {

int fail(const Error& error) {
  fmt::print(stderr, "pawl: {}\n", error.message);
  return kFailed;
}

int show_status(storage::Database& database) {
  const auto rows = storage::migration_status(database);
  if (rows.has_error()) return fail(rows.error());
  bool clean = true;
  for (const auto& row : *rows) {
    const auto state = !row.known       ? std::string("applied by a newer program")
                       : row.changed    ? std::string("applied, but its text has changed since")
                       : row.applied_at ? "applied " + to_rfc3339(*row.applied_at)
                                        : std::string("pending");
    clean = clean && row.known && !row.changed && row.applied_at;
    fmt::print("{:04} {:<20} {}\n", row.version, row.name, state);
  }
  return clean ? kOk : kFailed;
}

int run_action(storage::Database& database, MigrateOptions::Action action) {
  switch (action) {
    case MigrateOptions::Action::up: {
      const auto applied = storage::migrate_up(database, SystemClock());
      if (applied.has_error()) return fail(applied.error());
      fmt::print("{} applied\n", *applied);
      return kOk;
    }
    case MigrateOptions::Action::down: {
      const auto taken = storage::migrate_down(database);
      if (taken.has_error()) return fail(taken.error());
      if (*taken == 0) {
        fmt::print("nothing to take back\n");
      } else {
        fmt::print("took back {:04}\n", *taken);
      }
      return kOk;
    }
    case MigrateOptions::Action::status: return show_status(database);
    case MigrateOptions::Action::verify: {
      const auto verified = storage::verify_migrations(database);
      if (verified.has_error()) return fail(verified.error());
      fmt::print("the database fits this program\n");
      return kOk;
    }
    case MigrateOptions::Action::schema: {
      const auto reference = storage::schema_reference(database);
      if (reference.has_error()) return fail(reference.error());
      fmt::print("{}", *reference);
      return kOk;
    }
  }
  return kUsage;
}

}  // namespace

int run_migrate(const CommonOptions& common, const MigrateOptions& options) {
  const auto config = load_config(common, config::Purpose::tool);
  if (!config) return kUsage;
  auto database = storage::Database::open(database_options(*config));
  if (database.has_error()) {
    const bool only_looks = options.action == MigrateOptions::Action::status || options.action == MigrateOptions::Action::verify;
    if (database.error().code != "storage.locked" || !only_looks) return fail(database.error());
    return fail(
        Error(database.error().kind, database.error().code, database.error().message + "; a server tells it at GET /health/migrations"));
  }
  return run_action(**database, options.action);
}

}  // namespace pawl::app
