#include <libpq-fe.h>
#include <sqlite3.h>

#include <cstring>

#include "storage/detail/postgres_values.hpp"
#include "storage/value.hpp"

namespace pawl::storage {
namespace {

sqlite3_stmt* statement_of(void* source) { return static_cast<sqlite3_stmt*>(source); }
const PGresult* result_of(void* source) { return static_cast<const PGresult*>(source); }

std::string_view postgres_bytes(void* source, int row, int column) {
  const auto* result = result_of(source);
  return {PQgetvalue(result, row, column), static_cast<std::size_t>(PQgetlength(result, row, column))};
}

}  // namespace

bool Row::is_null(int column) const {
  if (number_ >= 0) return PQgetisnull(result_of(source_), number_, column) != 0;
  return sqlite3_column_type(statement_of(source_), column) == SQLITE_NULL;
}

std::int64_t Row::integer(int column) const {
  if (number_ >= 0) return detail::postgres_integer(PQftype(result_of(source_), column), postgres_bytes(source_, number_, column));
  return sqlite3_column_int64(statement_of(source_), column);
}

std::optional<TimePoint> Row::optional_time(int column) const {
  if (is_null(column)) return std::nullopt;
  return time(column);
}

std::string_view Row::text(int column) const {
  if (number_ >= 0) {
    return detail::is_postgres_text(PQftype(result_of(source_), column)) ? postgres_bytes(source_, number_, column) : std::string_view{};
  }
  const auto* data = sqlite3_column_text(statement_of(source_), column);
  if (data == nullptr) return {};
  return {reinterpret_cast<const char*>(data), static_cast<std::size_t>(sqlite3_column_bytes(statement_of(source_), column))};
}

std::string_view Row::blob(int column) const {
  if (number_ >= 0) {
    const auto type = PQftype(result_of(source_), column);
    const bool bytes = type == detail::kPostgresBytea || detail::is_postgres_text(type);
    return bytes ? postgres_bytes(source_, number_, column) : std::string_view{};
  }
  const auto* data = sqlite3_column_blob(statement_of(source_), column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(sqlite3_column_bytes(statement_of(source_), column))};
}

Uuid Row::uuid(int column) const {
  const auto bytes = blob(column);
  Uuid id;
  if (bytes.size() == id.bytes.size()) std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
  return id;
}

}  // namespace pawl::storage
