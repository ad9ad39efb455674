#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <string>
#include <vector>

#include "limits/rate_limiter.hpp"
#include "net/testing/redis_server.hpp"

namespace pawl::limits {
namespace {

using namespace std::chrono_literals;
using net::RedisClient;
using net::testing::eventually;
using net::testing::RedisServer;

/// One process with its own client; its clock stands still, because Redis' counts.
struct Process {
  explicit Process(const RedisServer& server, std::chrono::milliseconds command_timeout = 5s)
      : redis(server.address(), {.command_timeout = command_timeout,
                                 .min_backoff = 5ms,
                                 .max_backoff = 50ms,
                                 .report =
                                     [this](bool connected, const std::string&) {
                                       const std::lock_guard lock(mutex);
                                       reports.push_back(connected);
                                     }}),
        limiter(limits(), clock, crypto::derive_key("secret", "limits"), &redis) {}

  static Limits limits() {
    Limits limits;
    limits.per_minute = 10;
    return limits;
  }
  Decision ask(const Keys& keys) {
    auto promise = std::make_shared<std::promise<Decision>>();
    auto answer = promise->get_future();
    limiter.check(keys, [promise](const Decision& decision) { promise->set_value(decision); });
    return answer.get();
  }
  std::vector<bool> reported() {
    const std::lock_guard lock(mutex);
    return reports;
  }

  struct StandingClock final : Clock {
    [[nodiscard]] TimePoint now() const override { return TimePoint{Millis{1'700'000'000'000}}; }
  };
  std::mutex mutex;
  std::vector<bool> reports;
  StandingClock clock;
  RedisClient redis;
  RateLimiter limiter;
};

const net::IpAddress kAddress = net::IpAddress::v4(0xC0000201);

TEST(SharedLimits, S4_C4_TwoProcessesShareOneBudget) {
  RedisServer server;
  PAWL_NEEDS_REDIS(server);
  Process one(server);
  Process two(server);
  ASSERT_TRUE(eventually([&] { return one.redis.connected() && two.redis.connected(); }));
  EXPECT_EQ(one.limiter.status(), RateLimiter::Status::shared);
  const auto keys = one.limiter.auth_keys(kAddress, "ann@example.org");
  for (std::uint32_t left = 5; left-- > 0;) {
    const auto decision = (left % 2 == 0 ? one : two).ask(two.limiter.auth_keys(kAddress, "Ann@example.org"));
    EXPECT_TRUE(decision.allowed);
    EXPECT_EQ(decision.limit, 5U);
    EXPECT_EQ(decision.remaining, left);
    EXPECT_EQ(decision.reset_after, 60s);
  }
  for (auto* process : {&one, &two}) {
    const auto refused = process->ask(keys);
    EXPECT_FALSE(refused.allowed);
    EXPECT_EQ(refused.remaining, 0U);
    EXPECT_GT(refused.retry_after, 30s);
    EXPECT_LE(refused.retry_after, 60s);
  }
  EXPECT_TRUE(one.ask(one.limiter.auth_keys(net::IpAddress::v4(0xC0000202), "bob@example.org")).allowed);
}

TEST(SharedLimits, S0_R6_CountsBudgetsByMinuteForBothProcesses) {
  RedisServer server;
  PAWL_NEEDS_REDIS(server);
  Process one(server);
  Process two(server);
  ASSERT_TRUE(eventually([&] { return one.redis.connected() && two.redis.connected(); }));
  const auto keys = one.limiter.principal_keys(Uuid{.bytes = {7}});
  int allowed = 0;
  Decision last;
  for (int i = 0; i < 30; ++i) {
    last = (i % 2 == 0 ? one : two).ask(keys);
    if (last.allowed) ++allowed;
  }
  EXPECT_GE(allowed, 10);
  EXPECT_LE(allowed, 13) << "the budget, and what came back meanwhile";
  EXPECT_FALSE(last.allowed);
  EXPECT_EQ(last.rule, Rule::minute);
  EXPECT_LE(last.retry_after, 6s);
}

TEST(SharedLimits, ChargesNothingWhereOneKeyRefuses) {
  RedisServer server;
  PAWL_NEEDS_REDIS(server);
  Process one(server);
  ASSERT_TRUE(eventually([&] { return one.redis.connected(); }));
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(one.ask(one.limiter.auth_keys(net::IpAddress::v4(0xC0000300U + static_cast<unsigned>(i)), "ann@example.org")).allowed);
  }
  for (int i = 0; i < 10; ++i) EXPECT_EQ(one.ask(one.limiter.auth_keys(kAddress, "ann@example.org")).rule, Rule::auth_account);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(one.ask(one.limiter.auth_keys(kAddress)).allowed);
  EXPECT_FALSE(one.ask(one.limiter.auth_keys(kAddress)).allowed);
}

TEST(SharedLimits, S0_R6_LocalLimitsTakeOverWhileRedisIsAway) {
  RedisServer server;
  PAWL_NEEDS_REDIS(server);
  Process one(server);
  ASSERT_TRUE(eventually([&] { return one.redis.connected(); }));
  const auto keys = one.limiter.auth_keys(kAddress, "ann@example.org");
  EXPECT_TRUE(one.ask(keys).allowed);
  const auto since = [&, before = one.reported().size()] {  // the server may have been slower than the client at first
    const auto all = one.reported();
    return std::vector<bool>(all.begin() + static_cast<std::ptrdiff_t>(before), all.end());
  };
  server.kill();
  int allowed = 0;
  for (int i = 0; i < 20; ++i) {
    if (one.ask(keys).allowed) ++allowed;
  }
  EXPECT_EQ(allowed, 5) << "limited, and nobody waits";
  ASSERT_TRUE(eventually([&] { return one.limiter.status() == RateLimiter::Status::warning; }));
  EXPECT_EQ(since(), std::vector<bool>{false}) << "one warning";
  server.start();
  ASSERT_TRUE(eventually([&] { return one.limiter.status() == RateLimiter::Status::shared; }));
  ASSERT_TRUE(eventually([&] { return since() == std::vector<bool>({false, true}); }));
  EXPECT_TRUE(one.ask(keys).allowed) << "shared counts again";
}

TEST(SharedLimits, P3_AStalledRedisCostsOneTimeoutAndNotOnePerRequest) {
  RedisServer server;
  PAWL_NEEDS_REDIS(server);
  Process one(server, 200ms);
  ASSERT_TRUE(eventually([&] { return one.redis.connected(); }));
  const auto keys = one.limiter.auth_keys(kAddress);
  server.stall();
  const auto before = std::chrono::steady_clock::now();
  int allowed = 0;
  for (int i = 0; i < 20; ++i) {
    if (one.ask(keys).allowed) ++allowed;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - before, 2s);
  EXPECT_EQ(allowed, 5);
  EXPECT_EQ(one.limiter.status(), RateLimiter::Status::warning);
  server.go_on();
}

}  // namespace
}  // namespace pawl::limits
