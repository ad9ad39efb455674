/// What stands in a data folder, and in a schema at PostgreSQL, while a backup is restored into it. It stays where that was broken off:
/// half an installation, perhaps without its database or its keys, must not be started as if it were a whole or a new one.
///
/// In a folder it is the file `restore.unfinished`. A new folder comes into being with it, one that was empty gets it before anything else
/// but the lock, and it is the last that goes. Only who holds the folder's lock makes, changes or removes it. Its last line says
/// what a further attempt may do: nothing is removed from a folder where the restore had not yet seen that it was alone in it.
/// In a schema it is the table `restore_unfinished`, for nodes that have another data folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "storage/database.hpp"
#include "storage/detail/connection.hpp"
#include "storage/detail/data_folder.hpp"

namespace pawl::storage::detail {

/// Error `storage.restore_unfinished` where the mark stands.
[[nodiscard]] Result<void> check_no_restore_is_unfinished(const std::filesystem::path& folder);

/// A data folder that belongs to one restore: marked, locked, and empty beside both.
class RestoreClaim {
 public:
  /// `backup` tells backups apart: a digest. Empties a folder that an earlier restore left half, except where that one had come to
  /// `complete` with this backup. Errors `backup.target_not_empty` (nothing was changed), `storage.locked`, `storage.io`.
  [[nodiscard]] static Result<RestoreClaim> take(const std::filesystem::path& folder, const std::string& backup,
                                                 const std::function<void(std::string_view)>& steps);

  /// Has a restore of this backup put everything in, and left its mark in this folder?
  [[nodiscard]] static Result<bool> is_complete(const std::filesystem::path& folder, const std::string& backup);

  /// The earlier attempt had put everything in; only marks were left to be taken away.
  [[nodiscard]] bool was_complete() const { return was_complete_; }
  /// Removes everything beside the mark and the lock.
  [[nodiscard]] Result<void> empty();
  /// Everything is in the folder and in the database, durable.
  [[nodiscard]] Result<void> complete();
  /// Takes the mark away.
  [[nodiscard]] Result<void> release();

 private:
  std::filesystem::path folder_;
  std::string backup_;
  FolderLock lock_;
  bool was_complete_ = false;
};

/// Error `storage.restore_unfinished` where the mark stands in the schema.
[[nodiscard]] Result<void> check_no_restore_is_unfinished(Connection& connection);
[[nodiscard]] Result<void> check_no_restore_is_unfinished(Session& session);
[[nodiscard]] Result<bool> has_restore_mark(Connection& connection);
/// The schema's mark, with what helps who finds it.
[[nodiscard]] Result<void> mark_schema(Transaction& transaction, const std::filesystem::path& folder, TimePoint now);
[[nodiscard]] Result<void> unmark_schema(Transaction& transaction);

}  // namespace pawl::storage::detail
