#include "functions/detail/sqlite_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <mutex>

namespace pawl::functions {
namespace {

// SQLite makes every path canonical by reading links and opens the result as a text, which leaves a gap. Under this name paths are taken as
// they are: `/proc/self/fd/N/name`, with N the handle of the folder. The last component is opened with O_NOFOLLOW by SQLite itself.
const char* contained_vfs() {
  static std::once_flag once;
  static sqlite3_vfs vfs{};
  std::call_once(once, [] {
    vfs = *sqlite3_vfs_find("unix");
    vfs.pNext = nullptr;
    vfs.zName = "pawl-contained";
    vfs.xFullPathname = [](sqlite3_vfs*, const char* name, int size, char* out) {
      const std::size_t length = std::strlen(name);  // Flawfinder: ignore (SQLite ends it)
      if (length >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
      std::memcpy(out, name, length + 1);  // Flawfinder: ignore (checked above)
      return SQLITE_OK;
    };
    sqlite3_vfs_register(&vfs, 0);
  });
  return vfs.zName;
}

}  // namespace

void CloseSqlite::operator()(sqlite3* database) const noexcept { sqlite3_close_v2(database); }

Result<void> check_sqlite_file(const Place& file, bool may_be_missing) {
  const auto handle = open_place(file, O_PATH);
  if (handle.has_error()) {
    if (may_be_missing && handle.error().code == "file.not_found") return boost::system::in_place_value;
    return handle.error();
  }
  struct stat status {};
  if (fstat(handle->get(), &status) != 0) return file_error(errno, file.display());
  if (!S_ISREG(status.st_mode)) {
    return Error(ErrorClass::invalid, "file.not_regular", fmt::format("{} is not a regular file", file.display()));
  }
  return boost::system::in_place_value;
}

Result<SqliteHandle> open_sqlite(const Parent& parent, const std::string& shown, SqliteOpen how) {
  const std::string path = fmt::format("/proc/self/fd/{}/{}", parent.folder.get(), parent.name);
  int flags = SQLITE_OPEN_FULLMUTEX;
  flags |= how == SqliteOpen::read ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (how == SqliteOpen::create) flags |= SQLITE_OPEN_CREATE;
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, contained_vfs());
  SqliteHandle handle(raw);
  if (code != SQLITE_OK) {
    return Error(ErrorClass::unavailable, "sql.unavailable", fmt::format("{} cannot be opened as a database", shown));
  }
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
  sqlite3_limit(raw, SQLITE_LIMIT_ATTACHED, 0);
  return handle;
}

}  // namespace pawl::functions
