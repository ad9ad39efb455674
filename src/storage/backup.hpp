/// Backups: a folder with everything that a node must not lose, consistent, and checked before it is believed.
///
///     storage::back_up(options, "/backups/monday", clock);   // while the server works, or not
///     storage::restore(options, "/backups/monday", clock);   // into a data folder and a database that are empty
///
/// The folder holds `MANIFEST` (written last: without it a backup is none), the database as it was at one moment, and the files of the
/// data folder, keys among them: it must be kept as secret as the data folder itself. Folders get mode 0700, files 0600. SQLite is copied
/// through its backup interface (`pawl.db`), PostgreSQL table by table through COPY within one snapshot (`tables/`). A backup goes back to
/// the kind of database that it came from.
///
/// `restore` first checks the manifest, the size and SHA-256 of every file and that this program knows every migration, and only then
/// touches the target. It does not apply newer migrations. From the first change on a mark stands in the folder, and in the schema at
/// PostgreSQL, with which nobody opens either (`storage.restore_unfinished`); the last change takes it away. Tried again where it was
/// broken off, `restore` removes what it had put there and begins anew.
///
/// All functions block. Errors: `backup.target_not_empty`, `backup.target_inside` (the data folder), `backup.damaged`, `backup.unsupported`
/// (made by a newer program, or of the other kind of database), and those of `Database`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "base/error.hpp"
#include "base/time.hpp"
#include "storage/database.hpp"

namespace pawl::storage {

struct BackupSummary {
  TimePoint made_at{};
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

/// `target` must be missing or empty.
[[nodiscard]] Result<BackupSummary> back_up(const DatabaseOptions& source, const std::filesystem::path& target, const Clock& clock);
/// Told of each step of a restore before it is taken: a process that ends there is what the tests do.
using RestoreSteps = std::function<void(std::string_view step)>;
/// The data folder must be missing or empty, and so must be the schema at PostgreSQL; or both what a restore has left half.
[[nodiscard]] Result<BackupSummary> restore(const DatabaseOptions& target, const std::filesystem::path& backup, const Clock& clock,
                                            const RestoreSteps& steps = {});
/// The checks of `restore`, alone.
[[nodiscard]] Result<BackupSummary> verify_backup(const std::filesystem::path& backup);

}  // namespace pawl::storage
