#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>

#include "audit/query.hpp"
#include "audit/testing/chain.hpp"
#include "json/parse.hpp"

namespace pawl::audit {
namespace {

using testing::user;

class AuditLog : public testing::Chain {};

// proves: P6
TEST_F(AuditLog, NumbersRecordsWithoutGapsAndLinksThem) {
  for (int i = 0; i < 5; ++i) add(record("thing.done"));
  const auto page = list(*database, Scope::installation(), {});
  ASSERT_FALSE(page.has_error());
  ASSERT_EQ(page->entries.size(), 5U);
  for (std::size_t i = 0; i + 1 < 5; ++i) {
    EXPECT_EQ(page->entries[i].sequence, 5 - i);
    EXPECT_EQ(page->entries[i].previous, page->entries[i + 1].hash);
  }
  EXPECT_EQ(page->entries.back().previous, crypto::Digest{});
  EXPECT_TRUE(verified().ok);
}

TEST_F(AuditLog, IsUndoneTogetherWithTheTransactionItBelongsTo) {
  add(record("first.done"));
  const auto failed = database->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    EXPECT_FALSE(log->append(transaction, record("second.done")).has_error());
    return Error(ErrorClass::conflict, "test.failed", "the act did not work");
  });
  EXPECT_TRUE(failed.has_error());
  add(record("third.done"));
  const auto page = list(*database, Scope::installation(), {});
  ASSERT_EQ(page->entries.size(), 2U);
  EXPECT_EQ(page->entries[0].action, "third.done");
  EXPECT_EQ(page->entries[0].sequence, 2U);
  EXPECT_TRUE(verified().ok);
}

TEST_F(AuditLog, KeepsEveryFieldInTheDatabaseAndInTheFile) {
  add(record("thing.done"));
  const auto entry = list(*database, Scope::installation(), {})->entries.at(0);
  EXPECT_EQ(entry.address, "192.0.2.77");
  EXPECT_EQ(entry.network, "192.0.2.0/24");
  log->flush_file();
  const auto all = lines();
  ASSERT_EQ(all.size(), 1U);
  const auto line = json::parse(all[0]);
  ASSERT_FALSE(line.has_error());
  EXPECT_EQ(line->get("time").as_string(), to_rfc3339(clock.now()));
  EXPECT_EQ(line->get("sequence").as_integer(), 1);
  EXPECT_EQ(line->get("action").as_string(), "thing.done");
  EXPECT_EQ(line->get("outcome").as_string(), "success");
  EXPECT_EQ(line->get("user_id").as_string(), user(1).to_string());
  EXPECT_EQ(line->get("run_id").as_string(), user(9).to_string());
  EXPECT_EQ(line->get("task").as_string(), "/do/0/one");
  EXPECT_EQ(line->get("duration_ms").as_integer(), 12);
  EXPECT_EQ(line->get("details").get("why").as_string(), "because");
  EXPECT_THAT(all[0], ::testing::Not(::testing::HasSubstr("192.0.2.77"))) << "addresses can be erased from the database only";
  struct stat state {};
  ASSERT_EQ(::stat(file().c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 0777U, 0600U);
}

TEST_F(AuditLog, RefusesAFileThatOthersMayRead) {
  log.reset();
  ::chmod(file().c_str(), 0644);  // Flawfinder: ignore (a folder of the test's own)
  const auto opened = Log::open(*database, clock, redactor, options());
  ASSERT_TRUE(opened.has_error());
  EXPECT_EQ(opened.error().code, "audit.file");
}

TEST_F(AuditLog, WritesQueuedRecordsFromManyThreadsInOneChain) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 250; ++i) EXPECT_FALSE(log->append(record("thing.done")).has_error());
    });
  }
  for (auto& thread : threads) thread.join();
  reopen();
  EXPECT_EQ(number("select sum(records) from audit_records"), 1000);
  const auto report = verified();
  EXPECT_TRUE(report.ok);
  EXPECT_EQ(report.file_lines, 1000U);
}

// proves: S4-D4
TEST_F(AuditLog, RefusesTheActWhenTheQueueIsFullInsteadOfDroppingTheRecord) {
  max_queue = 3;
  reopen();
  std::mutex mutex;
  std::condition_variable changed;
  bool blocked = false;
  bool go_on = false;
  database->write(
      [&](storage::Transaction&) {
        std::unique_lock lock(mutex);
        blocked = true;
        changed.notify_all();
        changed.wait(lock, [&] { return go_on; });
        return Result<void>();
      },
      {});
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return blocked; });
  }
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(log->append(record("thing.done")).has_error());
  EXPECT_FALSE(log->ready());
  const auto refused = log->append(record("thing.done"));
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code, "audit.overloaded");
  EXPECT_EQ(refused.error().kind, ErrorClass::unavailable);
  {
    const std::lock_guard lock(mutex);
    go_on = true;
  }
  changed.notify_all();
  reopen();
  EXPECT_EQ(number("select count(*) from audit_records"), 3);
  EXPECT_FALSE(log->append(record("thing.done")).has_error());
}

TEST_F(AuditLog, KeepsQueuedRecordsWhenTheirWriteFailsAndTriesAgain) {
  sql("alter table audit_records rename to audit_elsewhere");
  ASSERT_FALSE(log->append(record("thing.done")).has_error());
  ASSERT_FALSE(database->write_and_wait([](storage::Transaction&) { return Result<void>(); }).has_error());
  EXPECT_EQ(log->statistics().queued, 1U);
  sql("alter table audit_elsewhere rename to audit_records");
  log->flush_file();  // the thread looks after both
  reopen();
  EXPECT_EQ(number("select count(*) from audit_records"), 1);
  EXPECT_TRUE(verified().ok);
}

TEST_F(AuditLog, TellsWhenARecordIsDurable) {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Result<void>> told;
  ASSERT_FALSE(log->append(record("thing.done"),
                           [&](Result<void> result) {
                             const std::lock_guard lock(mutex);
                             told = std::move(result);
                             changed.notify_all();
                           })
                   .has_error());
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return told.has_value(); });
  EXPECT_FALSE(told->has_error());
  EXPECT_EQ(number("select count(*) from audit_records"), 1);
}

TEST_F(AuditLog, GathersRecordsThatNobodyWaitsForIntoFewTransactions) {
  const auto before = database->statistics().commits;
  for (int i = 0; i < 400; ++i) ASSERT_FALSE(log->append(record("thing.done")).has_error());
  log->flush_file();
  // One by one they would be hundreds; a slow machine may take several turns of the gathering time.
  EXPECT_LT(database->statistics().commits - before, 100U);
  EXPECT_EQ(lines().size(), 400U);
}

TEST_F(AuditLog, WritesPreparedRecordsAgainAfterARollback) {
  Log::Prepared batch;
  log->prepare(batch, record("a.done"));
  log->prepare(batch, record("b.done"));
  EXPECT_EQ(batch.size(), 2U);
  EXPECT_TRUE(database
                  ->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
                    EXPECT_FALSE(log->write(transaction, batch).has_error());
                    return Error(ErrorClass::internal, "test.failed", "rolled back");
                  })
                  .has_error());
  EXPECT_FALSE(database->write_and_wait([&](storage::Transaction& transaction) { return log->write(transaction, batch); }).has_error());
  EXPECT_EQ(number("select count(*) from audit_records"), 2);
  EXPECT_TRUE(verified().ok);
}

// ---- the file -------------------------------------------------------------------------------------------------------------------

TEST_F(AuditLog, CatchesUpAfterACrashFromTheLastWholeLine) {
  for (int i = 0; i < 3; ++i) add(record("thing.done"));
  log->flush_file();
  log.reset();
  auto all = lines();
  ASSERT_EQ(all.size(), 3U);
  {
    std::ofstream out(file(), std::ios::trunc);
    out << all[0] << "\n" << all[1].substr(0, 40);  // as a crash leaves it
  }
  reopen();
  log->flush_file();
  EXPECT_EQ(lines(), all);
  add(record("thing.done"));
  EXPECT_TRUE(verified().ok);
  EXPECT_EQ(lines().size(), 4U);
}

TEST_F(AuditLog, EndsInBoundedTimeAndWritesTheRestOfTheFileAtTheNextStart) {
  log.reset();
  constexpr int kMany = 20'000;
  auto wish = options();
  wish.file.clear();
  {
    const auto without_file = Log::open(*database, clock, redactor, wish).value();
    Log::Prepared batch;
    for (int i = 0; i < kMany; ++i) without_file->prepare(batch, record("thing.done"));
    ASSERT_FALSE(database->write_and_wait([&](storage::Transaction& t) { return without_file->write(t, batch); }).has_error());
  }
  wish = options();
  wish.stop_patience = Millis(0);
  std::atomic<int> told{0};
  wish.report = [&](std::string_view sentence) { told += sentence.find("the next start") != std::string_view::npos ? 1 : 0; };
  log = std::move(Log::open(*database, clock, redactor, wish)).value();
  log.reset();
  EXPECT_EQ(told > 0, lines().size() < static_cast<std::size_t>(kMany)) << "not silently";
  reopen();
  log->flush_file();
  EXPECT_EQ(lines().size(), static_cast<std::size_t>(kMany));
  EXPECT_TRUE(verified().ok);
}

TEST_F(AuditLog, TellsWhoFollowsOfRecordsThatAreDurable) {
  log.reset();
  auto wish = options();
  std::mutex mutex;
  std::vector<std::string> told;
  wish.watched = [](const Entry& entry) { return entry.action == "thing.done"; };
  wish.appended = [&](const Entry& entry) {
    const std::lock_guard lock(mutex);
    told.push_back(std::to_string(entry.sequence) + " " + entry.action);
  };
  log = std::move(Log::open(*database, clock, redactor, wish)).value();
  add(record("thing.done"));
  add(record("other.done"));
  EXPECT_TRUE(database
                  ->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
                    EXPECT_FALSE(log->append(transaction, record("thing.done")).has_error());
                    return Error(ErrorClass::internal, "test.failed", "rolled back");
                  })
                  .has_error());
  log->flush_file();
  {
    const std::lock_guard lock(mutex);
    EXPECT_THAT(told, ::testing::ElementsAre("1 thing.done"));
  }
  log.reset();
}

TEST_F(AuditLog, PutsAFullFileAsideAndGoesOnInANewOne) {
  rotate_bytes = 2000;
  reopen();
  for (int i = 0; i < 12; ++i) {
    add(record("thing.done"));
    log->flush_file();
  }
  std::size_t aside = 0;
  for (const auto& item : std::filesystem::directory_iterator(folder.path())) {
    const auto name = item.path().filename().string();
    if (name.starts_with("audit.jsonl.")) ++aside;
  }
  EXPECT_GE(aside, 3U);
  const auto report = verified();
  EXPECT_TRUE(report.ok) << report.problem->detail;
  EXPECT_EQ(report.file_lines, 12U);
  // An empty file after a restart: what was put aside says where it goes on.
  log.reset();
  std::filesystem::remove(file());
  const auto before = number("select count(*) from audit_records");
  reopen();
  add(record("thing.done"));
  EXPECT_EQ(number("select count(*) from audit_records"), before + 1);
  EXPECT_TRUE(verified().ok);
}

// ---- what goes in ---------------------------------------------------------------------------------------------------------------

TEST_F(AuditLog, RedactsDetailsAndMasksEmailAddresses) {
  auto made = record("thing.done");
  made.details = json::Value::object({{"password", "hunter2hunter2"},
                                      {"nested", json::Value::array({json::Value::object({{"X-Api-Key", "k-123456"}})})},
                                      {"who", "anna.smith@example.com"}});
  add(made);
  const auto entry = list(*database, Scope::installation(), {})->entries.at(0);
  EXPECT_EQ(entry.details, R"({"password":"[redacted]","nested":[{"X-Api-Key":"[redacted]"}],"who":"a***@example.com"})");
}

TEST_F(AuditLog, BoundsDetailsAndTextsOfClients) {
  auto made = record("thing.done");
  made.request_id = std::string(5000, 'x') + "\n\x01";
  made.resource.id = "bad \xff\xfe utf8\x01";
  auto many = json::Value::array();
  for (int i = 0; i < 10'000; ++i) many.push_back(std::string(1000, 'y'));
  made.details = json::Value::object({{"many", many}});
  add(made);
  const auto entry = list(*database, Scope::installation(), {})->entries.at(0);
  EXPECT_LE(entry.request_id.size(), 300U);
  EXPECT_EQ(entry.resource.id, "bad ?? utf8?");
  EXPECT_LE(entry.details.size(), 8192U);
  EXPECT_FALSE(json::parse(entry.details).has_error());
}

TEST_F(AuditLog, NamesARecordByTimeAndSequence) {
  Entry entry;
  entry.at = clock.now();
  entry.sequence = 1234567;
  EXPECT_EQ(sequence_of(entry.id()), 1234567U);
  EXPECT_EQ(entry.id().to_string().at(14), '7');
  EXPECT_EQ(sequence_of(AuditId{}), std::nullopt);
}

}  // namespace
}  // namespace pawl::audit
