#include "agents/budgets.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include "models/testing/bench.hpp"
#include "storage/migrations.hpp"
#include "storage/testing/test_database.hpp"

namespace pawl::agents {
namespace {

using models::Amount;
using models::Grant;
using testing::HasSubstr;

class CountingRandom final : public Random {
 public:
  [[nodiscard]] std::uint64_t next() override { return ++last_; }

 private:
  std::atomic<std::uint64_t> last_{0};
};

class BudgetTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "pawl-budgets-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    open();
  }
  void TearDown() override {
    budgets_.reset();
    database_.reset();
    std::filesystem::remove_all(folder_);
  }

  void open() {
    budgets_.reset();
    database_.reset();
    database_ = storage::testing::open({.folder = folder_, .synchronous = false}).value();
    ASSERT_TRUE(storage::migrate_up(*database_, clock_).has_value());
    budgets_ = std::make_unique<Budgets>(*database_, nullptr, clock_, random_);
    ASSERT_TRUE(budgets_->start().has_value());
  }

  void limit(std::optional<std::int64_t> tokens, std::optional<std::int64_t> cost = {}) {
    ASSERT_TRUE(budgets_->set(organization_, BudgetLimits{tokens, cost}, audit::Actor::administrator()).has_value());
  }

  [[nodiscard]] Result<Grant> reserve(std::int64_t tokens, std::int64_t cost = 0, bool is_priced = true) {
    return reserve_for(organization_, tokens, cost, is_priced);
  }
  [[nodiscard]] Result<Grant> reserve_for(const OrganizationId& organization, std::int64_t tokens, std::int64_t cost = 0,
                                          bool is_priced = true) {
    Result<Grant> answer = Error(ErrorClass::internal, "test", "no answer");
    budgets_->reserve({.organization = organization, .most = {tokens, cost}, .is_priced = is_priced},
                      [&](Result<Grant> grant) { answer = std::move(grant); });
    flush();
    return answer;
  }
  void settle(const Grant& grant, std::optional<Amount> used) {
    budgets_->settle(grant, used);
    flush();
  }
  void flush() {
    ASSERT_TRUE(database_->write_and_wait([](storage::Transaction&) -> Result<void> { return {}; }).has_value());
  }
  [[nodiscard]] BudgetState state() { return budgets_->state(organization_).value(); }

  std::filesystem::path folder_;
  models::TestClock clock_;
  CountingRandom random_;
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<Budgets> budgets_;
  OrganizationId organization_ = OrganizationId::make(clock_.now(), random_);
};

TEST_F(BudgetTest, A2_ARequestThatDoesNotFitIntoTheOrganizationsBudgetIsRefused) {
  limit(1'000);
  const auto first = reserve(600);
  ASSERT_TRUE(first.has_value());
  EXPECT_TRUE(first->is_limited);
  const auto second = reserve(401);
  ASSERT_TRUE(second.has_error());
  EXPECT_EQ(second.error().code, "llm.budget");
  EXPECT_EQ(second.error().kind, ErrorClass::limited);
  EXPECT_THAT(second.error().message, HasSubstr("600 of 1000 tokens"));
  EXPECT_TRUE(reserve(400).has_value()) << "to the token";
  settle(*first, Amount{.tokens = 50});
  EXPECT_TRUE(reserve(550).has_value()) << "what was not taken is free again";
  EXPECT_TRUE(reserve(1).has_error());
}

TEST_F(BudgetTest, A2_MoneyIsLimitedAndAnUnknownPriceIsNotForNothing) {
  limit({}, 1'000'000'000);
  EXPECT_TRUE(reserve(1, 1'000'000'001).has_error());
  const auto unpriced = reserve(1, 0, false);
  ASSERT_TRUE(unpriced.has_error());
  EXPECT_THAT(unpriced.error().message, HasSubstr("not known"));
  EXPECT_TRUE(reserve(1, 1'000'000'000).has_value());
}

TEST_F(BudgetTest, A2_WhatIsSettledTwiceCountsOnce) {
  const auto grant = reserve(100, 7);
  ASSERT_TRUE(grant.has_value());
  settle(*grant, Amount{.tokens = 30, .cost = 5});
  settle(*grant, Amount{.tokens = 30, .cost = 5});
  settle(*grant, std::nullopt);
  EXPECT_EQ(state().used.tokens, 30);
  EXPECT_EQ(state().used.cost, 5);
  EXPECT_EQ(state().reserved.tokens, 0);
  EXPECT_EQ(state().calls, 1);
}

TEST_F(BudgetTest, A2_WhatAProcessLeftReservedWhenItDiedCountsInFullOnce) {
  limit(1'000);
  const auto settled = reserve(300);
  ASSERT_TRUE(settled.has_value() && reserve(500).has_value());
  settle(*settled, Amount{.tokens = 100});
  EXPECT_EQ(state().reserved.tokens, 500);
  for (int restart = 0; restart < 2; ++restart) {
    open();
    EXPECT_EQ(state().used.tokens, 600);
    EXPECT_EQ(state().assumed.tokens, 500);
    EXPECT_EQ(state().reserved.tokens, 0);
  }
  EXPECT_TRUE(reserve(401).has_error());
  EXPECT_TRUE(reserve(400).has_value());
  settle(*settled, Amount{.tokens = 100});  // of the earlier process: long done
  EXPECT_EQ(state().used.tokens, 600);
}

TEST_F(BudgetTest, A2_TheOrganizationsOwnLimitReplacesTheInstallationsDefault) {
  ASSERT_TRUE(budgets_->set({}, BudgetLimits{.tokens = 10}, audit::Actor::administrator()).has_value());
  EXPECT_EQ(state().source, BudgetState::Source::installation);
  EXPECT_TRUE(reserve(11).has_error());
  limit(100);
  EXPECT_EQ(state().source, BudgetState::Source::organization);
  EXPECT_TRUE(reserve(11).has_value());
  const auto other = OrganizationId::make(clock_.now(), random_);
  EXPECT_TRUE(reserve_for(other, 11).has_error()) << "one organization's limit is no other's";
  ASSERT_TRUE(budgets_->set(organization_, std::nullopt, audit::Actor::administrator()).has_value());
  EXPECT_TRUE(reserve(1).has_error()) << "11 are reserved, of 10";
}

TEST_F(BudgetTest, A2_AMonthHasItsOwnBudgetAndACallCountsWhereItBegan) {
  limit(100);
  const auto old = reserve(100);
  ASSERT_TRUE(old.has_value());
  EXPECT_TRUE(reserve(1).has_error());
  clock_.advance(state().until - clock_.now());
  EXPECT_TRUE(reserve(100).has_value());
  settle(*old, Amount{.tokens = 40});
  EXPECT_EQ(state().used.tokens, 0);
  EXPECT_EQ(state().reserved.tokens, 100);
}

// The property: whatever the order of reservations and settlements from many threads, used and reserved never pass the limit, and in the
// end what is used is the sum of what was taken.
TEST_F(BudgetTest, A2_AHundredAtOnceHoldTheBudgetToTheToken) {
  constexpr std::int64_t kLimit = 20'000;
  constexpr int kThreads = 20;
  constexpr int kEach = 50;
  limit(kLimit);
  std::atomic<std::int64_t> taken{0};
  std::atomic<int> refused{0};
  std::atomic<int> answered{0};
  std::atomic<bool> passed{false};
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&, number] {
      for (int round = 0; round < kEach; ++round) {
        const std::int64_t most = 20 + (number * 31 + round * 17) % 160;
        budgets_->reserve({.organization = organization_, .most = {most, 0}}, [&, most](const Result<Grant>& grant) {
          ++answered;
          if (grant.has_error()) {
            ++refused;
            return;
          }
          const std::int64_t used = most % 3 == 0 ? most : most / 2;
          taken += used;
          budgets_->settle(*grant, Amount{.tokens = used});
        });
        if (round % 10 == 0) {
          const auto now = state();
          if (now.used.tokens + now.reserved.tokens > kLimit) passed = true;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  flush();
  flush();  // what the answers of the first one settled
  EXPECT_EQ(answered, kThreads * kEach);
  EXPECT_FALSE(passed);
  EXPECT_EQ(state().used.tokens, taken);
  EXPECT_LE(state().used.tokens, kLimit);
  EXPECT_GT(refused, 0) << "the budget was not tried";
  EXPECT_EQ(state().reserved.tokens, 0);
}

}  // namespace
}  // namespace pawl::agents
