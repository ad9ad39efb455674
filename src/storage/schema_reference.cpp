#include "storage/schema_reference.hpp"

#include <algorithm>

namespace pawl::storage {
namespace {

/// One statement of each kind for each database. Columns: of `columns` name, type, required, in primary key; of `references` column, table,
/// column there; of `indexes` name, unique.
struct Statements {
  std::string_view tables;
  std::string_view columns;
  std::string_view references;
  std::string_view indexes;
};

constexpr Statements kSqlite = {
    "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by name",
    "select name, lower(type), \"notnull\", pk > 0 from pragma_table_info($1) order by cid",
    "select \"from\", \"table\", \"to\" from pragma_foreign_key_list($1)",
    "select l.name, l.\"unique\" from pragma_index_list($1) l where l.origin = 'c' order by l.name",
};
constexpr Statements kPostgresql = {
    "select tablename from pg_tables where schemaname = current_schema() order by tablename collate \"C\"",
    "select a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, coalesce(a.attnum = any(p.conkey), false) from pg_attribute a "
    "left join pg_constraint p on p.conrelid = a.attrelid and p.contype = 'p' "
    "where a.attrelid = to_regclass(quote_ident($1)) and a.attnum > 0 and not a.attisdropped order by a.attnum",
    "select a.attname, t.relname, b.attname from pg_constraint c join pg_class t on t.oid = c.confrelid "
    "join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1] "
    "join pg_attribute b on b.attrelid = c.confrelid and b.attnum = c.confkey[1] "
    "where c.contype = 'f' and c.conrelid = to_regclass(quote_ident($1))",
    "select i.relname, x.indisunique from pg_index x join pg_class i on i.oid = x.indexrelid "
    "where x.indrelid = to_regclass(quote_ident($1)) "
    "and not exists (select 1 from pg_constraint c where c.conindid = x.indexrelid and c.contype in ('p', 'u')) "
    "order by i.relname collate \"C\"",
};

std::string common_type(std::string_view type) {
  if (type == "bigint") return "integer";
  if (type == "bytea") return "blob";
  return std::string(type);
}

Result<void> describe(Session& session, const Statements& statements, SchemaTable& table) {
  PAWL_TRY_VOID(session.query(statements.columns, {table.name}, [&](const Row& row) {
    const bool key = row.boolean(3);
    // SQLite alone lets most primary keys be null; we never do.
    table.columns.push_back({std::string(row.text(0)), common_type(row.text(1)), row.boolean(2) || key, key, {}});
  }));
  PAWL_TRY_VOID(session.query(statements.references, {table.name}, [&](const Row& row) {
    const auto column =
        std::find_if(table.columns.begin(), table.columns.end(), [&](const auto& each) { return each.name == row.text(0); });
    if (column == table.columns.end()) return;
    // A reference without a column means the primary key, which is called so in all of our tables.
    const auto target = row.text(2).empty() ? std::string_view("id") : row.text(2);
    column->refers_to = std::string(row.text(1)) + "(" + std::string(target) + ")";
  }));
  return session.query(statements.indexes, {table.name}, [&](const Row& row) {
    table.indexes.push_back({std::string(row.text(0)), row.boolean(1)});
  });
}

}  // namespace

Result<std::vector<SchemaTable>> schema_tables(Database& database) {
  return database.read([](Session& session) -> Result<std::vector<SchemaTable>> {
    const auto& statements = session.dialect() == Dialect::sqlite ? kSqlite : kPostgresql;
    std::vector<SchemaTable> tables;
    PAWL_TRY_VOID(session.query(statements.tables, {}, [&](const Row& row) { tables.push_back({std::string(row.text(0)), {}, {}}); }));
    for (auto& table : tables) PAWL_TRY_VOID(describe(session, statements, table));
    return tables;
  });
}

Result<std::string> schema_reference(Database& database) {
  PAWL_TRY(tables, schema_tables(database));
  std::string out =
      "# Schema\n\n"
      "Written by `pawl migrate schema` from the catalogue of a migrated database; do not edit by hand. A test compares this page with a\n"
      "freshly migrated SQLite and PostgreSQL. The source are the files of `migrations/`; see [migrations.md](migrations.md).\n";
  for (const auto& table : tables) {
    out += "\n## `" + table.name + "`\n\n| column | type | | refers to |\n| --- | --- | --- | --- |\n";
    for (const auto& column : table.columns) {
      const auto* const rule = column.in_primary_key ? "primary key" : column.required ? "required" : "";
      out += "| `" + column.name + "` | " + column.type + " | " + rule + " | " + column.refers_to + " |\n";
    }
    for (const auto& index : table.indexes) {
      out += (&index == table.indexes.data() ? "\nIndexes: `" : ", `") + index.name + "`" + (index.unique ? " (unique)" : "");
    }
    if (!table.indexes.empty()) out += ".\n";
  }
  return out;
}

}  // namespace pawl::storage
