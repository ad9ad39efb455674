#include "storage/detail/connection.hpp"

#include <sqlite3.h>

#include <cstring>

#include "base/assert.hpp"

namespace pawl::storage {
namespace {

sqlite3_stmt* statement_of(void* statement) { return static_cast<sqlite3_stmt*>(statement); }

}  // namespace

bool Row::is_null(int column) const { return sqlite3_column_type(statement_of(statement_), column) == SQLITE_NULL; }

std::int64_t Row::integer(int column) const { return sqlite3_column_int64(statement_of(statement_), column); }

std::optional<TimePoint> Row::optional_time(int column) const {
  if (is_null(column)) return std::nullopt;
  return time(column);
}

std::string_view Row::text(int column) const {
  const auto* data = sqlite3_column_text(statement_of(statement_), column);
  if (data == nullptr) return {};
  return {reinterpret_cast<const char*>(data), static_cast<std::size_t>(sqlite3_column_bytes(statement_of(statement_), column))};
}

std::string_view Row::blob(int column) const {
  const auto* data = sqlite3_column_blob(statement_of(statement_), column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(sqlite3_column_bytes(statement_of(statement_), column))};
}

Uuid Row::uuid(int column) const {
  const auto bytes = blob(column);
  Uuid id;
  if (bytes.size() == id.bytes.size()) std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
  return id;
}

namespace detail {
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

int remember_log_pages(void* pages, sqlite3* /*database*/, const char* /*name*/, int in_log) {
  *static_cast<int*>(pages) = in_log;
  return SQLITE_OK;
}

}  // namespace

bool is_fatal(const Error& error) {
  return error.code == "storage.full" || error.code == "storage.io" || error.code == "storage.corrupt" || error.code == "storage.busy";
}

Result<std::unique_ptr<Connection>> Connection::open(const ConnectionOptions& options) {
  sqlite3* database = nullptr;
  const int flags = (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(options.path.c_str(), &database, flags, nullptr);
  std::unique_ptr<Connection> connection(new Connection(database));  // NOLINT: private constructor; also closes what failed to open
  if (code != SQLITE_OK) return connection->last_error("open database " + options.path);
  PAWL_TRY_VOID(connection->configure(options));
  return connection;
}

Result<void> Connection::configure(const ConnectionOptions& options) {
  sqlite3_busy_timeout(database_, static_cast<int>(options.busy_timeout.count()));
  sqlite3_extended_result_codes(database_, 1);
  if (!options.read_only) {
    PAWL_TRY_VOID(script("pragma journal_mode=wal; pragma wal_autocheckpoint=0;"));
    PAWL_TRY_VOID(script(options.synchronous ? "pragma synchronous=full" : "pragma synchronous=off"));
    if (options.max_pages > 0) PAWL_TRY_VOID(script("pragma max_page_count=" + std::to_string(options.max_pages)));
    sqlite3_wal_hook(database_, remember_log_pages, &log_pages_);
  }
  return script(options.read_only ? "pragma cache_size=-2000; pragma temp_store=memory; pragma trusted_schema=off"
                                  : "pragma cache_size=-8000; pragma temp_store=memory; pragma trusted_schema=off; pragma foreign_keys=on");
}

Connection::~Connection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(database_);
}

Error Connection::last_error(std::string_view doing) const {
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

Result<sqlite3_stmt*> Connection::prepared(std::string_view sql) {
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

Result<std::int64_t> Connection::run(std::string_view sql, std::initializer_list<Parameter> parameters, const void* context, Visit visit) {
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
    if (visit != nullptr) visit(const_cast<void*>(context), Row(statement));
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

Result<void> Connection::script(std::string_view sql) {
  const std::string text(sql);
  if (sqlite3_exec(database_, text.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return last_error(text.substr(0, 80));
  return {};
}

Result<void> Connection::begin_immediate() {
  PAWL_TRY_VOID(run("begin immediate", {}, nullptr, nullptr));
  return {};
}

Result<void> Connection::commit() {
  PAWL_TRY_VOID(run("commit", {}, nullptr, nullptr));
  return {};
}

void Connection::rollback() {
  if (in_transaction()) sqlite3_exec(database_, "rollback", nullptr, nullptr, nullptr);
}

bool Connection::in_transaction() const { return sqlite3_get_autocommit(database_) == 0; }

void Connection::checkpoint(bool truncate) {
  sqlite3_wal_checkpoint_v2(database_, nullptr, truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  log_pages_ = 0;
}

}  // namespace detail
}  // namespace pawl::storage
