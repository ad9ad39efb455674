// What only a server database can suffer: cut lines, killed backends, a second engine, too many readers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <charconv>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

#include "storage/database.hpp"
#include "storage/migrations.hpp"
#include "storage/testing/tcp_proxy.hpp"
#include "storage/testing/test_database.hpp"
#include "storage/vacancy.hpp"

namespace pawl::storage {
namespace {

constexpr std::string_view kSessions = "select count(*) from pg_stat_activity where application_name = current_schema()";
constexpr std::string_view kKill =
    "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = current_schema() and pid <> pg_backend_pid()";

class Postgresql : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::on_postgresql()) GTEST_SKIP() << "of PostgreSQL";
    std::string pattern = (std::filesystem::temp_directory_path() / "pawl-postgresql-XXXXXX").string();
    options_.folder = mkdtemp(pattern.data());
    options_.synchronous = false;
    url_ = options_.url = testing::url_of(options_.folder);
  }
  void TearDown() override {
    database_.reset();
    another_.reset();
    if (!options_.folder.empty()) std::filesystem::remove_all(options_.folder);
  }

  /// Through a line that can be cut.
  void open_through_proxy() {
    const auto at = url_.find('@');
    const auto colon = url_.find(':', at);
    const auto slash = url_.find('/', colon);
    std::uint16_t port = 0;
    std::from_chars(url_.data() + colon + 1, url_.data() + slash, port);
    proxy_ = std::make_unique<testing::TcpProxy>(port);
    options_.url = url_.substr(0, colon + 1) + std::to_string(proxy_->port()) + url_.substr(slash);
    open();
  }
  void open() {
    auto opened = Database::open(options_);
    ASSERT_FALSE(opened.has_error()) << opened.error().message;
    database_ = std::move(opened).value();
    const SystemClock clock;
    ASSERT_FALSE(migrate_up(*database_, clock).has_error());
    ASSERT_FALSE(testing::administer(url_, "create table if not exists t (a bigint primary key)").has_error());
  }
  /// As another process on another machine.
  void open_another() {
    auto other = options_;
    other.url = url_;
    other.folder = options_.folder / "other";
    wait_until([&] {
      auto opened = Database::open(other);
      if (opened.has_value()) another_ = std::move(*opened);
      return another_ != nullptr;
    });
  }
  [[nodiscard]] std::int64_t count(std::string_view sql) {
    std::int64_t answer = -1;
    const auto read =
        database_->read([&](Session& session) { return session.query(sql, {}, [&](const Row& row) { answer = row.integer(0); }); });
    EXPECT_FALSE(read.has_error()) << read.error().message;
    return answer;
  }
  [[nodiscard]] static Database::Work insert(std::int64_t value) {
    return [value](Transaction& transaction) { return transaction.queue("insert into t values ($1)", {value}); };
  }
  /// Asks again until the answer is this one; the test's own limit of time ends it otherwise.
  template <class Condition>
  static void wait_until(Condition&& condition) {
    while (!condition()) std::this_thread::yield();
  }

  DatabaseOptions options_;
  std::string url_;
  std::unique_ptr<testing::TcpProxy> proxy_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<Database> another_;
};

TEST_F(Postgresql, ASecondEngineIsRefused) {
  open();
  auto other = options_;
  other.folder = options_.folder / "other";
  const auto second = Database::open(other);
  ASSERT_TRUE(second.has_error());
  EXPECT_EQ(second.error().code, "storage.locked");
  database_.reset();
  EXPECT_FALSE(Database::open(other).has_error());  // free again
}

// ---- one engine after the other --------------------------------------------------------------------------------------------------

// proves: O5
TEST_F(Postgresql, AnEngineThatWasSupersededWritesNothingMoreAlsoWhenTheLockIsFree) {
  open_through_proxy();
  ASSERT_FALSE(database_->write_and_wait(insert(1)).has_error());
  std::promise<std::string> told;
  database_->on_poisoned([&](const Error& error) { told.set_value(error.code); });
  proxy_->refuse(true);
  open_another();
  ASSERT_FALSE(another_->write_and_wait(insert(2)).has_error());
  another_.reset();
  proxy_->refuse(false);
  EXPECT_TRUE(database_->write_and_wait(insert(3)).has_error());
  EXPECT_EQ(told.get_future().get(), "storage.superseded");
  EXPECT_EQ(database_->write_and_wait(insert(4)).error().code, "storage.poisoned");
  EXPECT_EQ(count("select sum(a) from t"), 3);
  database_->on_poisoned({});
}

// proves: O5
TEST_F(Postgresql, AnIdleEngineHearsThatAnotherHasTakenOver) {
  open_through_proxy();
  std::promise<std::string> told;
  database_->on_poisoned([&](const Error& error) { told.set_value(error.code); });
  proxy_->refuse(true);
  open_another();
  proxy_->refuse(false);
  EXPECT_EQ(told.get_future().get(), "storage.superseded");
  EXPECT_FALSE(another_->write_and_wait(insert(1)).has_error());
  database_->on_poisoned({});
}

// proves: O5
TEST_F(Postgresql, AnEngineThatIsFrozenLosesItsSessionAndWithItTheLock) {
  options_.silence = Millis(400);
  open_through_proxy();
  std::promise<std::string> told;
  database_->on_poisoned([&](const Error& error) { told.set_value(error.code); });
  proxy_->freeze(true);
  open_another();
  proxy_->freeze(false);
  EXPECT_EQ(told.get_future().get(), "storage.superseded");
  database_->on_poisoned({});
}

// proves: O5
TEST_F(Postgresql, WhoLosesTheConnectionAloneGoesOn) {
  open();
  ASSERT_FALSE(database_->write_and_wait(insert(1)).has_error());
  Vacancy vacancy(options_);
  for (std::int64_t i = 2; i < 6; ++i) {
    ASSERT_FALSE(testing::administer(url_, kKill).has_error());
    EXPECT_FALSE(database_->write_and_wait(insert(i)).has_error());
    static_cast<void>(vacancy.look());  // somebody who looks takes nothing away
  }
  EXPECT_FALSE(database_->is_poisoned());
}

// proves: O5
TEST_F(Postgresql, AVacancyIsSeenWhenTheEngineHasGone) {
  open();
  Vacancy vacancy(options_);
  EXPECT_FALSE(vacancy.look().value());
  EXPECT_FALSE(vacancy.look().value());
  database_.reset();
  wait_until([&] { return vacancy.look().value(); });
  open();
  EXPECT_FALSE(vacancy.look().value());
}

// proves: O5
TEST_F(Postgresql, AfterAnOutageTheEngineThatWasThereComesFirst) {
  open();
  Vacancy vacancy(options_);
  EXPECT_FALSE(vacancy.look().value());
  database_.reset();
  ASSERT_FALSE(testing::administer(url_, kKill).has_error());
  wait_until([&] { return vacancy.look().has_error(); });
  EXPECT_FALSE(vacancy.look().value()) << "it is free, but for a moment not for us";
}

// ---- errors and lost lines ---------------------------------------------------------------------------------------------------------

TEST_F(Postgresql, NoPasswordIsInAnError) {
  auto wrong = options_;
  const auto colon = wrong.url.find(':', 13);
  const auto at = wrong.url.find('@');
  wrong.url = wrong.url.substr(0, colon + 1) + "canary-4711" + wrong.url.substr(at);
  const auto opened = Database::open(wrong);
  ASSERT_TRUE(opened.has_error());
  EXPECT_EQ(opened.error().code, "storage.unavailable");
  EXPECT_EQ(opened.error().message.find("canary-4711"), std::string::npos) << opened.error().message;
}

// proves: S0-9
TEST_F(Postgresql, KilledConnectionsHealAndNothingIsLostOrDoneTwice) {
  open();
  constexpr std::int64_t kWrites = 3000;
  std::atomic<std::int64_t> done{0};
  std::atomic<std::int64_t> failed{0};
  std::promise<void> all;
  for (std::int64_t i = 0; i < kWrites; ++i) {
    database_->write_or_poison(
        insert(i),
        [&](const Result<void>& result) {
          if (result.has_error()) ++failed;
          if (++done == kWrites) all.set_value();
        },
        8);
    if (i % 300 == 150) {
      wait_until([&] { return done >= i - 200; });
      ASSERT_FALSE(testing::administer(url_, kKill).has_error());
    }
  }
  all.get_future().wait();
  EXPECT_EQ(failed, 0);
  EXPECT_FALSE(database_->is_poisoned());
  EXPECT_EQ(count("select count(*) from t"), kWrites);
}

TEST_F(Postgresql, AReadIsDoneAgainOnAnotherConnection) {
  open();
  EXPECT_EQ(count("select count(*) from t"), 0);
  for (int i = 0; i < 5; ++i) {
    ASSERT_FALSE(testing::administer(url_, kKill).has_error());
    EXPECT_EQ(count("select count(*) from t"), 0);
  }
}

TEST_F(Postgresql, ACommitWhoseAnswerWasLostIsNotDoneAgain) {
  open_through_proxy();
  proxy_->swallow_next_commit();
  const auto stored = database_->write_and_wait(insert(1));
  EXPECT_FALSE(stored.has_error()) << stored.error().message;  // a second time would have met the key
  EXPECT_EQ(proxy_->swallowed(), 1U);
  EXPECT_EQ(count("select count(*) from t"), 1);
}

TEST_F(Postgresql, ACommitThatDidNotHappenIsDoneAgain) {
  open();
  // At its first commit the server process ends itself, before anything is durable.
  ASSERT_FALSE(
      testing::administer(url_,
                          "create sequence once; "
                          "create function stumble() returns trigger language plpgsql as $$ begin "
                          "if nextval('once') = 1 then perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(1); end if; "
                          "return null; end $$; "
                          "create constraint trigger stumbles after insert on t deferrable initially deferred "
                          "for each row execute function stumble()")
          .has_error());
  const auto stored = database_->write_and_wait(insert(1));
  EXPECT_FALSE(stored.has_error()) << stored.error().message;
  EXPECT_EQ(count("select count(*) from t"), 1);
  EXPECT_EQ(count("select last_value from once"), 2);
}

// As if the session had been lent to somebody else, by a pooler that the look at the start took for none.
TEST_F(Postgresql, AStatementThatIsGoneTellsOfAPooler) {
  open_through_proxy();
  const auto read = database_->read([](Session& session) -> Result<void> {
    PAWL_TRY_VOID(session.query("select 1", {}, [](const Row&) {}));
    PAWL_TRY_VOID(session.query("deallocate all", {}, [](const Row&) {}));
    return session.query("select 1", {}, [](const Row&) {});
  });
  EXPECT_EQ(read.error().code, "storage.pooler") << read.error().message;
}

TEST_F(Postgresql, AServerThatIsFrozenIsGivenUpAndAskedAgainWhenItGoesOn) {
  options_.statement_timeout = Millis(1'000);
  options_.silence = Millis(0);
  options_.pool_timeout = Millis(1'000);
  options_.breaker.open_for = Millis(1);
  url_ += "&connect_timeout=2";
  open_through_proxy();
  EXPECT_EQ(count("select count(*) from t"), 0);
  proxy_->freeze(true);
  const auto read = database_->read([](Session& session) { return session.query("select 1", {}, [](const Row&) {}); });
  ASSERT_TRUE(read.has_error());
  EXPECT_EQ(read.error().kind, ErrorClass::unavailable) << read.error().message;
  proxy_->freeze(false);
  wait_until([&] { return database_->write_and_wait(insert(1)).has_value(); });
  EXPECT_EQ(count("select count(*) from t"), 1);
}

// proves: S0-9
TEST_F(Postgresql, AnOutageAnswersAtOnceOnceItIsKnownAndKeepsWhatMustNotFail) {
  open_through_proxy();
  proxy_->refuse(true);
  std::promise<Result<void>> kept;
  database_->write_or_poison(
      insert(1), [&](Result<void> result) { kept.set_value(std::move(result)); }, 8);
  wait_until([&] { return database_->breaker().state == CircuitBreaker::State::open; });
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(database_->write_and_wait(insert(2)).error().code, "storage.unavailable");
  const auto read = database_->read([](Session& session) { return session.query("select 1", {}, [](const Row&) {}); });
  ASSERT_TRUE(read.has_error());
  EXPECT_EQ(read.error().code, "storage.unavailable");
  EXPECT_EQ(read.error().kind, ErrorClass::unavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - before, Millis(3'000));
  proxy_->refuse(false);
  EXPECT_FALSE(kept.get_future().get().has_error());
  EXPECT_EQ(database_->breaker().state, CircuitBreaker::State::closed);
  EXPECT_FALSE(database_->is_poisoned());
  EXPECT_EQ(count("select sum(a) from t"), 1);
}

// The journal's writes: a batch costs as many waits for the server as one of them would alone.
TEST_F(Postgresql, ABatchGoesOutInOnePipeline) {
  open_through_proxy();
  ASSERT_FALSE(database_->write_and_wait(insert(0)).has_error());
  std::promise<void> release;
  const auto released = release.get_future().share();
  database_->write(
      [released](Transaction&) -> Result<void> {
        released.wait();
        return {};
      },
      {});
  constexpr int kWrites = 200;
  std::promise<void> written;
  for (int i = 1; i <= kWrites; ++i) {
    Database::Done done;
    if (i == kWrites) done = [&](const Result<void>&) { written.set_value(); };
    database_->write_or_poison(insert(i), std::move(done), 8);
  }
  const auto before = proxy_->turns();
  release.set_value();
  written.get_future().get();
  EXPECT_LT(proxy_->turns() - before, 20U);
  EXPECT_EQ(count("select count(*) from t"), kWrites + 1);
}

// proves: S4-H5, S0-8, AI-H2
TEST_F(Postgresql, MoreReadersThanThePoolHasAreToldSoAndLeakNothing) {
  options_.pool_timeout = Millis(300);
  open();
  constexpr int kReaders = 40;
  std::mutex mutex;
  std::condition_variable changed;
  int inside = 0;
  int refused = 0;
  bool open_gate = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&] {
      const auto read = database_->read([&](Session& session) -> Result<void> {
        PAWL_TRY_VOID(session.query("select 1", {}, [](const Row&) {}));
        std::unique_lock lock(mutex);
        ++inside;
        changed.notify_all();
        changed.wait(lock, [&] { return open_gate; });
        return {};
      });
      const std::lock_guard lock(mutex);
      if (read.has_error()) {
        EXPECT_EQ(read.error().code, "storage.pool_exhausted");
        EXPECT_EQ(http_status(read.error().kind), 503);
        ++refused;
      }
      changed.notify_all();
    });
  }
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return refused == 10 && inside == 30; });
    const auto pool = database_->pool();
    EXPECT_EQ(pool.out, 30U);
    EXPECT_EQ(pool.overflow, 20U);
    EXPECT_EQ(pool.exhausted, 10U);
    open_gate = true;
    changed.notify_all();
  }
  for (auto& reader : readers) reader.join();
  const auto pool = database_->pool();
  EXPECT_EQ(pool.size, 10U);
  EXPECT_EQ(pool.out, 0U);
  EXPECT_EQ(pool.in, 10U);
  EXPECT_EQ(pool.overflow, 0U);
  wait_until([&] { return count(kSessions) <= 11; });  // ten readers and the writer
}

TEST_F(Postgresql, AnOldConnectionIsReplaced) {
  options_.pool_recycle = Millis(1);
  open();
  const auto first = count("select pg_backend_pid()");
  const auto since = std::chrono::steady_clock::now();
  wait_until([&] { return std::chrono::steady_clock::now() - since > Millis(2); });
  EXPECT_NE(count("select pg_backend_pid()"), first);
}

TEST_F(Postgresql, TextWithAZeroIsRefusedAndHarmsNobodyElse) {
  open();
  ASSERT_FALSE(testing::administer(url_, "create table words (word text)").has_error());
  const auto refused = database_->write_and_wait(
      [](Transaction& transaction) { return transaction.queue("insert into words values ($1)", {std::string_view("a\0b", 3)}); });
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code, "storage.text");
  const auto broken = database_->write_and_wait(
      [](Transaction& transaction) { return transaction.queue("insert into words values ($1)", {std::string_view("a\xff", 2)}); });
  ASSERT_TRUE(broken.has_error());
  EXPECT_EQ(broken.error().code, "storage.text");
  EXPECT_FALSE(database_->write_and_wait(insert(1)).has_error());
}

}  // namespace
}  // namespace pawl::storage
