#include "storage/migrations.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <map>

#include "storage/detail/embedded_migrations.hpp"
#include "storage/detail/sql_dialect.hpp"

namespace pawl::storage {
namespace {

constexpr std::string_view kCreateRecord =
    "create table if not exists schema_migrations (version integer primary key, name text not null, checksum text not null, "
    "applied_at integer not null)";
constexpr std::string_view kHasRecordInSqlite = "select 1 from sqlite_master where type = 'table' and name = 'schema_migrations'";
constexpr std::string_view kHasRecordInPostgresql =
    "select 1 from pg_tables where schemaname = current_schema() and tablename = 'schema_migrations'";

std::string sha256(std::string_view text) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size());
  std::string hex(digest.size() * 2 + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), digest.data(), digest.size());
  hex.pop_back();
  return hex;
}

/// The lines between a marker (none: from the start) and the next of the markers.
std::optional<std::string> section(std::string_view text, std::string_view wanted) {
  std::optional<std::string> found;
  if (wanted.empty()) found.emplace();
  bool inside = wanted.empty();
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line == "-- down" || line == "-- postgresql" || line == "-- postgresql down") {
      inside = line == wanted;
      if (inside) found.emplace();
    } else if (inside) {
      found->append(line).push_back('\n');
    }
  }
  return found;
}

/// `0001_initial.sql`
Migration to_migration(std::string_view file, std::string_view text) {
  Migration migration;
  for (const char c : file.substr(0, 4)) migration.version = migration.version * 10 + static_cast<std::uint32_t>(c - '0');
  migration.name = file.substr(5, file.size() - 9);
  migration.checksum = sha256(text);
  migration.up = *section(text, "");
  migration.down = section(text, "-- down").value_or("");
  const auto up = section(text, "-- postgresql");
  migration.postgresql_up = up ? *up : detail::to_postgresql(migration.up);
  const auto down = section(text, "-- postgresql down");
  migration.postgresql_down = down ? *down : detail::to_postgresql(migration.down);
  return migration;
}

struct Applied {
  std::string name;
  std::string checksum;
  TimePoint at;
};

Result<std::map<std::uint32_t, Applied>> applied_migrations(Database& database) {
  std::map<std::uint32_t, Applied> applied;
  const auto reading = [&](Session& session) -> Result<void> {
    bool exists = false;
    applied.clear();
    PAWL_TRY_VOID(session.query(session.dialect() == Dialect::sqlite ? kHasRecordInSqlite : kHasRecordInPostgresql, {},
                                [&](const Row&) { exists = true; }));
    if (!exists) return {};
    return session.query("select version, name, checksum, applied_at from schema_migrations", {}, [&](const Row& row) {
      applied[static_cast<std::uint32_t>(row.integer(0))] = {std::string(row.text(1)), std::string(row.text(2)), row.time(3)};
    });
  };
  PAWL_TRY_VOID(database.read(reading));
  return applied;
}

Error problem(const MigrationStatus& status) {
  const auto label = std::to_string(status.version) + " (" + status.name + ")";
  if (!status.known) {
    return {ErrorClass::conflict, "storage.migration_unknown", "migration " + label + " was applied by a newer program than this one"};
  }
  if (status.changed) {
    return {ErrorClass::conflict, "storage.migration_changed",
            "migration " + label + " was applied with another text than this program has"};
  }
  return {ErrorClass::unavailable, "storage.migration_pending", "migration " + label + " is not applied yet"};
}

Result<void> apply(Transaction& transaction, const Migration& migration, TimePoint now) {
  PAWL_TRY_VOID(transaction.execute_script(transaction.dialect() == Dialect::sqlite ? migration.up : migration.postgresql_up));
  PAWL_TRY_VOID(transaction.execute("insert into schema_migrations (version, name, checksum, applied_at) values ($1, $2, $3, $4)",
                                    {migration.version, migration.name, migration.checksum, now}));
  return {};
}

}  // namespace

const std::vector<Migration>& embedded_migrations() {
  static const auto kMigrations = [] {
    std::vector<Migration> migrations;
    for (const auto& file : detail::embedded_migration_files()) migrations.push_back(to_migration(file.name, file.text));
    std::sort(migrations.begin(), migrations.end(), [](const Migration& a, const Migration& b) { return a.version < b.version; });
    return migrations;
  }();
  return kMigrations;
}

Result<std::vector<MigrationStatus>> migration_status(Database& database) {
  PAWL_TRY(applied, applied_migrations(database));
  std::vector<MigrationStatus> all;
  for (const auto& migration : embedded_migrations()) {
    MigrationStatus status{.version = migration.version, .name = migration.name, .applied_at = {}, .known = true, .changed = false};
    if (const auto found = applied.find(migration.version); found != applied.end()) {
      status.applied_at = found->second.at;
      status.changed = found->second.checksum != migration.checksum;
      applied.erase(found);
    }
    all.push_back(std::move(status));
  }
  for (const auto& [version, entry] : applied) {
    all.push_back({.version = version, .name = entry.name, .applied_at = entry.at, .known = false, .changed = false});
  }
  std::sort(all.begin(), all.end(), [](const MigrationStatus& a, const MigrationStatus& b) { return a.version < b.version; });
  return all;
}

Result<std::uint32_t> migrate_up(Database& database, const Clock& clock, std::uint32_t last) {
  PAWL_TRY(statuses, migration_status(database));
  for (const auto& status : statuses) {
    if (!status.known || status.changed) return problem(status);
  }
  const auto create_table = [](Transaction& transaction) -> Result<void> {
    return transaction.execute_script(transaction.dialect() == Dialect::sqlite ? std::string(kCreateRecord)
                                                                               : detail::to_postgresql(kCreateRecord));
  };
  PAWL_TRY_VOID(database.write_and_wait(create_table));
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    if (statuses[i].applied_at || statuses[i].version > last) continue;
    const auto& migration = embedded_migrations()[i];
    PAWL_TRY_VOID(database.write_and_wait([&](Transaction& transaction) { return apply(transaction, migration, clock.now()); }));
    ++count;
  }
  return count;
}

Result<std::uint32_t> migrate_down(Database& database) {
  PAWL_TRY(statuses, migration_status(database));
  const auto newest =
      std::find_if(statuses.rbegin(), statuses.rend(), [](const MigrationStatus& status) { return status.applied_at.has_value(); });
  if (newest == statuses.rend()) return 0U;
  if (!newest->known || newest->changed) return problem(*newest);
  const auto& all = embedded_migrations();
  const auto migration = std::find_if(all.begin(), all.end(), [&](const Migration& each) { return each.version == newest->version; });
  const auto take_back = [&](Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(transaction.execute_script(transaction.dialect() == Dialect::sqlite ? migration->down : migration->postgresql_down));
    PAWL_TRY_VOID(transaction.execute("delete from schema_migrations where version = $1", {migration->version}));
    return {};
  };
  PAWL_TRY_VOID(database.write_and_wait(take_back));
  return migration->version;
}

Result<void> verify_migrations(Database& database) {
  PAWL_TRY(statuses, migration_status(database));
  for (const auto& status : statuses) {
    if (!status.known || status.changed || !status.applied_at) return problem(status);
  }
  return {};
}

}  // namespace pawl::storage
