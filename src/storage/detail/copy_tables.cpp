#include "storage/detail/copy_tables.hpp"

#include <algorithm>
#include <set>

namespace pawl::storage::detail {
namespace {

constexpr std::string_view kTables = "select tablename from pg_tables where schemaname = current_schema() order by tablename";
constexpr std::string_view kColumns =
    "select a.attname from pg_attribute a where a.attrelid = to_regclass(quote_ident($1)) and a.attnum > 0 and not a.attisdropped "
    "order by a.attnum";
constexpr std::string_view kReferences =
    "select distinct t.relname from pg_constraint c join pg_class t on t.oid = c.confrelid "
    "where c.contype = 'f' and c.conrelid = to_regclass(quote_ident($1)) and c.confrelid <> c.conrelid";
constexpr std::string_view kDrop = "drop table ";
constexpr std::string_view kMigrations = "select version, checksum from schema_migrations";

/// These are made by the migrations, or mean nothing to another process.
bool is_left_out(std::string_view table) { return table == "schema_migrations" || table == "commit_marks"; }

/// Names come from the database's catalogue, and are quoted whatever they hold.
std::string identifier(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) out.append(c == '"' ? 2 : 1, c);
  return out + "\"";
}

std::string copy_statement(const Manifest::Table& table, std::string_view direction) {
  std::string columns;
  for (const auto& column : table.columns) columns += (columns.empty() ? "" : ", ") + identifier(column);
  return "copy " + identifier(table.name) + " (" + columns + ") " + std::string(direction) + " (format binary)";
}

std::filesystem::path file_of(const Manifest::Table& table) { return std::filesystem::path("tables") / (table.name + ".copy"); }

Result<std::vector<std::string>> texts(PostgresConnection& connection, std::string_view sql, Connection::Parameters parameters) {
  std::vector<std::string> found;
  const auto take = [](void* context, const Row& row) { static_cast<std::vector<std::string>*>(context)->emplace_back(row.text(0)); };
  PAWL_TRY_VOID(connection.run(sql, parameters, &found, take));
  return found;
}

/// Each table after those that it refers to.
Result<std::vector<std::string>> tables_in_order(PostgresConnection& connection) {
  PAWL_TRY(names, table_names(connection));
  std::map<std::string, std::vector<std::string>> references;
  for (const auto& name : names) {
    if (is_left_out(name)) continue;
    PAWL_TRY(targets, texts(connection, kReferences, {name}));
    references[name] = std::move(targets);
  }
  std::vector<std::string> ordered;
  std::set<std::string> placed;
  while (ordered.size() < references.size()) {
    const auto before = ordered.size();
    for (const auto& [name, targets] : references) {
      const bool ready = std::all_of(targets.begin(), targets.end(), [&](const std::string& target) { return placed.contains(target); });
      if (ready && placed.insert(name).second) ordered.push_back(name);
    }
    if (ordered.size() == before) return Error{ErrorClass::internal, "storage.sql", "tables refer to each other in a circle"};
  }
  return ordered;
}

Result<void> copy_out(PostgresConnection& connection, const std::filesystem::path& folder, Manifest& manifest, Manifest::Table table) {
  PAWL_TRY(file, HashedFile::create(folder / file_of(table)));
  PAWL_TRY(rows, connection.copy_out(copy_statement(table, "to stdout"), [&file](std::string_view piece) { return file.write(piece); }));
  PAWL_TRY(digest, file.finish());
  manifest.files[file_of(table).string()] = digest;
  table.rows = rows;
  manifest.tables.push_back(std::move(table));
  return {};
}

}  // namespace

Result<std::vector<std::string>> table_names(PostgresConnection& connection) { return texts(connection, kTables, {}); }

Result<void> drop_tables(PostgresConnection& connection) {
  PAWL_TRY(tables, table_names(connection));
  std::string statement;
  for (const auto& table : tables) statement.append(statement.empty() ? kDrop : ", ").append(identifier(table));
  if (statement.empty()) return {};
  return connection.script(statement + " cascade");
}

Result<void> copy_tables_out(PostgresConnection& connection, const std::filesystem::path& folder, Manifest& manifest) {
  PAWL_TRY_VOID(make_folder(folder / "tables"));
  PAWL_TRY_VOID(connection.begin(Connection::Access::reading));
  const auto migration = [](void* context, const Row& row) {
    static_cast<Manifest*>(context)->migrations[static_cast<std::uint32_t>(row.integer(0))] = row.text(1);
  };
  PAWL_TRY_VOID(connection.run(kMigrations, {}, &manifest, migration));
  PAWL_TRY(names, tables_in_order(connection));
  for (const auto& name : names) {
    PAWL_TRY(columns, texts(connection, kColumns, {name}));
    PAWL_TRY_VOID(copy_out(connection, folder, manifest, {name, std::move(columns), 0}));
  }
  connection.rollback();
  return sync_folder(folder / "tables");
}

Result<void> copy_tables_in(PostgresConnection& connection, const std::filesystem::path& folder, const Manifest& manifest) {
  PAWL_TRY_VOID(connection.begin(Connection::Access::writing));
  // Migrations may have left rows of their own.
  std::string names;
  for (const auto& table : manifest.tables) names += (names.empty() ? "" : ", ") + identifier(table.name);
  if (!names.empty()) PAWL_TRY_VOID(connection.script("truncate " + names));
  for (const auto& table : manifest.tables) {
    PAWL_TRY(rows, connection.copy_in(copy_statement(table, "from stdin"),
                                      [&](const PostgresConnection::Put& put) { return read_file(folder / file_of(table), put); }));
    if (rows != table.rows) {
      return Error{ErrorClass::unprocessable, "backup.damaged", "the table " + table.name + " has other rows than when it was saved"};
    }
  }
  return connection.commit();
}

}  // namespace pawl::storage::detail
