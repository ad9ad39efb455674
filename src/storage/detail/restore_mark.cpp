#include "storage/detail/restore_mark.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "storage/detail/hashed_file.hpp"

namespace pawl::storage::detail {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = "restore.unfinished";
constexpr std::string_view kLock = "pawl.lock";
/// Lines of the mark.
constexpr std::string_view kBegun = "begun\n";
constexpr std::string_view kWriting = "writing\n";
constexpr std::string_view kComplete = "complete ";

constexpr std::string_view kHasMark = "select 1 from pg_tables where schemaname = current_schema() and tablename = 'restore_unfinished'";
constexpr std::string_view kReadMark = "select folder, begun_at from restore_unfinished";
constexpr std::string_view kCreateMark = "create table restore_unfinished (folder text not null, begun_at bigint not null)";
constexpr std::string_view kWriteMark = "insert into restore_unfinished (folder, begun_at) values ($1, $2)";
constexpr std::string_view kDropMark = "drop table restore_unfinished";

Error io_error(const std::string& doing, const fs::path& path) {
  return {ErrorClass::internal, "storage.io", doing + " " + path.string() + ": " + std::generic_category().message(errno)};
}

Error unfinished_folder(const fs::path& folder) {
  return {
      ErrorClass::conflict, "storage.restore_unfinished",
      "a restore into the data folder " + folder.string() +
          " has not finished. Where it goes on no more, run `pawl restore` with the same settings again: it removes the half of it first"};
}

Error unfinished_schema(const std::string& folder, TimePoint begun_at) {
  return {ErrorClass::conflict, "storage.restore_unfinished",
          "a restore into this PostgreSQL schema has not finished; it was begun at " + to_rfc3339(begun_at) + " with the data folder " +
              folder + ". Where it goes on no more, run `pawl restore` there again: it removes the half of it first"};
}

Error not_empty(const fs::path& path) {
  return {ErrorClass::conflict, "backup.target_not_empty", path.string() + " is not empty: nothing is overwritten"};
}

/// The text of the mark, or none.
Result<std::optional<std::string>> read_mark(const fs::path& folder) {
  std::error_code failed;
  if (!fs::exists(fs::symlink_status(folder / kMark, failed))) return std::optional<std::string>();
  std::string text;
  PAWL_TRY_VOID(read_file(folder / kMark, [&text](std::string_view piece) -> Result<void> {
    text += piece;
    return {};
  }));
  return std::optional(std::move(text));
}

Result<void> create_mark(const fs::path& folder) {
  PAWL_TRY(mark, HashedFile::create(folder / kMark));
  PAWL_TRY_VOID(mark.write(kBegun));
  PAWL_TRY_VOID(mark.finish());
  return sync_folder(folder);
}

std::string complete_line(const std::string& backup) { return std::string(kComplete) + backup + "\n"; }

/// A line that was torn is none: it does not end.
Result<void> append_to_mark(const fs::path& folder, const std::string& line) {
  const auto path = folder / kMark;
  const int descriptor = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return io_error("open", path);
  const auto written = write(descriptor, line.data(), line.size());
  const bool fine = written == static_cast<ssize_t>(line.size()) && fsync(descriptor) == 0;
  const auto failure = io_error("write", path);
  close(descriptor);
  if (!fine) return failure;
  return {};
}

Result<void> remove_mark(const fs::path& folder) {
  const auto path = folder / kMark;
  if (unlink(path.c_str()) != 0) return io_error("remove", path);
  return sync_folder(folder);
}

/// Does it hold no more than the mark and the lock? A server makes a folder or two before it is refused, and leaves them empty.
bool is_bare(const fs::path& folder) {
  std::error_code failed;
  for (fs::directory_iterator at(folder, failed), end; at != end && !failed; at.increment(failed)) {
    const auto name = at->path().filename();
    if (name == kMark || name == kLock) continue;
    if (at->is_symlink(failed) || !at->is_directory(failed) || !fs::is_empty(at->path(), failed)) return false;
  }
  return !failed;
}

fs::path parent_of(const fs::path& folder) { return folder.has_parent_path() ? folder.parent_path() : fs::path("."); }

Result<FolderLock> lock_folder(const fs::path& folder, const std::function<void(std::string_view)>& steps) {
  steps("lock the folder");
  return FolderLock::take(folder, FolderLock::Mark::may_stand);
}

/// A folder that is not there yet comes with its mark in it, and locked, or not at all.
Result<FolderLock> create_marked(const fs::path& folder, const std::function<void(std::string_view)>& steps) {
  const fs::path beside(folder.string() + ".restoring");
  steps("make the folder");
  PAWL_TRY_VOID(make_folder(beside));
  if (!is_bare(beside)) return not_empty(beside);
  PAWL_TRY(lock, lock_folder(beside, steps));
  std::error_code ignored;
  fs::remove(beside / kMark, ignored);  // of an attempt that was broken off here
  steps("mark the folder");
  PAWL_TRY_VOID(create_mark(beside));
  steps("place the folder");
  if (rename(beside.c_str(), folder.c_str()) != 0) {
    const auto failure = errno == ENOTEMPTY || errno == EEXIST ? not_empty(folder) : io_error("rename a new folder to", folder);
    fs::remove_all(beside, ignored);
    return failure;
  }
  PAWL_TRY_VOID(sync_folder(parent_of(folder)));
  return lock;
}

}  // namespace

Result<void> check_no_restore_is_unfinished(const fs::path& folder) {
  std::error_code failed;
  if (!fs::exists(fs::symlink_status(folder / kMark, failed))) return {};
  return unfinished_folder(folder);
}

Result<bool> RestoreClaim::is_complete(const fs::path& folder, const std::string& backup) {
  PAWL_TRY(mark, read_mark(folder));
  return mark && mark->ends_with(complete_line(backup));
}

Result<RestoreClaim> RestoreClaim::take(const fs::path& target, const std::string& backup,
                                        const std::function<void(std::string_view)>& steps) {
  RestoreClaim claim;
  claim.folder_ = target.lexically_normal();
  if (!claim.folder_.has_filename()) claim.folder_ = claim.folder_.parent_path();  // of `folder/`
  claim.backup_ = backup;
  const auto& folder = claim.folder_;
  std::error_code failed;
  const bool is_there = fs::exists(folder, failed);
  PAWL_TRY(before, read_mark(folder));
  if (is_there && !before && !is_bare(folder)) return not_empty(folder);
  // The mark is made, changed and taken away by who holds the lock alone: it can be another restore's at any other time.
  PAWL_TRY(lock, is_there ? lock_folder(folder, steps) : create_marked(folder, steps));
  claim.lock_ = std::move(lock);
  PAWL_TRY(mark, read_mark(folder));
  if (!mark) {
    if (!is_bare(folder)) return not_empty(folder);  // somebody came in between
    steps("mark the folder");
    PAWL_TRY_VOID(create_mark(folder));
    mark = kBegun;
  }
  if (mark->ends_with(complete_line(backup))) {
    claim.was_complete_ = true;
    return claim;
  }
  if (("\n" + *mark).find("\n" + std::string(kWriting)) == std::string::npos && !is_bare(folder)) {
    return not_empty(folder);
  }
  steps("empty the folder");
  PAWL_TRY_VOID(claim.empty());
  return claim;
}

Result<void> RestoreClaim::empty() {
  // Said before: where this is broken off the next attempt does not take what is left for complete, nor for somebody else's.
  PAWL_TRY(mark, read_mark(folder_));
  const bool is_torn = mark && !mark->empty() && !mark->ends_with('\n');
  PAWL_TRY_VOID(append_to_mark(folder_, (is_torn ? "\n" : "") + std::string(kWriting)));
  was_complete_ = false;
  std::error_code failed;
  std::vector<fs::path> found;
  for (fs::directory_iterator at(folder_, failed), end; at != end && !failed; at.increment(failed)) {
    const auto name = at->path().filename();
    if (name != kMark && name != kLock) found.push_back(at->path());
  }
  for (const auto& path : found) {
    if (!failed) fs::remove_all(path, failed);
  }
  if (failed) {
    return Error{ErrorClass::internal, "storage.io", "empty the data folder " + folder_.string() + ": " + failed.message()};
  }
  return sync_folder(folder_);
}

Result<void> RestoreClaim::complete() { return append_to_mark(folder_, complete_line(backup_)); }

Result<void> RestoreClaim::release() { return remove_mark(folder_); }

// ---- in the schema ------------------------------------------------------------------------------------------------------------

Result<bool> has_restore_mark(Connection& connection) {
  bool stands = false;
  const auto see = [](void* context, const Row&) { *static_cast<bool*>(context) = true; };
  PAWL_TRY_VOID(connection.run(kHasMark, {}, &stands, see));
  return stands;
}

namespace {

/// `query(sql, each)` runs a query.
template <class Query>
Result<void> check_schema(const Query& query) {
  bool stands = false;
  PAWL_TRY_VOID(query(kHasMark, [&](const Row&) { stands = true; }));
  if (!stands) return {};
  std::string folder = "?";
  TimePoint begun_at{};
  PAWL_TRY_VOID(query(kReadMark, [&](const Row& row) {
    folder = row.text(0);
    begun_at = row.time(1);
  }));
  return unfinished_schema(folder, begun_at);
}

}  // namespace

Result<void> check_no_restore_is_unfinished(Connection& connection) {
  return check_schema([&](std::string_view sql, const std::function<void(const Row&)>& each) -> Result<void> {
    const auto visit = [](void* context, const Row& row) { (*static_cast<const std::function<void(const Row&)>*>(context))(row); };
    PAWL_TRY_VOID(connection.run(sql, {}, &each, visit));
    return {};
  });
}

Result<void> check_no_restore_is_unfinished(Session& session) {
  return check_schema([&](std::string_view sql, const std::function<void(const Row&)>& each) { return session.query(sql, {}, each); });
}

Result<void> mark_schema(Transaction& transaction, const fs::path& folder, TimePoint now) {
  PAWL_TRY_VOID(transaction.execute_script(kCreateMark));
  std::error_code failed;
  const auto absolute = fs::absolute(folder, failed);
  PAWL_TRY_VOID(transaction.execute(kWriteMark, {(failed ? folder : absolute).string(), now}));
  return {};
}

Result<void> unmark_schema(Transaction& transaction) { return transaction.execute_script(kDropMark); }

}  // namespace pawl::storage::detail
