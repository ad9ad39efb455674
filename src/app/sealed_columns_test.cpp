#include "app/sealed_columns.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <set>

#include "storage/migrations.hpp"

namespace pawl::app {
namespace {

// proves: S4-D1, FA-10
TEST(SealedColumns, S4_D1_AreAllRegisteredForRotation) {
  std::string pattern = (std::filesystem::temp_directory_path() / "pawl-columns-XXXXXX").string();
  const std::filesystem::path folder = mkdtemp(pattern.data());
  storage::DatabaseOptions options;
  options.folder = folder;
  options.synchronous = false;
  {
    const auto database = storage::Database::open(options).value();
    ASSERT_FALSE(storage::migrate_up(*database, SystemClock()).has_error());
    std::set<std::string> found;
    const auto read = database->read([&](storage::Session& session) {
      return session.query("select t.name, c.name from sqlite_master t, pragma_table_info(t.name) c where t.type = 'table'", {},
                           [&](const storage::Row& row) {
                             const auto column = std::string(row.text(1));
                             if (column.find("sealed") != std::string::npos) found.insert(std::string(row.text(0)) + "." + column);
                           });
    });
    ASSERT_FALSE(read.has_error());
    std::set<std::string> registered;
    for (const auto& column : sealed_columns()) registered.emplace(column.name);
    EXPECT_EQ(found, registered) << "list the column in app/sealed_columns.cpp";
    // Their statements run on the schema as it is.
    EXPECT_FALSE(storage::count_sealed(*database, sealed_columns()).has_error());
    const crypto::KeyRing ring("a key");
    EXPECT_FALSE(storage::reseal(*database, sealed_columns(), ring).has_error());
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace pawl::app
