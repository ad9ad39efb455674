#include "functions/detail/sqlite_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <string_view>

namespace pawl::functions {
namespace {

bool all_digits(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos; }

// `/proc/self/fd/N/name`: a file of the folder whose handle is N.
bool beside_the_database(std::string_view path) {
  constexpr std::string_view kHandles = "/proc/self/fd/";
  if (!path.starts_with(kHandles)) return false;
  path.remove_prefix(kHandles.size());
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos || !all_digits(path.substr(0, slash))) return false;
  const std::string_view name = path.substr(slash + 1);
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

bool helper_file(const char* path) {
  const std::string_view text(path == nullptr ? "" : path);
  return beside_the_database(text) && (text.ends_with("-journal") || text.ends_with("-wal") || text.ends_with("-shm"));
}

sqlite3_vfs* unix_vfs() { return sqlite3_vfs_find("unix"); }

// A journal may name another file, the super-journal, which SQLite reads and then deletes, whatever it is. Databases here are never
// attached to each other, so there is none that is meant.
int open_contained(sqlite3_vfs* /*vfs*/, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  const bool main = (flags & SQLITE_OPEN_MAIN_DB) != 0 && name != nullptr && beside_the_database(name);
  const bool helper = (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0 && helper_file(name);
  if (name != nullptr && !main && !helper) {
    file->pMethods = nullptr;
    return SQLITE_CANTOPEN;
  }
  return unix_vfs()->xOpen(unix_vfs(), name, file, flags, flags_out);
}
int delete_contained(sqlite3_vfs* /*vfs*/, const char* name, int sync) {
  return helper_file(name) ? unix_vfs()->xDelete(unix_vfs(), name, sync) : SQLITE_IOERR_DELETE_NOENT;
}
int access_contained(sqlite3_vfs* /*vfs*/, const char* name, int flags, int* result) {
  if (helper_file(name)) return unix_vfs()->xAccess(unix_vfs(), name, flags, result);
  *result = 0;
  return SQLITE_OK;
}

// SQLite makes every path canonical by reading links and opens the result as a text, which leaves a gap. Under this name paths are taken as
// they are: `/proc/self/fd/N/name`, with N the handle of the folder. The last component is opened with O_NOFOLLOW by SQLite itself. Only
// the database itself, what SQLite lays beside it, and temporary files without a name are opened.
const char* contained_vfs() {
  static std::once_flag once;
  static sqlite3_vfs vfs{};
  std::call_once(once, [] {
    vfs = *sqlite3_vfs_find("unix");
    vfs.pNext = nullptr;
    vfs.zName = "pawl-contained";
    vfs.xOpen = open_contained;
    vfs.xDelete = delete_contained;
    vfs.xAccess = access_contained;
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
