#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>

#include "storage/database.hpp"
#include "storage/migrations.hpp"
#include "storage/testing/test_database.hpp"

namespace pawl::storage {
namespace {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "pawl-storage-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::unique_ptr<Database> open(const std::filesystem::path& folder, std::uint32_t max_pages = 0) {
  DatabaseOptions options;
  options.folder = folder;
  options.synchronous = false;
  options.max_pages = max_pages;
  auto opened = testing::open(options);
  EXPECT_FALSE(opened.has_error()) << opened.error().message;
  return std::move(opened).value();
}

Result<void> run(Database& database, std::string_view sql) {
  return database.write_and_wait([sql](Transaction& transaction) { return transaction.execute_script(sql); });
}

std::int64_t count(Database& database, std::string_view sql) {
  std::int64_t answer = -1;
  const auto read =
      database.read([&](Session& session) { return session.query(sql, {}, [&](const Row& row) { answer = row.integer(0); }); });
  EXPECT_FALSE(read.has_error());
  return answer;
}

// proves: S4-D1
TEST(Database, S4_D1_ItsFilesAreForItsUserAlone) {
  if (testing::on_postgresql()) GTEST_SKIP() << "of SQLite";
  const TemporaryFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
  const auto mode_of = [&](const char* name) {
    struct stat found {};
    EXPECT_EQ(::stat((folder.path() / name).c_str(), &found), 0) << name;
    return found.st_mode & 0777U;
  };
  const auto check = [&] {
    const auto database = open(folder.path());
    ASSERT_FALSE(run(*database, "create table if not exists t (a integer)").has_error());
    for (const auto* name : {"pawl.db", "pawl.db-wal", "pawl.db-shm"}) EXPECT_EQ(mode_of(name), 0600U) << name;
  };
  const auto before = ::umask(0);
  check();
  // Flawfinder: ignore (a folder of the test's own)
  ::chmod((folder.path() / "pawl.db").c_str(), 0644);  // of an earlier version
  check();
  ::umask(before);
}

TEST(Database, NumbersParametersByTheirNumberAndNotByTheirPlace) {
  const TemporaryFolder folder;
  const auto database = open(folder.path());
  ASSERT_FALSE(run(*database, "create table t (id bigint, a bigint); insert into t values (1, 0), (2, 0)").has_error());
  const auto written = database->write_and_wait([](Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(transaction.execute("update t set a = $2 where id = $1", {1, 7}));
    return {};
  });
  ASSERT_FALSE(written.has_error());
  EXPECT_EQ(count(*database, "select a from t where id = 1"), 7);
  EXPECT_EQ(count(*database, "select a from t where id = 2"), 0);
}

TEST(Database, KeepsEveryTypeOfValue) {
  const TemporaryFolder folder;
  const auto database = open(folder.path());
  ASSERT_FALSE(run(*database, testing::on_postgresql() ? "create table t (a bigint, b text, c bytea, d bytea, e bigint)"
                                                       : "create table t (a integer, b text, c blob, d blob, e integer)")
                   .has_error());
  SystemRandom random;
  const auto id = RunId::make(TimePoint(Millis(1234567)), random);
  const std::string bytes("\0x\xff", 3);
  ASSERT_FALSE(database
                   ->write_and_wait([&](Transaction& transaction) -> Result<void> {
                     PAWL_TRY_VOID(
                         transaction.execute("insert into t values ($1, $2, $3, $4, $5)",
                                             {INT64_MIN, std::string_view{}, Parameter::blob(bytes), id, std::optional<TimePoint>{}}));
                     return {};
                   })
                   .has_error());
  int rows = 0;
  const auto read = database->read([&](Session& session) {
    return session.query("select a, b, c, d, e from t", {}, [&](const Row& row) {
      ++rows;
      EXPECT_EQ(row.integer(0), INT64_MIN);
      EXPECT_EQ(row.text(1), "");
      EXPECT_FALSE(row.is_null(1));
      EXPECT_EQ(row.blob(2), bytes);
      EXPECT_EQ(row.id<RunId>(3), id);
      EXPECT_FALSE(row.optional_time(4).has_value());
    });
  });
  EXPECT_FALSE(read.has_error());
  EXPECT_EQ(rows, 1);
}

TEST(Database, AFailedWriteUndoesItselfAlone) {
  const TemporaryFolder folder;
  const auto database = open(folder.path());
  ASSERT_FALSE(run(*database, "create table t (a integer primary key)").has_error());
  std::vector<std::string> answers;
  const auto insert = [](std::int64_t value) {
    return [value](Transaction& transaction) -> Result<void> {
      PAWL_TRY_VOID(transaction.execute("insert into t values ($1)", {value}));
      if (value == 3) return Error{ErrorClass::invalid, "test.refused", "three is refused"};
      return {};
    };
  };
  const auto note = [&answers](Result<void> result) { answers.push_back(result.has_error() ? result.error().code : "ok"); };
  for (const std::int64_t value : {1, 2, 2, 3}) database->write(insert(value), note);
  ASSERT_FALSE(database->write_and_wait(insert(4)).has_error());
  EXPECT_THAT(answers, ::testing::ElementsAre("ok", "ok", "storage.constraint", "test.refused"));
  EXPECT_EQ(count(*database, "select sum(a) from t"), 1 + 2 + 4);
}

TEST(Database, CommitsWhatHasQueuedUpTogether) {
  const TemporaryFolder folder;
  const auto database = open(folder.path());
  ASSERT_FALSE(run(*database, "create table t (a integer)").has_error());
  const auto before = database->statistics();
  // The first write holds the writer until all others are queued.
  std::mutex gate;
  gate.lock();
  database->write(
      [&gate](Transaction&) -> Result<void> {
        const std::lock_guard wait(gate);
        return {};
      },
      {});
  const auto insert = [](Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(transaction.execute("insert into t values (1)"));
    return {};
  };
  for (int i = 0; i < 100; ++i) database->write(insert, {});
  gate.unlock();
  ASSERT_FALSE(database->write_and_wait(insert).has_error());
  EXPECT_LE(database->statistics().commits - before.commits, 3U);
  EXPECT_EQ(count(*database, "select count(*) from t"), 101);
}

TEST(Database, AFullDiskPoisonsAndIsToldOnce) {
  if (testing::on_postgresql()) GTEST_SKIP() << "of SQLite";
  const TemporaryFolder folder;
  const auto database = open(folder.path(), 30);
  std::vector<std::string> told;
  database->on_poisoned([&told](const Error& error) { told.push_back(error.code); });
  ASSERT_FALSE(run(*database, "create table t (a blob)").has_error());
  const std::string large(200'000, 'x');
  const auto insert = [&large](Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(transaction.execute("insert into t values ($1)", {Parameter::blob(large)}));
    return {};
  };
  const auto first = database->write_and_wait(insert);
  ASSERT_TRUE(first.has_error());
  EXPECT_EQ(first.error().code, "storage.full");
  EXPECT_EQ(database->write_and_wait(insert).error().code, "storage.poisoned");
  EXPECT_TRUE(database->is_poisoned());
  EXPECT_THAT(told, ::testing::ElementsAre("storage.full"));
  EXPECT_EQ(count(*database, "select count(*) from t"), 0);  // reading goes on
}

TEST(Database, AnErrorWhereNoneIsAllowedPoisons) {
  const TemporaryFolder folder;
  const auto database = open(folder.path());
  database->write_or_poison([](Transaction&) { return Result<void>(Error{ErrorClass::internal, "test.bug", "a bug"}); }, {}, 10);
  EXPECT_TRUE(run(*database, "select 1").has_error());  // may have shared the commit that failed
  EXPECT_EQ(run(*database, "select 1").error().code, "storage.poisoned");
  EXPECT_EQ(database->queue_bytes(), 0U);
}

TEST(Database, ATakenKeyIsFoundOutBeforeTheCommitEndsAndTheWorkRunAgain) {
  const TemporaryFolder folder;
  const auto database = open(folder.path());
  ASSERT_FALSE(run(*database, "create table t (a bigint primary key)").has_error());
  std::vector<std::int64_t> taken;
  const auto insert_next_free = [&taken](Transaction& transaction) -> Result<void> {
    for (std::int64_t key = 1;; ++key) {
      PAWL_TRY(inserted, transaction.try_insert("insert into t values ($1) on conflict (a) do nothing", {key}));
      if (!inserted) continue;
      taken.push_back(key);
      return {};
    }
  };
  for (int i = 0; i < 3; ++i) database->write_or_poison(insert_next_free, {}, 8);
  ASSERT_FALSE(database->write_and_wait(insert_next_free).has_error());
  EXPECT_EQ(count(*database, "select count(*) from t"), 4);
  EXPECT_EQ(count(*database, "select max(a) from t"), 4);
  EXPECT_EQ(taken.back(), 4);  // before that, guesses
}

// proves: S4-H5, AI-H2
TEST(Database, WaitsForAReaderNoLongerThanItIsTold) {
  const TemporaryFolder folder;
  DatabaseOptions options;
  options.folder = folder.path();
  options.readers = 1;
  options.pool_size = 1;
  options.max_overflow = 0;
  options.pool_timeout = Millis(20);
  const auto database = std::move(testing::open(options)).value();
  const auto nested = database->read([&](Session&) -> Result<void> {
    EXPECT_EQ(database->pool().out, 1U);
    const auto second = database->read([](Session& session) { return session.query("select 1", {}, [](const Row&) {}); });
    EXPECT_TRUE(second.has_error());
    EXPECT_EQ(second.error().code, "storage.pool_exhausted");
    return {};
  });
  EXPECT_FALSE(nested.has_error());
  EXPECT_EQ(database->pool().out, 0U);
  EXPECT_EQ(database->pool().exhausted, 1U);
}

TEST(Database, TheFolderIsPrivateAndBelongsToOneProcess) {
  const TemporaryFolder parent;
  const auto folder = parent.path() / "a" / "data";
  {
    const auto database = open(folder);
    struct stat status {};
    ASSERT_EQ(stat(folder.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U);
    DatabaseOptions options;
    options.folder = folder;
    const auto second = testing::open(options);
    ASSERT_TRUE(second.has_error());
    EXPECT_EQ(second.error().code, "storage.locked");
    EXPECT_THAT(second.error().message, ::testing::HasSubstr("in use by another Pawl process"));
  }
  open(folder);  // free again
}

TEST(Database, AnswersAPing) {
  const TemporaryFolder folder;
  EXPECT_FALSE(open(folder.path())->ping(Millis(10'000)).has_error());
}

// proves: O4, S4-M5, AI-M13
TEST(Migrations, GoUpAndDownAndUpAgain) {
  const TemporaryFolder folder;
  const auto database = open(folder.path());
  const SystemClock clock;
  EXPECT_EQ(verify_migrations(*database).error().code, "storage.migration_pending");
  const auto all = static_cast<std::uint32_t>(embedded_migrations().size());
  EXPECT_EQ(migrate_up(*database, clock).value(), all);
  EXPECT_EQ(migrate_up(*database, clock).value(), 0U);
  EXPECT_FALSE(verify_migrations(*database).has_error());
  for (auto left = all; left > 0; --left) {
    const auto version = migrate_down(*database);
    ASSERT_FALSE(version.has_error()) << version.error().message;
    EXPECT_EQ(version.value(), embedded_migrations()[left - 1].version);
  }
  EXPECT_EQ(migrate_down(*database).value(), 0U);
  EXPECT_EQ(count(*database, testing::on_postgresql()
                                 ? "select count(*) from pg_tables where schemaname = current_schema() and tablename <> 'schema_migrations'"
                                 : "select count(*) from sqlite_master where name not like 'sqlite_%' and name <> 'schema_migrations'"),
            0);
  EXPECT_EQ(migrate_up(*database, clock).value(), all);
}

// proves: O4, S4-M5, S4-A-P2, AI-M13, AI-C2
TEST(Migrations, LeadFromEveryEarlierVersionToTheNewest) {
  const SystemClock clock;
  for (const auto& from : embedded_migrations()) {
    const TemporaryFolder folder;
    const auto database = open(folder.path());
    ASSERT_TRUE(migrate_up(*database, clock, from.version).has_value()) << from.name;
    const auto status = migration_status(*database);
    ASSERT_TRUE(status.has_value());
    for (const auto& each : *status) EXPECT_EQ(each.applied_at.has_value(), each.version <= from.version);
    const auto applied = migrate_up(*database, clock);
    ASSERT_TRUE(applied.has_value()) << "from " << from.name << ": " << applied.error().message;
    EXPECT_FALSE(verify_migrations(*database).has_error());
  }
}

TEST(Migrations, HaveNumbersOfTheirOwnAndAWayBack) {
  std::uint32_t last = 0;
  for (const auto& migration : embedded_migrations()) {
    EXPECT_GT(migration.version, last);
    last = migration.version;
    EXPECT_FALSE(migration.down.empty()) << migration.name;
  }
}

TEST(Migrations, NoticeAChangedTextAndANewerProgram) {
  const TemporaryFolder folder;
  const auto database = open(folder.path());
  const SystemClock clock;
  ASSERT_FALSE(migrate_up(*database, clock).has_error());
  ASSERT_FALSE(run(*database, "insert into schema_migrations values (9999, 'later', '', 0)").has_error());
  EXPECT_EQ(verify_migrations(*database).error().code, "storage.migration_unknown");
  EXPECT_EQ(migrate_up(*database, clock).error().code, "storage.migration_unknown");
  ASSERT_FALSE(
      run(*database, "delete from schema_migrations where version = 9999; update schema_migrations set checksum = 'x'").has_error());
  EXPECT_EQ(verify_migrations(*database).error().code, "storage.migration_changed");
}

}  // namespace
}  // namespace pawl::storage
