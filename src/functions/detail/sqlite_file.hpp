/// Opens SQLite files below the roots: relative to the handle of their folder, so that no link and no rename leads elsewhere.
#pragma once

#include <memory>
#include <string>

#include "base/error.hpp"
#include "functions/detail/contained_path.hpp"

struct sqlite3;

namespace pawl::functions {

struct CloseSqlite {
  void operator()(sqlite3* database) const noexcept;
};
using SqliteHandle = std::unique_ptr<sqlite3, CloseSqlite>;

enum class SqliteOpen : std::uint8_t { read, write, create };

/// That it is a regular file. Uses no descriptor whose closing would take away the locks that SQLite holds on the file in this process.
[[nodiscard]] Result<void> check_sqlite_file(const Place& file, bool may_be_missing);
/// `parent` must outlive the handle. No extensions, no attached databases, no trust in what the schema calls. Error `sql.unavailable`.
[[nodiscard]] Result<SqliteHandle> open_sqlite(const Parent& parent, const std::string& shown, SqliteOpen how);

}  // namespace pawl::functions
