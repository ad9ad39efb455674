#include "mail/outbox.hpp"

#include <gmock/gmock.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp is POSIX
#include <sys/stat.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "mail/sender.hpp"
#include "storage/database.hpp"
#include "storage/migrations.hpp"
#include "storage/testing/test_database.hpp"

namespace pawl::mail {
namespace {

using testing::SizeIs;

class SettableClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return time; }
  TimePoint time{Millis(1'700'000'000'000)};
};

/// Answers what it was told to, and keeps what it was given.
class ScriptedTransport final : public Transport {
 public:
  [[nodiscard]] Result<void> deliver(const Parcel& parcel) override {
    parcels.push_back(parcel);
    if (answers.empty()) return {};
    const auto answer = answers.front();
    answers.pop_front();
    return answer;
  }
  [[nodiscard]] Result<void> check(Millis /*patience*/) override { return {}; }
  std::deque<Result<void>> answers;
  std::vector<Parcel> parcels;
};

Error unavailable() { return {ErrorClass::unavailable, "mail.unavailable", "no connection"}; }

class OutboxTest : public testing::Test {
 protected:
  OutboxTest() {
    auto pattern = (std::filesystem::temp_directory_path() / "pawl-mail-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    storage::DatabaseOptions options;
    options.folder = folder_;
    options.synchronous = false;
    auto opened = storage::testing::open(options);
    EXPECT_TRUE(opened.has_value());
    database_ = std::move(*opened);
    EXPECT_TRUE(storage::migrate_up(*database_, clock_).has_value());
    sender_ = std::make_unique<Sender>(Sender::Dependencies{*database_, outbox_, transport_, clock_, "pawl@example.com"});
  }
  ~OutboxTest() override {
    sender_.reset();
    database_.reset();
    std::filesystem::remove_all(folder_);
  }

  void enqueue(const Message& message) {
    const auto written = database_->write_and_wait(
        [&](storage::Transaction& transaction) -> Result<void> { return outbox_.enqueue(transaction, message, clock_.now()); });
    ASSERT_TRUE(written.has_value()) << written.error().message;
  }
  static Message reset_mail() {
    Message message;
    message.kind = "password-reset";
    message.to = "ada@example.org";
    message.subject = "Reset your password";
    message.text = "https://pawl.example.com/reset#canary-token-1234567890";
    message.html = "<p>canary-token-1234567890</p>";
    message.keep = std::chrono::hours(1);
    return message;
  }
  int send() {
    const auto sent = sender_->send_due();
    EXPECT_TRUE(sent.has_value());
    return sent.has_value() ? *sent : -1;
  }
  Outbox::Status status() {
    const auto status = database_->read([](storage::Session& session) { return Outbox::status(session); });
    EXPECT_TRUE(status.has_value());
    return status.has_value() ? *status : Outbox::Status();
  }

  SettableClock clock_;
  SystemRandom random_;
  std::filesystem::path folder_;
  std::unique_ptr<storage::Database> database_;
  crypto::KeyRing seals_{"a sealing key of this installation, long enough"};
  Outbox outbox_{seals_, random_};
  ScriptedTransport transport_;
  std::unique_ptr<Sender> sender_;
};

TEST_F(OutboxTest, FA_18_AMailIsSentOnce) {
  enqueue(reset_mail());
  EXPECT_EQ(status().waiting, 1);
  EXPECT_EQ(send(), 1);
  EXPECT_EQ(send(), 0);
  ASSERT_THAT(transport_.parcels, SizeIs(1));
  EXPECT_EQ(transport_.parcels[0].to, "ada@example.org");
  EXPECT_EQ(transport_.parcels[0].from, "pawl@example.com");
  EXPECT_EQ(status().waiting, 0);
}

// proves: AI-M16
TEST_F(OutboxTest, FA_18_AFailedDeliveryIsTriedAgainAfterAGrowingPause) {
  transport_.answers = {unavailable(), unavailable()};
  enqueue(reset_mail());
  EXPECT_EQ(send(), 1);
  EXPECT_EQ(send(), 0) << "not before the pause is over";
  EXPECT_EQ(status().last_error, "no connection");
  clock_.time += pause_after(1);
  EXPECT_EQ(send(), 1);
  clock_.time += pause_after(1);
  EXPECT_EQ(send(), 0) << "the second pause is longer";
  clock_.time += pause_after(2);
  EXPECT_EQ(send(), 1);
  EXPECT_EQ(status().waiting, 0);
  EXPECT_THAT(transport_.parcels, SizeIs(3));
}

TEST_F(OutboxTest, FA_18_WhatTheServerRefusesIsNotTriedAgain) {
  transport_.answers = {Error(ErrorClass::invalid, "mail.refused", "550")};
  enqueue(reset_mail());
  EXPECT_EQ(send(), 1);
  clock_.time += std::chrono::minutes(30);
  EXPECT_EQ(send(), 0);
  EXPECT_EQ(status().failed, 1);
}

TEST_F(OutboxTest, FA_18_AMailWhoseLinkHasExpiredIsGivenUp) {
  enqueue(reset_mail());
  clock_.time += std::chrono::hours(2);
  EXPECT_EQ(send(), 0);
  EXPECT_EQ(status().failed, 1);
  EXPECT_THAT(transport_.parcels, SizeIs(0));
}

TEST_F(OutboxTest, FA_18_AMailTakenByACrashedProcessIsSentAfterItsLease) {
  enqueue(reset_mail());
  const auto take = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(taken, outbox_.take(transaction, clock_.now(), std::chrono::minutes(2)));
    EXPECT_TRUE(taken.has_value());
    return {};
  };
  ASSERT_TRUE(database_->write_and_wait(take).has_value());
  EXPECT_EQ(send(), 0) << "somebody else has it";
  clock_.time += std::chrono::minutes(2);
  EXPECT_EQ(send(), 1);
}

TEST_F(OutboxTest, FA_18_AnUndoneTransactionSendsNothing) {
  const auto written = database_->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(outbox_.enqueue(transaction, reset_mail(), clock_.now()));
    return Error(ErrorClass::conflict, "test", "undone");
  });
  EXPECT_TRUE(written.has_error());
  EXPECT_EQ(send(), 0);
}

// security-checks 12
TEST_F(OutboxTest, P1_TheTokenLiesNowhereInTheDatabaseInClear) {
  enqueue(reset_mail());
  sender_.reset();
  database_.reset();
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    EXPECT_EQ(bytes.find("canary-token"), std::string::npos) << entry.path();
    files += bytes.empty() ? 0 : 1;
  }
  EXPECT_GT(files, 0);
}

TEST_F(OutboxTest, AMailThatAnotherKeySealedFailsLoudly) {
  const crypto::KeyRing others{"another sealing key of an installation, long enough"};
  const Outbox other(others, random_);
  ASSERT_TRUE(database_
                  ->write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
                    return other.enqueue(transaction, reset_mail(), clock_.now());
                  })
                  .has_value());
  EXPECT_EQ(send(), 0);
  EXPECT_EQ(status().failed, 1);
}

TEST_F(OutboxTest, FA_18_FilesAreForTheirOwnerOnly) {
  const auto folder = folder_ / "outbox";
  const auto files = make_file_transport(folder);
  ASSERT_TRUE(files->deliver({"one", "pawl@example.com", "ada@example.org", "content"}).has_value());
  struct stat status {};
  ASSERT_EQ(::stat((folder / "one.eml").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  ASSERT_EQ(::stat(folder.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(OutboxTest, P7_FilesOfWhoIsErasedGoAndThoseOfOthersStay) {
  const auto folder = folder_ / "outbox";
  const auto files = make_file_transport(folder);
  EXPECT_TRUE(files->forget("ada@example.org").has_value()) << "no folder yet";
  const auto content = [](const std::string& to) { return "From: pawl@example.com\r\nTo: " + to + "\r\n\r\nTo: ada@example.org\r\n"; };
  ASSERT_TRUE(files->deliver({"one", "pawl@example.com", "Ada@example.org", content("Ada@example.org")}).has_value());
  ASSERT_TRUE(files->deliver({"two", "pawl@example.com", "bob@example.org", content("bob@example.org")}).has_value());
  ASSERT_TRUE(files->forget("ada@example.org").has_value());
  EXPECT_FALSE(std::filesystem::exists(folder / "one.eml"));
  EXPECT_TRUE(std::filesystem::exists(folder / "two.eml"));
}

TEST(Pause, DoublesUpToAQuarterOfAnHour) {
  EXPECT_EQ(pause_after(1), Millis(5000));
  EXPECT_EQ(pause_after(2), Millis(10'000));
  EXPECT_EQ(pause_after(100), Millis(std::chrono::minutes(15)));
}

}  // namespace
}  // namespace pawl::mail
