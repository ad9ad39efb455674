// `sql-query` on real SQLite files, and on the PostgreSQL that scripts/services starts.
#include <gmock/gmock.h>
#include <sqlite3.h>

#include <cstdlib>

#include "functions/detail/sql.hpp"
#include "functions/testing/bench.hpp"
#include "json/write.hpp"
#include "net/scripted_outbound.hpp"

namespace pawl::functions {
namespace {

using testing::HasSubstr;

// An administrator's hands, beside the function.
void make_database(const std::string& path, const char* sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
  sqlite3_close(database);
}

class SqlQuery : public testing::Test {
 protected:
  void SetUp() override {
    make_database(bench_.root() + "/shop.db",
                  "create table products (name text, price real, stock integer, picture blob, updated_at text);"
                  "insert into products values ('tea', 2.5, 3, x'ff00', '2026-01-01'), ('cup', 7, null, null, 'now')");
  }
  std::string call(const json::Value& arguments) {
    const auto outcome = bench_.finish("sql-query", bench_.invocation(json::to_text(arguments)));
    return json::to_text(outcome.ok() ? outcome.output : outcome.error);
  }
  std::string query(std::string_view sql, json::Value parameters = {}) {
    json::Value arguments = json::Value::object({{"path", "shop.db"}, {"query", sql}});
    if (!parameters.is_null()) arguments.set("parameters", std::move(parameters));
    return call(arguments);
  }
  std::string write(std::string_view sql) {
    return call(json::Value::object({{"path", "shop.db"}, {"query", sql}, {"read_only", false}, {"allow_destructive", true}}));
  }
  net::ScriptedOutbound outbound_;
  Bench bench_{outbound_};
};

TEST_F(SqlQuery, RowsHaveTheirTypes) {
  EXPECT_EQ(query("select * from products where name = 'tea'"),
            R"({"rows":[{"name":"tea","price":2.5,"stock":3,"picture":"/wA=","updated_at":"2026-01-01"}],)"
            R"("columns":["name","price","stock","picture","updated_at"],"count":1,"limited":false})");
  EXPECT_THAT(query("select 1 as a, 2 as a"), HasSubstr(R"([{"a":1,"a_2":2}])"));
}

TEST_F(SqlQuery, S4_O3_ParametersAreValuesAndNeverText) {
  EXPECT_THAT(query("select name from products where price < :most", json::Value::object({{"most", 3}})), HasSubstr(R"([{"name":"tea"}])"));
  EXPECT_THAT(query("select name from products where name = $1", json::Value::array({"cup"})), HasSubstr(R"([{"name":"cup"}])"));
  EXPECT_THAT(query("select name from products where name = ?", json::Value::array({"' or 1=1 --"})), HasSubstr(R"("count":0)"));
  EXPECT_THAT(query("select :missing"), HasSubstr("there is no parameter :missing"));
}

TEST_F(SqlQuery, TheLimitEndsAReading) {
  const auto some = json::Value::object(
      {{"path", "shop.db"}, {"limit", 2}, {"query", "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n"}});
  EXPECT_EQ(call(some), R"({"rows":[{"i":1},{"i":2}],"columns":["i"],"count":2,"limited":true})");
}

TEST_F(SqlQuery, AI_C3_ReadOnlyIsKeptByTheDatabase) {
  make_database(bench_.root() + "/other.db", "create table t (a)");
  for (const char* sql :
       {"update products set price = 0", "delete from products", "insert into products (name) values ('x')", "drop table products",
        "create table t (a)", "create temp table t (a)", "pragma user_version = 7", "pragma writable_schema = 1",
        "pragma journal_mode = delete", "attach 'other.db' as other", "vacuum into 'copy.db'", "begin", "commit",
        "select load_extension('x')", "with t as (select 1) delete from products"}) {
    EXPECT_THAT(query(sql), testing::AnyOf(HasSubstr("authorization"), HasSubstr("no such function"))) << sql;
  }
  EXPECT_THAT(query("select 1; delete from products"), HasSubstr("only one statement"));
  EXPECT_THAT(query("select count(*) as n from products"), HasSubstr(R"([{"n":2}])"));
  EXPECT_THAT(query("pragma table_info('products')"), HasSubstr("updated_at"));
  EXPECT_FALSE(std::filesystem::exists(bench_.root() + "/copy.db"));
}

TEST_F(SqlQuery, WritingNeedsToBeAskedForAndIsCounted) {
  const auto* function = bench_.registry.get("sql-query");
  EXPECT_FALSE(function->destroys(json::parse(R"({"query": "select 1"})").value()));
  EXPECT_TRUE(function->destroys(json::parse(R"({"query": "select 1", "read_only": false})").value()));
  EXPECT_THAT(write("update products set price = 1"), HasSubstr(R"("rows_affected":2)"));
  EXPECT_THAT(write("insert into products (name) values ('new') returning name"), HasSubstr(R"("rows":[{"name":"new"}])"));
  EXPECT_THAT(query("select count(*) as n from products"), HasSubstr(R"([{"n":3}])"));
  EXPECT_THAT(write("attach 'x.db' as other"), HasSubstr("authorization"));
  EXPECT_THAT(write("pragma journal_mode = off"), HasSubstr("authorization"));
}

TEST_F(SqlQuery, S4_M2_LongStatementsEndWithTheirTimeOrTheCall) {
  constexpr const char* kEndless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";
  json::Value arguments = json::Value::object({{"path", "shop.db"}, {"query", kEndless}, {"timeout", 0.05}});
  EXPECT_THAT(call(arguments), HasSubstr("timeout"));
  arguments.set("timeout", 60);
  auto [future, cancel] = bench_.start("sql-query", bench_.invocation(json::to_text(arguments)));
  cancel();
  ASSERT_EQ(future.wait_for(std::chrono::seconds(2)), std::future_status::ready);
  EXPECT_THAT(json::to_text(future.get().error), HasSubstr("cancelled"));
}

// A journal left by a crash may name a super-journal, which SQLite would read and delete once it has rolled back.
TEST_F(SqlQuery, F3_AJournalThatIsLaidBesideADatabaseDeletesNothingElse) {
  const std::string victim = bench_.root() + "/../victim";
  std::ofstream(victim) << "precious";
  const auto number = [](std::uint32_t value) {
    return std::string{static_cast<char>(value >> 24U), static_cast<char>(value >> 16U), static_cast<char>(value >> 8U),
                       static_cast<char>(value)};
  };
  const auto size = std::filesystem::file_size(bench_.root() + "/shop.db");
  constexpr std::uint32_t kPage = 4096;
  constexpr std::uint32_t kSector = 512;
  const std::string magic = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7";
  std::uint32_t sum = 0;
  for (const char c : victim) sum += static_cast<std::uint32_t>(c);
  std::string journal = magic + number(0) + number(1) + number(static_cast<std::uint32_t>(size / kPage)) + number(kSector) + number(kPage);
  journal.resize(kSector);
  journal += number(0x40000000U / kPage + 1) + victim + number(static_cast<std::uint32_t>(victim.size())) + number(sum) + magic;
  bench_.write("shop.db-journal", journal);
  EXPECT_THAT(write("update products set price = 1"), HasSubstr(R"("rows_affected":2)"));
  EXPECT_TRUE(std::filesystem::exists(victim));
  EXPECT_FALSE(std::filesystem::exists(bench_.root() + "/shop.db-journal"));  // it was taken for one, and is done with
}

TEST_F(SqlQuery, F3_OnlyFilesBelowTheRootsAreOpened) {
  make_database(bench_.root() + "/../outside.db", "create table secret (a)");
  std::filesystem::create_symlink(bench_.root() + "/../outside.db", bench_.root() + "/link.db");
  std::filesystem::create_directory_symlink(bench_.root() + "/..", bench_.root() + "/up");
  const auto open = [&](const std::string& path) {
    return call(json::Value::object({{"connection_string", path}, {"database_type", "sqlite"}, {"query", "select * from secret"}}));
  };
  for (const std::string path : {"link.db", "up/outside.db", "../outside.db", "sqlite:///../outside.db", "sqlite:up/outside.db"}) {
    EXPECT_THAT(open(path), HasSubstr("authorization")) << path;
  }
  EXPECT_THAT(open(bench_.root() + "/../outside.db"), HasSubstr("authorization"));
  EXPECT_THAT(open("missing.db"), HasSubstr("there is no"));
  EXPECT_THAT(open("file:shop.db?vfs=unix"), HasSubstr("there is no"));
  std::filesystem::create_directory(bench_.root() + "/folder");
  EXPECT_THAT(open("folder"), HasSubstr("not a regular file"));
}

TEST(SqlQueryHidden, TheDataFolderIsNeverOpened) {
  std::string folder = "/tmp/pawl-test-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  std::filesystem::create_directories(folder + "/data");
  make_database(folder + "/data/pawl.db", "create table users (a)");
  net::ScriptedOutbound outbound;
  async::BlockingPool pool("test", 1, 10);
  SystemClock clock;
  SystemRandom random;
  engine::FunctionRegistry registry;
  FunctionsOptions options;
  options.roots = {folder};
  options.hidden = {folder + "/data"};
  ASSERT_TRUE(add_builtin_functions(registry, {outbound, pool, clock, random}, options).has_value());
  for (const char* query : {"select * from users", "create table mine (a)"}) {
    std::promise<engine::Outcome> promise;
    engine::Invocation call;
    call.arguments = json::Value::object({{"path", "data/pawl.db"}, {"query", query}, {"read_only", false}});
    static_cast<void>(
        registry.get("sql-query")->start(std::move(call), [&](engine::Outcome outcome) { promise.set_value(std::move(outcome)); }));
    EXPECT_THAT(json::to_text(promise.get_future().get().error), HasSubstr("authorization"));
  }
  std::filesystem::remove_all(folder);
}

TEST(SqlParameters, NamesAreReplacedOutsideOfTextsAndComments) {
  const json::Value given = json::Value::object({{"a", 1}, {"b", 2}});
  const auto text = [&](std::string_view sql) {
    const auto numbered = number_parameters(sql, given);
    return numbered.has_value() ? numbered->text : numbered.error().message;
  };
  EXPECT_EQ(text("select :a, :b, :a"), "select $1, $2, $1");
  EXPECT_EQ(text("select ':a', \":a\", $$:a$$, $x$ :a $$ $x$, :b"), "select ':a', \":a\", $$:a$$, $x$ :a $$ $x$, $1");
  EXPECT_EQ(text("select 1::int, x[1:a] -- :a\n, :a /* :b /* */ :b */"), "select 1::int, x[1:a] -- :a\n, $1 /* :b /* */ :b */");
  EXPECT_EQ(text("select E'\\':a', 'it''s :a', :a"), "select E'\\':a', 'it''s :a', $1");
  EXPECT_EQ(text("select :c"), "there is no parameter 'c'");
}

TEST(SqlConnection, StringsNameOneServerAndNoFilesOfThisMachine) {
  const auto address = PostgresAddress::parse("postgresql+asyncpg://me:secret@db.example:5433/shop?sslmode=require");
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(address->display(), "postgresql://db.example:5433/shop");
  EXPECT_EQ(address->password, "secret");
  for (const char* bad : {"postgresql:///shop", "postgresql://%2Fvar%2Frun/shop", "postgresql://a,b/shop", "host=a hostaddr=127.0.0.1",
                          "host=a passfile=/etc/passwd", "host=a service=x", "host=a sslrootcert=/etc/passwd", "host=a options='-c x=y'",
                          "host=a port=1,2", "nonsense"}) {
    EXPECT_TRUE(PostgresAddress::parse(bad).has_error()) << bad;
  }
}

TEST(SqlConnection, EncryptionIsRequiredInThePublicInternetUnlessSaidOtherwise) {
  PostgresAddress address;
  EXPECT_EQ(address.sslmode_for({"8.8.8.8"}), "require");
  EXPECT_EQ(address.sslmode_for({"10.0.0.1", "2001:4860:4860::8888"}), "require");
  EXPECT_EQ(address.sslmode_for({"10.0.0.1", "::1"}), "prefer");
  address.sslmode = "disable";
  EXPECT_EQ(address.sslmode_for({"8.8.8.8"}), "disable");
}

// ---- PostgreSQL -----------------------------------------------------------------------------------------------------------------------

class SqlQueryPostgres : public testing::Test {
 protected:
  void SetUp() override {
    const char* url = std::getenv("PAWL_TEST_DATABASE_URL");
    if (url == nullptr) GTEST_SKIP() << "PAWL_TEST_DATABASE_URL is not set; scripts/services starts one";
    auto address = PostgresAddress::parse(url);
    ASSERT_TRUE(address.has_value()) << address.error().message;
    address_ = std::move(address).value();
    policy_.allow_private = true;
  }
  std::string run(std::string_view sql, json::Value parameters = {}, bool read_only = true, std::size_t limit = 10) {
    SqlStatement statement;
    statement.text = sql;
    statement.parameters = std::move(parameters);
    statement.read_only = read_only;
    statement.limit = limit;
    statement.deadline = std::chrono::steady_clock::now() + time_;
    const auto answer = query_postgres(address_, policy_, statement, cancelled_);
    return answer.has_value() ? json::to_text(*answer) : answer.error().code + ": " + answer.error().message;
  }
  std::string write(std::string_view sql) { return run(sql, {}, false); }

  PostgresAddress address_;
  net::AddressPolicy policy_;
  std::atomic<bool> cancelled_{false};
  Millis time_{20'000};
};

TEST_F(SqlQueryPostgres, RowsHaveTheirTypes) {
  EXPECT_EQ(
      run("select 1 as i, true as b, 1.5::float8 as f, 2.25 as n, null as z, 'x' as t, '{\"a\": [1]}'::jsonb as j, '\\xff00'::bytea as y, "
          "date '2026-01-31' as d, 12345678901234567.25 as long"),
      R"({"rows":[{"i":1,"b":true,"f":1.5,"n":2.25,"z":null,"t":"x","j":{"a":[1]},"y":"/wA=","d":"2026-01-31",)"
      R"("long":"12345678901234567.25"}],"columns":["i","b","f","n","z","t","j","y","d","long"],"count":1,"limited":false})");
}

TEST_F(SqlQueryPostgres, ParametersAreValues) {
  EXPECT_THAT(run("select :a::int + :b::int as sum", json::Value::object({{"a", 1}, {"b", 2}})), HasSubstr(R"([{"sum":3}])"));
  EXPECT_THAT(run("select $1::text as t", json::Value::array({"'; drop table x --"})), HasSubstr("drop table x"));
}

TEST_F(SqlQueryPostgres, AI_C3_ReadOnlyIsKeptByTheDatabase) {
  EXPECT_THAT(write("drop table if exists pawl_sql_test"), HasSubstr("rows_affected"));
  EXPECT_THAT(write("create table pawl_sql_test (a int)"), HasSubstr("rows_affected"));
  EXPECT_THAT(write("insert into pawl_sql_test values (1), (2)"), HasSubstr(R"("rows_affected":2)"));
  for (const char* sql :
       {"delete from pawl_sql_test", "update pawl_sql_test set a = 5", "drop table pawl_sql_test", "create table pawl_sql_test_2 (a int)",
        "with gone as (delete from pawl_sql_test returning a) select * from gone", "do $$ begin delete from pawl_sql_test; end $$",
        "do $$ begin execute 'set transaction read write'; execute 'delete from pawl_sql_test'; end $$",
        "do $$ begin perform set_config('transaction_read_only', 'off', false); delete from pawl_sql_test; end $$",
        "do $$ begin commit; delete from pawl_sql_test; end $$", "select 1; delete from pawl_sql_test",
        "commit; delete from pawl_sql_test"}) {
    EXPECT_THAT(run(sql), HasSubstr("sql.")) << sql;
  }
  EXPECT_THAT(run("set transaction read write"), HasSubstr("sql."));
  EXPECT_THAT(run("select count(*) as n from pawl_sql_test"), HasSubstr(R"([{"n":2}])"));
  EXPECT_THAT(write("drop table pawl_sql_test"), HasSubstr("rows_affected"));
}

TEST_F(SqlQueryPostgres, AnExpressionOfManyMegabytesIsSent) {
  EXPECT_THAT(run("select length($1) as n", json::Value::array({std::string(20'000'000, 'x')})), HasSubstr(R"([{"n":20000000}])"));
}

// A row that is larger than an answer may be is not gathered first.
TEST_F(SqlQueryPostgres, S4_M2_OneRowThatIsTooLargeEndsTheStatement) {
  EXPECT_THAT(run("select repeat('x', 100000000) as a"), HasSubstr("allowed"));
  EXPECT_THAT(run("select repeat('x', 1000000) as a from generate_series(1, 12)", {}, true, 20), HasSubstr("\"count\":12"));
}

TEST_F(SqlQueryPostgres, TheLimitEndsAReading) {
  EXPECT_THAT(run("select generate_series(1, 100000000) as i", {}, true, 2),
              HasSubstr(R"([{"i":1},{"i":2}],"columns":["i"],"count":2,"limited":true)"));
}

TEST_F(SqlQueryPostgres, S4_M2_ACancelEndsTheStatementAtTheServer) {
  time_ = Millis(300);
  EXPECT_THAT(run("select pg_sleep(60) /* pawl_sql_cancel */"), HasSubstr("sql.timeout"));
  time_ = Millis(20'000);
  // The server needs a moment to notice: asked by the clock of the server itself.
  EXPECT_THAT(
      run("select count(*) as n from pg_stat_activity, pg_sleep(0.3) where query like '%pawl_sql_' || 'cancel%' and state = 'active' "
          "and pid <> pg_backend_pid()"),
      HasSubstr(R"([{"n":0}])"));
  cancelled_ = true;
  EXPECT_THAT(run("select pg_sleep(60)"), HasSubstr("sql.cancelled"));
}

TEST_F(SqlQueryPostgres, S4_O10_TheGuardLooksAtTheResolvedAddress) {
  policy_.allow_private = false;
  EXPECT_THAT(run("select 1"), HasSubstr("net.refused_address"));
  for (const char* host : {"localhost", "127.0.0.1", "::1", "169.254.169.254", "::ffff:127.0.0.1", "2130706433", "0x7f.1"}) {
    address_.host = host;
    EXPECT_THAT(run("select 1"), testing::AnyOf(HasSubstr("net.refused_address"), HasSubstr("net.dns"))) << host;
  }
}

TEST_F(SqlQueryPostgres, AWrongPasswordIsSaidWithoutIt) {
  address_.user = "nobody_known";
  address_.password = "canary-password";
  const std::string said = run("select 1");
  EXPECT_THAT(said, HasSubstr("sql."));
  EXPECT_THAT(said, testing::Not(HasSubstr("canary")));
}

}  // namespace
}  // namespace pawl::functions
