/// The tables of a database as its own catalogue has them: `docs/schema.md` is written from a migrated database, and a test compares the
/// two.
///
/// Types are named as migrations name them, so that SQLite and PostgreSQL describe themselves with the same words.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "storage/database.hpp"

namespace pawl::storage {

struct SchemaColumn {
  std::string name;
  std::string type;  ///< `integer`, `text`, `blob`; another one as the database calls it
  bool required = false;
  bool in_primary_key = false;
  std::string refers_to;  ///< `table(column)`; empty: nothing
};
struct SchemaIndex {
  std::string name;
  bool unique = false;
};
struct SchemaTable {
  std::string name;
  std::vector<SchemaColumn> columns;
  std::vector<SchemaIndex> indexes;  ///< those with names of their own
};

/// By name. Blocks.
[[nodiscard]] Result<std::vector<SchemaTable>> schema_tables(Database& database);
/// The same as a page.
[[nodiscard]] Result<std::string> schema_reference(Database& database);

}  // namespace pawl::storage
