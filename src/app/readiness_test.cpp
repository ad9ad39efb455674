#include "app/readiness.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <limits>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "audit/testing/chain.hpp"

namespace pawl::app {
namespace {

using observe::HealthStatus;
using ::testing::HasSubstr;

/// A port of this machine that nobody listens at.
std::uint16_t closed_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(probe, reinterpret_cast<const sockaddr*>(&address), size);
  ::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(probe);
  return ntohs(address.sin_port);
}

/// The checks of the program over a database that is right until a test spoils something.
class Readiness : public audit::testing::Chain {
 protected:
  void begin(std::uint64_t min_free_disk_bytes = 0, const net::RedisClient* redis = nullptr) {
    health_ = std::make_unique<observe::Health>();
    add_checks(*health_, *database, redis, nullptr, clock, min_free_disk_bytes);
    health_->start();
  }
  void look() {
    std::promise<observe::HealthReport> told;
    health_->report([&](const observe::HealthReport& report) { told.set_value(report); });
    report_ = told.get_future().get();
    of_.clear();
    for (const auto& item : report_.items) of_.emplace(item.name, item.result);
  }
  [[nodiscard]] HealthStatus status(const std::string& name) const { return of_.at(name).status; }
  /// That nothing but these has failed.
  void expect_failed(const std::vector<std::string>& names) const {
    for (const auto& [name, result] : of_) {
      const bool expected = std::find(names.begin(), names.end(), name) != names.end();
      EXPECT_EQ(result.status == HealthStatus::failed, expected) << name << ": " << result.detail;
    }
    EXPECT_EQ(report_.ready, names.empty());
  }
  [[nodiscard]] std::uint64_t free_bytes() const {
    struct statvfs disk {};
    EXPECT_EQ(::statvfs(folder.path().c_str(), &disk), 0);
    return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  }

  std::unique_ptr<observe::Health> health_;
  observe::HealthReport report_;
  std::map<std::string, observe::CheckResult> of_;
};

TEST_F(Readiness, P5_S0_7_EveryPartIsNamedAndInOrder) {
  begin();
  look();
  expect_failed({});
  EXPECT_EQ(of_.size(), 6U);
  for (const auto* name : {"database", "database_pool", "migrations", "disk"}) EXPECT_EQ(status(name), HealthStatus::ok) << name;
  EXPECT_EQ(status("redis"), HealthStatus::not_configured);
  EXPECT_EQ(status("mail"), HealthStatus::warning) << "there is no mail server";
}

TEST_F(Readiness, P5_S4_H4_AFullDiskIsNotReadyAndOneThatIsFillingUpIsAWarning) {
  begin(std::numeric_limits<std::uint64_t>::max());
  look();
  expect_failed({"disk"});
  EXPECT_THAT(of_.at("disk").detail, HasSubstr("bytes are free"));
  begin(free_bytes() / 4 * 3);
  look();
  expect_failed({});
  EXPECT_EQ(status("disk"), HealthStatus::warning);
}

TEST_F(Readiness, P5_S4_M5_APendingMigrationIsNotReady) {
  begin();
  sql("delete from schema_migrations where version = (select max(version) from schema_migrations)");
  look();
  expect_failed({"migrations"});
}

TEST_F(Readiness, P5_S0_R6_WithoutRedisThereIsAWarningAndRequestsAreWelcome) {
  net::RedisAddress address;
  address.port = closed_port();
  net::RedisClient redis(address, {});
  begin(0, &redis);
  look();
  expect_failed({});
  EXPECT_TRUE(report_.warning);
  EXPECT_EQ(status("redis"), HealthStatus::warning);
}

TEST_F(Readiness, P5_S4_H4_APoisonedDatabaseIsNotReady) {
  begin();
  std::promise<void> written;
  database->write_or_poison([](storage::Transaction&) -> Result<void> { return Error(ErrorClass::internal, "test.bug", "planted"); },
                            [&](const Result<void>&) { written.set_value(); }, 1);
  written.get_future().get();
  look();
  expect_failed({"database"});
  EXPECT_THAT(of_.at("database").detail, HasSubstr("must restart"));
}

// All readers are out for longer than anybody should wait: what reads fails in its own time, and nothing waits for it.
TEST_F(Readiness, P5_S4_H4_S4_H5_WhereNoReaderIsLeftTheOtherPartsAnswerAllTheSame) {
  begin();
  std::promise<void> release;
  const auto released = release.get_future().share();
  std::atomic<std::uint32_t> reading{0};
  std::vector<std::thread> readers;
  for (std::uint32_t i = 0; i < database->pool().size; ++i) {
    readers.emplace_back([this, released, &reading] {
      const auto read = database->read([&](storage::Session& session) -> Result<void> {
        PAWL_TRY_VOID(session.query("select 1", {}, [](const storage::Row&) {}));
        ++reading;
        released.wait();
        return {};
      });
      EXPECT_TRUE(read.has_value());
    });
  }
  // Not `out`: what somebody else has for a moment would count as well.
  while (reading < database->pool().size) std::this_thread::yield();
  const auto began = std::chrono::steady_clock::now();
  look();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(15)) << "the pool itself has a patience of 30 s";
  expect_failed({"migrations"});
  EXPECT_THAT(of_.at("migrations").detail, HasSubstr("no answer within 2000 ms"));
  EXPECT_EQ(status("database_pool"), HealthStatus::warning);
  release.set_value();
  for (auto& reader : readers) reader.join();
}

}  // namespace
}  // namespace pawl::app
