/// PostgreSQL's tables to files and back, through COPY in its binary format.
#pragma once

#include <filesystem>

#include "storage/detail/manifest.hpp"
#include "storage/detail/postgres_connection.hpp"

namespace pawl::storage::detail {

/// All tables of the schema but those about the schema and the process, in one snapshot, into `tables/` of the folder; adds them to the
/// manifest with their files. Also the migrations of that snapshot.
[[nodiscard]] Result<void> copy_tables_out(PostgresConnection& connection, const std::filesystem::path& folder, Manifest& manifest);
/// Replaces what the tables hold, in one transaction.
[[nodiscard]] Result<void> copy_tables_in(PostgresConnection& connection, const std::filesystem::path& folder, const Manifest& manifest);
/// Names of the tables in the schema, also those that a backup leaves out.
[[nodiscard]] Result<std::vector<std::string>> table_names(PostgresConnection& connection);
/// All of them, within a transaction.
[[nodiscard]] Result<void> drop_tables(PostgresConnection& connection);

}  // namespace pawl::storage::detail
