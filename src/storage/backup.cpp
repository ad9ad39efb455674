#include "storage/backup.hpp"

#include <algorithm>
#include <string>

#include "storage/detail/copy_tables.hpp"
#include "storage/detail/manifest.hpp"
#include "storage/detail/restore_mark.hpp"
#include "storage/detail/sqlite_connection.hpp"
#include "storage/migrations.hpp"

namespace pawl::storage {
namespace {

namespace fs = std::filesystem;
using detail::Manifest;

constexpr std::string_view kDatabaseFile = "pawl.db";
/// Below the data folder, as long as its mark stands.
constexpr std::string_view kOpenWhileRestoring = "restore.database";
/// The committer's, until the transaction ends.
constexpr std::string_view kLockEngine = "select pg_advisory_xact_lock(hashtext('pawl engine'), hashtext(coalesce(current_schema(), '')))";
constexpr std::string_view kMigrations = "select version, checksum from schema_migrations";
/// Longer than any table takes to copy.
constexpr Millis kNoTimeout{0};

BackupSummary summary_of(const Manifest& manifest) {
  BackupSummary summary;
  summary.made_at = manifest.made_at;
  summary.files = manifest.files.size();
  for (const auto& [path, digest] : manifest.files) summary.bytes += digest.size;
  return summary;
}

Error another_works_there() {
  return {ErrorClass::conflict, "storage.locked",
          "another Pawl process works on this PostgreSQL database: one engine per database (or schema)"};
}

/// Tells backups apart.
std::string name_of(const Manifest& manifest) {
  detail::Sha256 hash;
  hash.add(manifest.to_text());
  return hash.hex();
}

Error damaged(const std::string& what) { return {ErrorClass::unprocessable, "backup.damaged", "the backup is damaged: " + what}; }

Error not_empty(const fs::path& path) {
  return {ErrorClass::conflict, "backup.target_not_empty", path.string() + " is not empty: nothing is overwritten"};
}

detail::PostgresOptions server_options(const DatabaseOptions& options) {
  return {.url = options.url,
          .synchronous = true,
          .connect_timeout = Millis(5'000),
          .statement_timeout = kNoTimeout,
          .answer_timeout = kNoTimeout};
}

// ---- saving -------------------------------------------------------------------------------------------------------------------

Result<void> save_sqlite(const DatabaseOptions& source, const fs::path& target, Manifest& manifest) {
  PAWL_TRY(connection, detail::SqliteConnection::open(
                           {.path = (source.folder / kDatabaseFile).string(), .read_only = true, .busy_timeout = source.busy_timeout}));
  PAWL_TRY_VOID(connection->copy_to((target / kDatabaseFile).string()));
  // What the copy holds, not what the original holds by now.
  PAWL_TRY(copy, detail::SqliteConnection::open({.path = (target / kDatabaseFile).string()}));
  const auto take = [](void* context, const Row& row) {
    static_cast<Manifest*>(context)->migrations[static_cast<std::uint32_t>(row.integer(0))] = row.text(1);
  };
  PAWL_TRY_VOID(copy->run(kMigrations, {}, &manifest, take));
  PAWL_TRY_VOID(copy->script("pragma journal_mode=delete"));  // one file, without a log beside it
  copy.reset();
  PAWL_TRY(digest, detail::adopt_file(target / kDatabaseFile));
  manifest.files[std::string(kDatabaseFile)] = digest;
  return {};
}

Result<void> save_postgresql(const DatabaseOptions& source, const fs::path& target, Manifest& manifest) {
  PAWL_TRY(connection, detail::PostgresConnection::open(server_options(source)));
  return detail::copy_tables_out(*connection, target, manifest);
}

bool belongs_to_database(const fs::path& relative) {
  const auto name = relative.string();
  return name.starts_with(kDatabaseFile) || name == "pawl.lock";
}

/// The file of the audit trail: a copy that ends before the database does is continued by the next start, one that goes on looks as if
/// somebody had put back an older database.
bool follows_database(const fs::path& relative) { return relative.string().starts_with("audit.jsonl"); }

enum class When : std::uint8_t { before_database, after_database };

/// Everything of the data folder beside the database, keys first of all. Links and sockets are not followed.
Result<void> save_files(const DatabaseOptions& source, const fs::path& target, When when, Manifest& manifest) {
  std::error_code failed;
  for (fs::recursive_directory_iterator at(source.folder, failed), end; at != end && !failed; at.increment(failed)) {
    const auto relative = at->path().lexically_relative(source.folder);
    if (!at->is_regular_file(failed) || at->is_symlink(failed) || belongs_to_database(relative)) continue;
    if (follows_database(relative) != (when == When::before_database)) continue;
    if (relative.string().find('\n') != std::string::npos) {
      return Error{ErrorClass::invalid, "backup.unsupported", "a file name in the data folder holds a line break"};
    }
    const auto copy = fs::path("data") / relative;
    PAWL_TRY_VOID(detail::make_folder((target / copy).parent_path()));
    PAWL_TRY(digest, detail::copy_file(at->path(), target / copy));
    manifest.files[copy.string()] = digest;
  }
  if (failed) return Error{ErrorClass::internal, "storage.io", "read the data folder " + source.folder.string() + ": " + failed.message()};
  return {};
}

/// There it would take itself along, again and again.
bool lies_inside(const fs::path& target, const fs::path& folder) {
  std::error_code ignored;
  const auto way = fs::weakly_canonical(target, ignored).lexically_relative(fs::weakly_canonical(folder, ignored));
  return !way.empty() && *way.begin() != "..";
}

// ---- checking -----------------------------------------------------------------------------------------------------------------

bool stays_inside(const fs::path& path) {
  return path.is_relative() && std::none_of(path.begin(), path.end(), [](const fs::path& part) { return part == ".."; });
}

Result<void> check_migrations(const Manifest& manifest) {
  for (const auto& [version, checksum] : manifest.migrations) {
    const auto& known = embedded_migrations();
    const auto found = std::find_if(known.begin(), known.end(), [v = version](const Migration& each) { return each.version == v; });
    if (found == known.end() || found->checksum != checksum) {
      return Error{ErrorClass::unprocessable, "backup.unsupported",
                   "migration " + std::to_string(version) + " of the backup is not the one that this program has"};
    }
  }
  return {};
}

Result<Manifest> checked_manifest(const fs::path& backup) {
  std::string text;
  const auto read = detail::read_file(backup / detail::kManifestName, [&text](std::string_view piece) -> Result<void> {
    text += piece;
    return {};
  });
  if (read.has_error()) return damaged("it has no MANIFEST: it was not finished, or this is none");
  PAWL_TRY(manifest, Manifest::parse(text));
  for (const auto& [path, expected] : manifest.files) {
    if (!stays_inside(path)) return damaged("a path leads out of it");
    const auto digest = detail::digest_of(backup / path);
    if (digest.has_error()) return damaged(path + " is missing");
    if (digest->size != expected.size || digest->sha256 != expected.sha256) return damaged(path + " was changed");
  }
  PAWL_TRY_VOID(check_migrations(manifest));
  return manifest;
}

// ---- going back ---------------------------------------------------------------------------------------------------------------

Result<void> restore_files(const fs::path& backup, const fs::path& folder, const Manifest& manifest, const RestoreSteps& steps) {
  for (const auto& [name, digest] : manifest.files) {
    const fs::path path(name);
    const bool is_data = *path.begin() == "data";
    if (!is_data && name != kDatabaseFile) continue;
    const auto target = folder / (is_data ? path.lexically_relative("data") : path);
    steps("put back a file");
    PAWL_TRY_VOID(detail::make_folder(target.parent_path()));
    PAWL_TRY(copied, detail::copy_file(backup / path, target));
    if (copied.sha256 != digest.sha256) return damaged(name + " was changed while it was read");
  }
  steps("flush the folders");
  std::error_code failed;
  for (fs::recursive_directory_iterator at(folder, failed), end; at != end && !failed; at.increment(failed)) {
    if (at->is_directory(failed) && !at->is_symlink(failed)) PAWL_TRY_VOID(detail::sync_folder(at->path()));
  }
  if (failed) return Error{ErrorClass::internal, "storage.io", "read the data folder " + folder.string() + ": " + failed.message()};
  return detail::sync_folder(folder);
}

Result<void> check_sqlite(const fs::path& folder) {
  PAWL_TRY(connection, detail::SqliteConnection::open({.path = (folder / kDatabaseFile).string()}));
  std::string verdict;
  const auto take = [](void* context, const Row& row) { *static_cast<std::string*>(context) = row.text(0); };
  PAWL_TRY_VOID(connection->run("pragma integrity_check(1)", {}, &verdict, take));
  if (verdict != "ok") return damaged("SQLite finds: " + verdict);
  return {};
}

Result<void> restore_sqlite(const fs::path& folder, const fs::path& backup, const Manifest& manifest, const RestoreSteps& steps) {
  PAWL_TRY(claim, detail::RestoreClaim::take(folder, name_of(manifest), steps));
  PAWL_TRY_VOID(restore_files(backup, folder, manifest, steps));
  steps("check the database");
  PAWL_TRY_VOID(check_sqlite(folder));
  steps("release the folder");
  return claim.release();
}

/// Makes the schema as it was before a restore that was broken off. In one transaction with the engine's lock: what happens to it is not
/// only half done a second time.
Result<void> empty_marked_schema(detail::PostgresConnection& connection, const RestoreSteps& steps) {
  PAWL_TRY_VOID(connection.begin(detail::Connection::Access::writing));
  const auto locked = connection.run(kLockEngine, {}, nullptr, nullptr);
  if (locked.has_error()) return locked.error().code == "storage.busy" ? another_works_there() : locked.error();
  PAWL_TRY(is_marked, detail::has_restore_mark(connection));
  if (is_marked) {
    PAWL_TRY_VOID(detail::drop_tables(connection));
    steps("empty the schema");
  }
  return connection.commit();
}

/// The migrations up to the backup's newest, and the rows.
Result<void> restore_tables(Database& database, detail::PostgresConnection& connection, const fs::path& backup, const Manifest& manifest,
                            const Clock& clock, const RestoreSteps& steps) {
  steps("migrate");
  if (!manifest.migrations.empty()) PAWL_TRY_VOID(migrate_up(database, clock, manifest.migrations.rbegin()->first));
  PAWL_TRY(statuses, migration_status(database));
  for (const auto& status : statuses) {
    if (status.applied_at.has_value() != manifest.migrations.contains(status.version)) {
      return Error{ErrorClass::unprocessable, "backup.unsupported", "the backup lacks a migration before its newest"};
    }
  }
  steps("put back the rows");
  return detail::copy_tables_in(connection, backup, manifest);
}

Result<void> restore_postgresql(const DatabaseOptions& target, const fs::path& backup, const Manifest& manifest, const Clock& clock,
                                const RestoreSteps& steps) {
  PAWL_TRY(connection, detail::PostgresConnection::open(server_options(target)));
  PAWL_TRY(is_marked, detail::has_restore_mark(*connection));
  PAWL_TRY(found, detail::table_names(*connection));
  // Before the folder is touched: what is in it may belong to what is in the schema. Unless it is one where only its mark is left.
  PAWL_TRY(is_complete, detail::RestoreClaim::is_complete(target.folder, name_of(manifest)));
  if (!is_marked && !found.empty() && !is_complete) return not_empty("the schema at PostgreSQL");
  PAWL_TRY(claim, detail::RestoreClaim::take(target.folder, name_of(manifest), steps));
  if (claim.was_complete() && !is_marked && !found.empty()) return claim.release();
  if (claim.was_complete()) PAWL_TRY_VOID(claim.empty());
  if (is_marked) PAWL_TRY_VOID(empty_marked_schema(*connection, steps));
  // The folder is locked already, and marked: while rows and files go in the engine's lock is what matters of an open database.
  auto options = target;
  options.folder /= kOpenWhileRestoring;
  steps("open the database");
  PAWL_TRY(database, Database::open(options));
  PAWL_TRY(present, detail::table_names(*connection));
  if (!present.empty()) return not_empty("the schema at PostgreSQL");
  steps("mark the schema");
  PAWL_TRY_VOID(
      database->write_and_wait([&](Transaction& transaction) { return detail::mark_schema(transaction, target.folder, clock.now()); }));
  PAWL_TRY_VOID(restore_tables(*database, *connection, backup, manifest, clock, steps));
  PAWL_TRY_VOID(restore_files(backup, target.folder, manifest, steps));
  steps("complete");
  std::error_code failed;
  fs::remove_all(options.folder, failed);
  if (failed) return Error{ErrorClass::internal, "storage.io", "remove the folder " + options.folder.string() + ": " + failed.message()};
  PAWL_TRY_VOID(claim.complete());
  steps("release the schema");
  PAWL_TRY_VOID(database->write_and_wait([](Transaction& transaction) { return detail::unmark_schema(transaction); }));
  steps("release the folder");
  return claim.release();
}

}  // namespace

Result<BackupSummary> back_up(const DatabaseOptions& source, const fs::path& target, const Clock& clock) {
  if (lies_inside(target, source.folder)) {
    return Error{ErrorClass::invalid, "backup.target_inside", "a backup lies outside of the data folder that it saves"};
  }
  PAWL_TRY_VOID(detail::check_no_restore_is_unfinished(source.folder));
  if (!source.url.empty()) {
    PAWL_TRY(connection, detail::PostgresConnection::open(server_options(source)));
    PAWL_TRY_VOID(detail::check_no_restore_is_unfinished(*connection));
  }
  if (!detail::is_missing_or_empty(target)) return not_empty(target);
  PAWL_TRY_VOID(detail::make_folder(target));
  Manifest manifest;
  manifest.made_at = clock.now();
  manifest.dialect = source.url.empty() ? Dialect::sqlite : Dialect::postgresql;
  PAWL_TRY_VOID(save_files(source, target, When::before_database, manifest));
  PAWL_TRY_VOID(source.url.empty() ? save_sqlite(source, target, manifest) : save_postgresql(source, target, manifest));
  // After the database: a key that was made in between is there for what it sealed.
  PAWL_TRY_VOID(save_files(source, target, When::after_database, manifest));
  PAWL_TRY_VOID(detail::sync_folder(target));
  PAWL_TRY(file, detail::HashedFile::create(target / detail::kManifestName));
  PAWL_TRY_VOID(file.write(manifest.to_text()));
  PAWL_TRY_VOID(file.finish());
  PAWL_TRY_VOID(detail::sync_folder(target));
  return summary_of(manifest);
}

Result<BackupSummary> verify_backup(const fs::path& backup) {
  PAWL_TRY(manifest, checked_manifest(backup));
  return summary_of(manifest);
}

Result<BackupSummary> restore(const DatabaseOptions& target, const fs::path& backup, const Clock& clock, const RestoreSteps& steps) {
  PAWL_TRY(manifest, checked_manifest(backup));
  if ((manifest.dialect == Dialect::sqlite) != target.url.empty()) {
    return Error{ErrorClass::unprocessable, "backup.unsupported", "the backup is of the other kind of database than the target"};
  }
  const RestoreSteps told = steps ? steps : [](std::string_view) {};
  PAWL_TRY_VOID(target.url.empty() ? restore_sqlite(target.folder, backup, manifest, told)
                                   : restore_postgresql(target, backup, manifest, clock, told));
  return summary_of(manifest);
}

}  // namespace pawl::storage
