/// Which database the arguments of `sql-query` and `database-backup` name.
#pragma once

#include <optional>
#include <string>

#include "base/error.hpp"
#include "functions/detail/sql.hpp"

namespace pawl::functions {

/// A file or a server.
struct SqlTarget {
  std::optional<Place> file;
  PostgresAddress server{};
  /// For people: no password.
  [[nodiscard]] std::string display() const { return file ? file->display() : server.display(); }
};

/// From `connection` (an object as the integration `postgres` keeps it), `connection_string` or `path`, with `database_type`. Errors
/// `sql.connection`, those of contained_path.hpp.
[[nodiscard]] Result<SqlTarget> sql_target(const Roots& roots, const json::Value& arguments);

}  // namespace pawl::functions
