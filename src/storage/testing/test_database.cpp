#include "storage/testing/test_database.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <random>

#include "base/assert.hpp"
#include "storage/detail/postgres_connection.hpp"

namespace pawl::storage::testing {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// The schemas of this program, by folder; drops them after its last test.
class Schemas : public ::testing::EmptyTestEventListener {
 public:
  void OnTestProgramEnd(const ::testing::UnitTest&) override {
    for (const auto& [folder, schema] : schemas_) static_cast<void>(administer(url_, "drop schema if exists " + schema + " cascade"));
  }

  std::string url_for(const std::string& folder) {
    const std::lock_guard lock(mutex_);
    auto& schema = schemas_[folder];
    if (schema.empty()) {
      schema = "test_" + std::to_string(std::random_device{}()) + "_" + std::to_string(schemas_.size());
      const auto created = administer(url_, "create schema " + schema);
      PAWL_ASSERT(created.has_value(), "a test can make its schema");
    }
    return url_ + (url_.find('?') == std::string::npos ? "?" : "&") + "options=-csearch_path%3D" + schema + "&application_name=" + schema;
  }

 private:
  std::mutex mutex_;
  const std::string url_ = variable("PAWL_TEST_DATABASE_URL");
  std::map<std::string, std::string> schemas_;
};

}  // namespace

bool on_postgresql() { return variable("PAWL_TEST_BACKEND") == "postgresql"; }

std::string url_of(const std::filesystem::path& folder) {
  static auto* const schemas = [] {
    auto made = std::make_unique<Schemas>();
    auto* const pointer = made.get();
    ::testing::UnitTest::GetInstance()->listeners().Append(made.release());  // owns it
    return pointer;
  }();
  return schemas->url_for(folder.string());
}

DatabaseOptions with_backend(DatabaseOptions options) {
  if (on_postgresql() && options.url.empty()) options.url = url_of(options.folder);
  return options;
}

Result<void> administer(const std::string& url, std::string_view sql) {
  PAWL_TRY(connection, detail::PostgresConnection::open({.url = url, .synchronous = false}));
  return connection->script(sql);
}

}  // namespace pawl::storage::testing
