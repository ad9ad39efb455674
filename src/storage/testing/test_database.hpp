/// Databases for tests: the same test runs on SQLite and on PostgreSQL.
///
/// With `PAWL_TEST_BACKEND=postgresql` in the environment, `open` gives every folder a schema of its own in the database of
/// `PAWL_TEST_DATABASE_URL` (scripts/services starts one); opened again, the folder finds its schema again. The schemas go when the program
/// ends. Otherwise it opens SQLite in the folder. CMake registers a test program of a module with `DATABASE_TESTS` twice.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "storage/database.hpp"

namespace pawl::storage::testing {

/// Tests run on PostgreSQL.
[[nodiscard]] bool on_postgresql();
/// The options completed for the database that tests run on.
[[nodiscard]] DatabaseOptions with_backend(DatabaseOptions options);
[[nodiscard]] inline Result<std::unique_ptr<Database>> open(const DatabaseOptions& options) {
  return Database::open(with_backend(options));
}
/// The URL of the folder's schema, with the schema's name as application name; only where tests run on PostgreSQL.
[[nodiscard]] std::string url_of(const std::filesystem::path& folder);
/// Runs statements on a connection of its own, as an administrator beside the engine would.
[[nodiscard]] Result<void> administer(const std::string& url, std::string_view sql);

}  // namespace pawl::storage::testing
