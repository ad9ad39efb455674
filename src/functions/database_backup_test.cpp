// `database-backup` on real databases.
#include <gmock/gmock.h>
#include <sqlite3.h>

#include <cstdlib>

#include "functions/testing/bench.hpp"
#include "json/write.hpp"
#include "net/address_policy.hpp"
#include "net/scripted_outbound.hpp"

namespace pawl::functions {
namespace {

using testing::HasSubstr;

class DatabaseBackup : public testing::Test {
 protected:
  std::string call(const std::string& arguments) {
    const auto outcome = bench_.call("database-backup", arguments);
    return json::to_text(outcome.ok() ? outcome.output : outcome.error);
  }
  net::ScriptedOutbound outbound_;
  net::AddressPolicy policy_{.allow_private = true};
  Bench bench_{outbound_, {}, &policy_};
};

TEST_F(DatabaseBackup, CopiesADatabaseThatIsInUse) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((bench_.root() + "/shop.db").c_str(), &database), SQLITE_OK);
  ASSERT_EQ(
      sqlite3_exec(database, "pragma journal_mode = wal; create table t (a); insert into t values (1), (2)", nullptr, nullptr, nullptr),
      SQLITE_OK);
  EXPECT_THAT(call(R"({"path": "shop.db", "target": "backups/shop.db"})"), HasSubstr(R"("created":true)"));
  EXPECT_EQ(sqlite3_exec(database, "insert into t values (3)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(database);
  const auto rows = bench_.call("sql-query", R"({"path": "backups/shop.db", "query": "select count(*) as n from t"})");
  EXPECT_EQ(json::to_text(rows.output.get("rows")), R"([{"n":2}])") << json::to_text(rows.error);
  for (const auto& entry : std::filesystem::directory_iterator(bench_.root() + "/backups")) EXPECT_EQ(entry.path().filename(), "shop.db");
}

TEST_F(DatabaseBackup, NeverReplacesUnlessAsked) {
  bench_.write("here.db", "something else");
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((bench_.root() + "/shop.db").c_str(), &database), SQLITE_OK);
  sqlite3_exec(database, "create table t (a)", nullptr, nullptr, nullptr);
  sqlite3_close(database);
  EXPECT_THAT(call(R"({"path": "shop.db", "target": "here.db"})"), HasSubstr("exists already"));
  EXPECT_EQ(bench_.read("here.db"), "something else");
  const auto* function = bench_.registry.get("database-backup");
  EXPECT_TRUE(function->destroys(json::parse(R"({"overwrite": true})").value()));
  EXPECT_FALSE(function->destroys(json::parse("{}").value()));
  EXPECT_THAT(call(R"({"path": "shop.db", "target": "here.db", "overwrite": true, "allow_destructive": true})"),
              HasSubstr(R"("created":false)"));
  EXPECT_THAT(call(R"({"path": "missing.db", "target": "x.db"})"), HasSubstr("there is no"));
  EXPECT_THAT(call(R"({"path": "../x.db", "target": "x.db"})"), HasSubstr("authorization"));
  EXPECT_THAT(call(R"({"path": "shop.db", "target": "../x.db"})"), HasSubstr("authorization"));
  bench_.write("text.db", std::string(10'000, 'x'));
  EXPECT_THAT(call(R"({"path": "text.db", "target": "y.db"})"), HasSubstr("cannot be read"));
  EXPECT_FALSE(std::filesystem::exists(bench_.root() + "/y.db"));
}

TEST_F(DatabaseBackup, DumpsPostgresqlWhereItsAddressIsPermitted) {
  const char* url = std::getenv("PAWL_TEST_DATABASE_URL");
  if (url == nullptr) GTEST_SKIP() << "PAWL_TEST_DATABASE_URL is not set; scripts/services starts one";
  // Not the database of the tests beside this one, whose schemas come and go.
  std::string still(url);
  still.replace(still.rfind('/'), std::string::npos, "/template1");
  const std::string arguments = R"({"connection_string": ")" + still + R"(", "format": "plain", "target": "dump.sql"})";
  EXPECT_THAT(call(arguments), HasSubstr(R"("created":true)"));
  EXPECT_THAT(bench_.read("dump.sql"), HasSubstr("PostgreSQL database dump"));
  policy_.allow_private = false;
  EXPECT_THAT(call(std::string(R"({"connection_string": ")") + url + R"(", "target": "other.dump"})"), HasSubstr("net.refused_address"));
  EXPECT_FALSE(std::filesystem::exists(bench_.root() + "/other.dump"));
}

}  // namespace
}  // namespace pawl::functions
