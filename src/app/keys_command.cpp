// pawl keys: which keys the stored credentials are sealed under, and sealing them anew under the current one.
#include <fmt/core.h>

#include <cstdio>
#include <set>
#include <string>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/key_files.hpp"
#include "app/part_options.hpp"
#include "app/sealed_columns.hpp"
#include "storage/database.hpp"
#include "storage/migrations.hpp"

namespace pawl::app {
namespace {

int fail(const Error& error) {
  fmt::print(stderr, "pawl: {} ({})\n", error.message, error.code);
  return kFailed;
}

int show_status(storage::Database& database, const crypto::KeyRing& ring) {
  const auto counts = storage::count_sealed(database, sealed_columns());
  if (counts.has_error()) return fail(counts.error());
  const auto current = crypto::to_text(ring.current());
  std::set<std::string> readable;
  for (const auto& id : ring.ids()) readable.insert(crypto::to_text(id));
  fmt::print("current key {}\n", current);
  bool clean = true;
  for (const auto& count : *counts) {
    fmt::print("{:<32} {} rows\n", count.column, count.rows);
    for (const auto& [key, rows] : count.by_key) {
      const bool is_current = key == current;
      const bool known = readable.contains(key);
      clean = clean && known;
      fmt::print("  {:<30} {} {}\n", key, rows,
                 is_current ? "current"
                 : known    ? "previous: `pawl keys rotate` seals them anew"
                            : "NOT READABLE");
    }
  }
  return clean ? kOk : kFailed;
}

int rotate(storage::Database& database, const crypto::KeyRing& ring, bool dry_run) {
  const auto counts = storage::reseal(database, sealed_columns(), ring, {.dry_run = dry_run});
  if (counts.has_error()) return fail(counts.error());
  for (const auto& count : *counts) {
    fmt::print("{:<32} {} rows, {} {}\n", count.column, count.rows, count.resealed, dry_run ? "to be sealed anew" : "sealed anew");
  }
  if (dry_run) {
    fmt::print("nothing was changed\n");
  } else {
    fmt::print("everything is sealed under key {}; ENCRYPTION_KEY_PREVIOUS is not needed any more\n", crypto::to_text(ring.current()));
  }
  return kOk;
}

}  // namespace

int run_keys(const CommonOptions& common, const KeysOptions& options) {
  const auto config = load_config(common, config::Purpose::server);
  if (!config) return kUsage;
  const auto database = storage::Database::open(database_options(*config));
  if (database.has_error()) return fail(database.error());
  if (const auto verified = storage::verify_migrations(**database); verified.has_error()) return fail(verified.error());
  const auto ring = open_key_ring(*config);
  if (ring.has_error()) return fail(ring.error());
  return options.action == KeysOptions::Action::status ? show_status(**database, *ring) : rotate(**database, *ring, options.dry_run);
}

}  // namespace pawl::app
