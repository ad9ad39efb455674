#include "storage/detail/sqlite_connection.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "base/assert.hpp"

namespace pawl::storage::detail {
namespace {

Error to_error(int code, const char* message, std::string_view doing) {
  const auto text = std::string(doing) + ": " + message;
  switch (code & 0xff) {
    case SQLITE_FULL: return {ErrorClass::unavailable, "storage.full", text};
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM: return {ErrorClass::internal, "storage.io", text};
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return {ErrorClass::unavailable, "storage.busy", text};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return {ErrorClass::internal, "storage.corrupt", text};
    case SQLITE_CONSTRAINT: return {ErrorClass::conflict, "storage.constraint", text};
    case SQLITE_TOOBIG: return {ErrorClass::too_large, "storage.too_big", text};
    default: return {ErrorClass::internal, "storage.sql", text};
  }
}

int bind(sqlite3_stmt* statement, int index, const Parameter& parameter) {
  const auto bytes = parameter.bytes();
  switch (parameter.kind()) {
    case Parameter::Kind::null: return sqlite3_bind_null(statement, index);
    case Parameter::Kind::integer: return sqlite3_bind_int64(statement, index, parameter.integer());
    // An empty view may have no address, which SQLite would take for NULL.
    case Parameter::Kind::text:
      return sqlite3_bind_text64(statement, index, bytes.empty() ? "" : bytes.data(), bytes.size(), SQLITE_STATIC, SQLITE_UTF8);
    case Parameter::Kind::blob:
      return sqlite3_bind_blob64(statement, index, bytes.empty() ? "" : bytes.data(), bytes.size(), SQLITE_STATIC);
  }
  return SQLITE_MISUSE;
}

/// For this user's eyes alone, whatever the umask: SQLite gives its other files the mode that the database has when they are made. Never
/// opens a file that is there: closing it again would drop this process' locks on it.
void keep_private(const std::string& path) {
  const int made = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (made >= 0) ::close(made);
  for (const auto* suffix : {"", "-wal", "-shm"}) {
    // Files of a version that did not; what cannot be changed belongs to somebody else, who decides.
    static_cast<void>(::chmod((path + suffix).c_str(), S_IRUSR | S_IWUSR));  // Flawfinder: ignore (the data folder is its owner's alone)
  }
}

int remember_log_pages(void* pages, sqlite3* /*database*/, const char* /*name*/, int in_log) {
  *static_cast<int*>(pages) = in_log;
  return SQLITE_OK;
}

}  // namespace

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(const SqliteOptions& options) {
  sqlite3* database = nullptr;
  const int flags = (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) | SQLITE_OPEN_NOMUTEX;
  if (!options.read_only) keep_private(options.path);
  const int code = sqlite3_open_v2(options.path.c_str(), &database, flags, nullptr);
  std::unique_ptr<SqliteConnection> connection(
      new SqliteConnection(database));  // NOLINT: private constructor; also closes what failed to open
  if (code != SQLITE_OK) return connection->last_error("open database " + options.path);
  PAWL_TRY_VOID(connection->configure(options));
  return connection;
}

Result<void> SqliteConnection::configure(const SqliteOptions& options) {
  sqlite3_busy_timeout(database_, static_cast<int>(options.busy_timeout.count()));
  sqlite3_extended_result_codes(database_, 1);
  if (!options.read_only) {
    PAWL_TRY_VOID(script("pragma journal_mode=wal; pragma wal_autocheckpoint=0;"));
    PAWL_TRY_VOID(script(options.synchronous ? "pragma synchronous=full" : "pragma synchronous=off"));
    if (options.max_pages > 0) PAWL_TRY_VOID(script("pragma max_page_count=" + std::to_string(options.max_pages)));
    sqlite3_wal_hook(database_, remember_log_pages, &log_pages_);
  }
  return script(options.read_only ? "pragma cache_size=-2000; pragma temp_store=memory; pragma trusted_schema=off"
                                  : "pragma cache_size=-8000; pragma temp_store=memory; pragma trusted_schema=off; pragma foreign_keys=on; "
                                    "pragma secure_delete=fast");
}

SqliteConnection::~SqliteConnection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(database_);
}

Error SqliteConnection::last_error(std::string_view doing) const {
  if (database_ == nullptr) return {ErrorClass::internal, "storage.io", std::string(doing) + ": out of memory"};
  return to_error(sqlite3_extended_errcode(database_), sqlite3_errmsg(database_), doing);
}

namespace {

/// To SQLite `$2` is a name, numbered by its first appearance; `?2` is the second parameter wherever it stands. Text literals never hold
/// `$1` here.
std::string with_numbered_parameters(std::string_view sql) {
  std::string text(sql);
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == '$' && text[i + 1] >= '1' && text[i + 1] <= '9') text[i] = '?';
  }
  return text;
}

}  // namespace

Result<sqlite3_stmt*> SqliteConnection::prepared(std::string_view sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) return found->second;
  // SQL is constant text in the program, so the cache is bounded by the program's size.
  sqlite3_stmt* statement = nullptr;
  const auto text = with_numbered_parameters(sql);
  if (sqlite3_prepare_v3(database_, text.data(), static_cast<int>(text.size()), SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
      SQLITE_OK) {
    return last_error(sql);
  }
  statements_.emplace(sql, statement);
  return statement;
}

Result<std::int64_t> SqliteConnection::run(std::string_view sql, std::initializer_list<Parameter> parameters, const void* context,
                                           Visit visit) {
  PAWL_TRY(statement, prepared(sql));
  int index = 0;
  for (const auto& parameter : parameters) {
    if (bind(statement, ++index, parameter) != SQLITE_OK) {
      auto error = last_error(sql);
      sqlite3_reset(statement);
      return error;
    }
  }
  PAWL_ASSERT(index == sqlite3_bind_parameter_count(statement), "a statement gets all its parameters");
  int code = sqlite3_step(statement);
  for (; code == SQLITE_ROW; code = sqlite3_step(statement)) {
    if (visit != nullptr) visit(const_cast<void*>(context), row(statement, -1));
  }
  if (code != SQLITE_DONE) {
    auto error = last_error(sql);
    sqlite3_reset(statement);
    return error;
  }
  const auto changed = sqlite3_changes64(database_);
  sqlite3_reset(statement);
  return changed;
}

Result<void> SqliteConnection::script(std::string_view sql) {
  const std::string text(sql);
  if (sqlite3_exec(database_, text.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return last_error(text.substr(0, 80));
  return {};
}

Result<void> SqliteConnection::begin(Access access) {
  PAWL_TRY_VOID(run(access == Access::reading ? "begin" : "begin immediate", {}, nullptr, nullptr));
  return {};
}

Result<void> SqliteConnection::commit() {
  PAWL_TRY_VOID(run("commit", {}, nullptr, nullptr));
  return {};
}

void SqliteConnection::rollback() {
  if (in_transaction()) sqlite3_exec(database_, "rollback", nullptr, nullptr, nullptr);
}

bool SqliteConnection::in_transaction() const { return sqlite3_get_autocommit(database_) == 0; }

void SqliteConnection::checkpoint(bool truncate) {
  sqlite3_wal_checkpoint_v2(database_, nullptr, truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  log_pages_ = 0;
}

Result<void> SqliteConnection::copy_to(const std::string& path) {
  sqlite3* target = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &target, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  const std::unique_ptr<sqlite3, int (*)(sqlite3*)> closing(target, sqlite3_close);
  if (opened != SQLITE_OK) return to_error(opened, sqlite3_errstr(opened), "create " + path);
  auto* const backup = sqlite3_backup_init(target, "main", database_, "main");
  if (backup == nullptr) return to_error(sqlite3_extended_errcode(target), sqlite3_errmsg(target), "copy to " + path);
  // All pages in one step, within one read transaction: with smaller ones each commit of a writer would start the copy anew.
  const int copied = sqlite3_backup_step(backup, -1);
  const int finished = sqlite3_backup_finish(backup);
  if (copied != SQLITE_DONE) return to_error(copied, sqlite3_errstr(copied), "copy to " + path);
  if (finished != SQLITE_OK) return to_error(finished, sqlite3_errstr(finished), "copy to " + path);
  return {};
}

}  // namespace pawl::storage::detail
