/// Migrations are written once, in the words of SQLite, and mapped to PostgreSQL.
#pragma once

#include <string>
#include <string_view>

namespace pawl::storage::detail {

/// Maps what the two name differently, outside of literals, quoted names and comments: `blob` becomes `bytea`, `integer` `bigint`, `without
/// rowid` goes.
[[nodiscard]] std::string to_postgresql(std::string_view sql);

}  // namespace pawl::storage::detail
