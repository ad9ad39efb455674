/// The schema's history: numbered SQL files (`migrations/0001_initial.sql`) that are embedded in the program.
///
/// A file holds the way up and, after a line `-- down`, the way back, in SQLite's words. For PostgreSQL they are mapped (`blob` to `bytea`,
/// `integer` to `bigint`, no `without rowid`); where that does not do, lines `-- postgresql` and `-- postgresql down` begin what it gets
/// instead. `schema_migrations` records what was applied, with a SHA-256 of the
/// text, so that a file changed after the fact is found. Each migration runs in a transaction of its own together with its record. All
/// functions block.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "storage/database.hpp"

namespace pawl::storage {

struct Migration {
  std::uint32_t version = 0;
  std::string name;  ///< `initial`
  std::string up;
  std::string down;
  std::string postgresql_up;
  std::string postgresql_down;
  std::string checksum;  ///< SHA-256 of the whole file, hexadecimal
};

/// What this program brings along, by version.
[[nodiscard]] const std::vector<Migration>& embedded_migrations();

struct MigrationStatus {
  std::uint32_t version = 0;
  std::string name;
  std::optional<TimePoint> applied_at;  ///< none: pending
  bool known = true;                    ///< false: applied by a newer program
  bool changed = false;                 ///< the applied text was another one
};

/// Every migration that is embedded or applied, by version.
[[nodiscard]] Result<std::vector<MigrationStatus>> migration_status(Database& database);
/// Applies what is pending, up to the version `last`; answers how many. Error `storage.migration_changed`, `storage.migration_unknown` (the
/// file is newer than the program).
[[nodiscard]] Result<std::uint32_t> migrate_up(Database& database, const Clock& clock, std::uint32_t last = UINT32_MAX);
/// Takes back the newest applied migration; answers its version, or 0 where there is none.
[[nodiscard]] Result<std::uint32_t> migrate_down(Database& database);
/// Fails with the first difference between what is embedded and what is applied: `storage.migration_pending`, `_changed`, `_unknown`.
[[nodiscard]] Result<void> verify_migrations(Database& database);

}  // namespace pawl::storage
