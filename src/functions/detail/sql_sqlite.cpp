// One statement against an SQLite file.

#include <fmt/format.h>
#include <poll.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/utf8.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/sql.hpp"
#include "functions/detail/sqlite_file.hpp"
#include "json/write.hpp"

namespace pawl::functions {
namespace {

using Clock = std::chrono::steady_clock;

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Prepared = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

struct Watch {
  const SqlStatement& statement;
  const std::atomic<bool>& cancelled;
  bool denied = false;

  [[nodiscard]] bool is_over() const { return cancelled.load(std::memory_order_relaxed) || Clock::now() >= statement.deadline; }
};

// ---- what a statement may do --------------------------------------------------------------------------------------------------------

bool harmless_pragma(std::string_view name, const char* argument) {
  constexpr std::array kWithName = {"table_info", "table_xinfo", "table_list",      "index_list",
                                    "index_info", "index_xinfo", "foreign_key_list"};
  constexpr std::array kAlone = {"schema_version", "user_version",    "application_id", "encoding",      "page_count",
                                 "database_list",  "compile_options", "function_list",  "collation_list"};
  const auto is = [&](const char* each) { return name == each; };
  return std::any_of(kWithName.begin(), kWithName.end(), is) || (argument == nullptr && std::any_of(kAlone.begin(), kAlone.end(), is));
}

int authorize(void* context, int action, const char* first, const char* second, const char*, const char*) {
  auto& watch = *static_cast<Watch*>(context);
  const auto allow = [&](bool yes) {
    if (!yes) watch.denied = true;
    return yes ? SQLITE_OK : SQLITE_DENY;
  };
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_FUNCTION:
      return allow(second == nullptr || (std::strcmp(second, "load_extension") != 0 && std::strcmp(second, "fts3_tokenizer") != 0));
    case SQLITE_PRAGMA: return allow(first != nullptr && harmless_pragma(first, second));
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT: return allow(false);
    default: return allow(!watch.statement.read_only);
  }
}

// ---- values -------------------------------------------------------------------------------------------------------------------------

int bind(sqlite3_stmt* statement, int index, const json::Value& value) {
  switch (value.kind()) {
    case json::Kind::null: return sqlite3_bind_null(statement, index);
    case json::Kind::boolean: return sqlite3_bind_int(statement, index, value.as_bool() ? 1 : 0);
    case json::Kind::integer: return sqlite3_bind_int64(statement, index, value.as_integer());
    case json::Kind::number: return sqlite3_bind_double(statement, index, value.as_double());
    default: break;
  }
  const std::string text = value.is_string() ? std::string(value.as_string()) : json::to_text(value);
  return sqlite3_bind_text64(statement, index, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

Result<void> bind_all(sqlite3_stmt* statement, const json::Value& parameters) {
  const int count = sqlite3_bind_parameter_count(statement);
  for (int i = 1; i <= count; ++i) {
    const char* given = sqlite3_bind_parameter_name(statement, i);
    std::string_view name = given == nullptr ? "" : given;
    const json::Value* value = nullptr;
    if (parameters.is_object() && name.size() > 1) value = parameters.find(name.substr(1));
    if (parameters.is_array()) {
      // `?` counts, `?3` and `$3` say where.
      std::size_t place = static_cast<std::size_t>(i);
      if (name.size() > 1 && name.front() == '$' && name.find_first_not_of("0123456789", 1) == std::string_view::npos && name.size() < 6) {
        place = static_cast<std::size_t>(std::stoul(std::string(name.substr(1))));
      }
      if (place >= 1 && place <= parameters.size()) value = &parameters.at(place - 1);
    }
    if (value == nullptr) {
      return Error(ErrorClass::invalid, "sql.parameters", fmt::format("there is no parameter {}", name.empty() ? std::to_string(i) : name));
    }
    if (bind(statement, i, *value) != SQLITE_OK)
      return Error(ErrorClass::invalid, "sql.parameters", fmt::format("the parameter {} cannot be given", i));
  }
  return boost::system::in_place_value;
}

json::Value column(sqlite3_stmt* statement, int index, std::size_t& bytes) {
  const auto content = [&](const void* data) {
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, index));
    bytes += size;
    return std::string_view(data == nullptr ? "" : static_cast<const char*>(data), data == nullptr ? 0 : size);
  };
  bytes += 8;
  switch (sqlite3_column_type(statement, index)) {
    case SQLITE_INTEGER: return sqlite3_column_int64(statement, index);
    case SQLITE_FLOAT: {
      const double number = sqlite3_column_double(statement, index);
      return std::isfinite(number) ? json::Value(number) : json::Value(number > 0 ? "Infinity" : "-Infinity");
    }
    case SQLITE_TEXT: return to_utf8(std::string(content(sqlite3_column_text(statement, index))));
    case SQLITE_BLOB: return to_base64(content(sqlite3_column_blob(statement, index)));
    default: return {};
  }
}

// ---- the call -----------------------------------------------------------------------------------------------------------------------

Error error_of(sqlite3* database, int code, const Watch& watch) {
  if (watch.cancelled.load(std::memory_order_relaxed)) return {ErrorClass::unavailable, "sql.cancelled", "the call was cancelled"};
  if (code == SQLITE_INTERRUPT || (code == SQLITE_BUSY && watch.is_over()))
    return {ErrorClass::timeout, "sql.timeout", "the time for this call is up"};
  const std::string said = to_utf8(std::string(sqlite3_errmsg(database)));
  if (watch.denied || code == SQLITE_AUTH || code == SQLITE_READONLY) {
    return {ErrorClass::denied, "sql.read_only",
            fmt::format("the statement may not do this{}: {}", watch.statement.read_only ? " (read_only is set)" : "", said)};
  }
  if (code == SQLITE_BUSY || code == SQLITE_LOCKED) return {ErrorClass::unavailable, "sql.unavailable", said};
  if (code == SQLITE_TOOBIG) return {ErrorClass::too_large, "sql.too_large", said};
  return {ErrorClass::invalid, "sql.statement", said};
}

Result<Prepared> prepare(sqlite3* database, const SqlStatement& statement, const Watch& watch) {
  sqlite3_stmt* raw = nullptr;
  const char* tail = nullptr;
  if (const int code = sqlite3_prepare_v2(database, statement.text.data(), static_cast<int>(statement.text.size()), &raw, &tail);
      code != SQLITE_OK) {
    return error_of(database, code, watch);
  }
  Prepared prepared(raw);
  if (!prepared) return Error(ErrorClass::invalid, "sql.statement", "there is no statement");
  sqlite3_stmt* second = nullptr;
  const auto rest = static_cast<int>(statement.text.data() + statement.text.size() - tail);
  const int code = sqlite3_prepare_v2(database, tail, rest, &second, nullptr);
  const Prepared other(second);
  if (code != SQLITE_OK || other) return Error(ErrorClass::invalid, "sql.statement", "only one statement may be given");
  return prepared;
}

}  // namespace

Result<json::Value> query_sqlite(const Place& file, const SqlStatement& statement, const std::atomic<bool>& cancelled) {
  PAWL_TRY_VOID(check_sqlite_file(file, !statement.read_only));
  PAWL_TRY(parent, open_parent(file, !statement.read_only));
  Watch watch{statement, cancelled};
  PAWL_TRY(connection, open_sqlite(parent, file.display(), statement.read_only ? SqliteOpen::read : SqliteOpen::create));
  sqlite3* database = connection.get();
  sqlite3_limit(database, SQLITE_LIMIT_LENGTH, static_cast<int>(std::min<std::size_t>(statement.max_bytes, 1U << 30U)));
  constexpr int kInstructions = 1'000;
  sqlite3_progress_handler(
      database, kInstructions, [](void* context) { return static_cast<Watch*>(context)->is_over() ? 1 : 0; }, &watch);
  sqlite3_busy_handler(
      database,
      [](void* context, int) {
        constexpr int kPause = 20;
        if (static_cast<Watch*>(context)->is_over()) return 0;
        ::poll(nullptr, 0, kPause);
        return 1;
      },
      &watch);
  sqlite3_set_authorizer(database, authorize, &watch);
  PAWL_TRY(prepared, prepare(database, statement, watch));
  PAWL_TRY_VOID(bind_all(prepared.get(), statement.parameters));

  const int width = sqlite3_column_count(prepared.get());
  std::vector<std::string> names;
  names.reserve(static_cast<std::size_t>(width));
  for (int i = 0; i < width; ++i) names.emplace_back(sqlite3_column_name(prepared.get(), i));
  SqlRows rows(statement, std::move(names));
  const bool reads = sqlite3_stmt_readonly(prepared.get()) != 0;
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(prepared.get())) == SQLITE_ROW) {
    if (!rows.wants_more()) {
      if (reads) break;
      continue;  // the rest of the work has to be done
    }
    std::size_t bytes = 0;
    std::vector<json::Value> values;
    values.reserve(static_cast<std::size_t>(width));
    for (int i = 0; i < width; ++i) values.push_back(column(prepared.get(), i, bytes));
    PAWL_TRY_VOID(rows.add(std::move(values), bytes));
  }
  if (code != SQLITE_DONE && code != SQLITE_ROW) return error_of(database, code, watch);
  json::Value output = std::move(rows).finish();
  if (!reads) output.set("rows_affected", static_cast<std::int64_t>(sqlite3_changes64(database)));
  return output;
}

}  // namespace pawl::functions
