/// A database with the audit tables in a folder that goes away, a clock that stands until it is moved, and a log over both. For tests.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp is POSIX
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "audit/audit.hpp"
#include "audit/redact.hpp"
#include "audit/verify.hpp"
#include "storage/database.hpp"
#include "storage/migrations.hpp"
#include "storage/testing/test_database.hpp"

namespace pawl::audit::testing {

class StandingClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return TimePoint(Millis(millis_)); }
  void advance(Millis by) { millis_ += by.count(); }

 private:
  std::atomic<std::int64_t> millis_{1'790'000'000'000};
};

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "pawl-audit-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline UserId user(std::uint8_t number) {
  UserId id;
  id.uuid.bytes[15] = number;
  id.uuid.bytes[6] = 0x70;
  return id;
}
inline OrganizationId organization(std::uint8_t number) { return OrganizationId{user(number).uuid}; }

class Chain : public ::testing::Test {
 protected:
  Chain() {
    storage::DatabaseOptions options;
    options.folder = folder.path();
    options.synchronous = false;
    auto opened = storage::testing::open(options);
    EXPECT_FALSE(opened.has_error()) << opened.error().message;
    database = std::move(opened).value();
    EXPECT_FALSE(storage::migrate_up(*database, clock).has_error());
    reopen();
  }
  ~Chain() override { log.reset(); }

  [[nodiscard]] LogOptions options() const {
    LogOptions made;
    made.keys = {key_of("an installation's secret for tests")};
    made.file = file();
    made.rotate_bytes = rotate_bytes;
    made.max_queue = max_queue;
    return made;
  }
  void reopen() {
    log.reset();
    auto opened = Log::open(*database, clock, redactor, options());
    ASSERT_FALSE(opened.has_error()) << opened.error().message;
    log = std::move(opened).value();
  }
  [[nodiscard]] std::filesystem::path file() const { return folder.path() / "audit.jsonl"; }

  /// Appends and waits until it is committed.
  void add(Record record) {
    const auto result = database->write_and_wait([&](storage::Transaction& transaction) { return log->append(transaction, record); });
    ASSERT_FALSE(result.has_error()) << result.error().message;
  }
  /// Appends all of them in one write, as the journal does, and waits until they are committed.
  void add_together(std::vector<Record> records) {
    Log::Prepared batch;
    for (auto& each : records) log->prepare(batch, std::move(each));
    const auto result = database->write_and_wait([&](storage::Transaction& transaction) { return log->write(transaction, batch); });
    ASSERT_FALSE(result.has_error()) << result.error().message;
  }
  static Record record(std::string action, std::uint8_t actor = 1) {
    Record made;
    made.organization = organization(1);
    made.actor = Actor::of_user(user(actor));
    made.action = std::move(action);
    made.resource = {"thing", "7"};
    made.address = "192.0.2.77";
    made.request_id = "request-1";
    made.run = RunId{user(9).uuid};
    made.task = "/do/0/one";
    made.duration = Millis(12);
    made.details = json::Value::object({{"why", "because"}});
    return made;
  }
  [[nodiscard]] VerifyReport verified(bool with_file = true) {
    if (log) log->flush_file();
    VerifyOptions wish;
    wish.keys = log ? log->keys() : options().keys;
    if (with_file) wish.file = file();
    auto report = verify(*database, wish);
    EXPECT_FALSE(report.has_error()) << report.error().message;
    return *report;
  }
  /// Statements in SQLite's words for blobs.
  void sql(std::string_view statement) {
    std::string text(statement);
    if (storage::testing::on_postgresql()) {
      constexpr std::string_view kZeros = "zeroblob(32)";
      if (const auto at = text.find(kZeros); at != std::string::npos) {
        text.replace(at, kZeros.size(), "decode(repeat('00', 32), 'hex')");
      } else if (const auto blob = text.find(" x'"); blob != std::string::npos) {
        const auto start = blob + 1;
        const auto end = text.find('\'', start + 2);
        text.replace(start, end + 1 - start, "decode('" + text.substr(start + 2, end - start - 2) + "', 'hex')");
      }
    }
    const auto result = database->write_and_wait([&](storage::Transaction& transaction) { return transaction.execute_script(text); });
    ASSERT_FALSE(result.has_error()) << result.error().message << ": " << text;
  }
  [[nodiscard]] std::int64_t number(std::string_view text) {
    std::int64_t answer = -1;
    const auto result = database->read(
        [&](storage::Session& session) { return session.query(text, {}, [&](const storage::Row& row) { answer = row.integer(0); }); });
    EXPECT_FALSE(result.has_error()) << result.error().message;
    return answer;
  }
  [[nodiscard]] std::vector<std::string> lines() const {
    std::ifstream in(file());
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }
  void write_lines(const std::vector<std::string>& all) const {
    std::ofstream out(file(), std::ios::trunc);
    for (const auto& line : all) out << line << "\n";
  }

  TemporaryFolder folder;
  StandingClock clock;
  Redactor redactor;
  std::unique_ptr<storage::Database> database;
  std::uint64_t rotate_bytes = 64U << 20U;
  std::size_t max_queue = 10'000;
  std::unique_ptr<Log> log;
};

}  // namespace pawl::audit::testing
