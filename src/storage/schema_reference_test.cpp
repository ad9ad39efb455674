#include "storage/schema_reference.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "storage/migrations.hpp"
#include "storage/testing/test_database.hpp"

namespace pawl::storage {
namespace {

// proves: S0-R1
TEST(SchemaReference, IsThatOfAFreshlyMigratedDatabase) {
  const char* source = std::getenv("PAWL_SOURCE_DIR");
  if (source == nullptr) GTEST_SKIP() << "PAWL_SOURCE_DIR is not set";
  std::string pattern = (std::filesystem::temp_directory_path() / "pawl-schema-XXXXXX").string();
  const std::filesystem::path folder = mkdtemp(pattern.data());
  {
    DatabaseOptions options;
    options.folder = folder;
    options.synchronous = false;
    const auto database = std::move(testing::open(options)).value();
    const SystemClock clock;
    ASSERT_FALSE(migrate_up(*database, clock).has_error());
    const auto reference = schema_reference(*database);
    ASSERT_FALSE(reference.has_error()) << reference.error().message;
    std::stringstream page;
    page << std::ifstream(std::filesystem::path(source) / "docs/schema.md").rdbuf();
    EXPECT_TRUE(*reference == page.str())
        << "docs/schema.md is another one: run `pawl migrate schema > docs/schema.md` on a migrated database";
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace pawl::storage
