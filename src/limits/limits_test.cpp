#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "limits/detail/memory_store.hpp"
#include "limits/gcra.hpp"
#include "limits/headers.hpp"
#include "limits/rate_limiter.hpp"
#include "limits/sliding_window.hpp"

namespace pawl::limits {
namespace {

using namespace std::chrono_literals;

struct ManualClock final : Clock {
  TimePoint time{Millis{1'700'000'000'000}};
  [[nodiscard]] TimePoint now() const override { return time; }
};

// ---- the two rules -----------------------------------------------------------------------------------------------

constexpr Micros kNow = 1'000'000s;

/// Random calls, denser and thinner than the rate; gives the times of those that were allowed.
template <class Ask>
std::vector<Micros> allowed_calls(const Rate& rate, std::uint64_t seed, const Ask& ask) {
  std::mt19937_64 random(seed);
  std::vector<Micros> allowed;
  Micros now = kNow;
  for (int i = 0; i < 500; ++i) {
    const auto interval = (Micros(rate.window) / rate.amount).count();
    now +=
        Micros(random() % 10 == 0 ? random() % static_cast<std::uint64_t>(interval * 20) : random() % static_cast<std::uint64_t>(interval));
    if (ask(now)) allowed.push_back(now);
  }
  return allowed;
}

TEST(Gcra, P3_NeverAllowsMoreThanTheBurstAndTheRateInAnyStretchOfTime) {
  for (const Rate rate : {Rate{1, 1s}, Rate{5, 60s}, Rate{60, 6s}, Rate{200, 36s}, Rate{7, 1s}}) {
    const double per_micro = static_cast<double>(rate.amount) / static_cast<double>(Micros(rate.window).count());
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      Micros full_at{0};
      const auto allowed = allowed_calls(rate, seed, [&](Micros now) {
        const auto verdict = gcra_look(rate, full_at, now);
        if (verdict.allowed) full_at = gcra_take(rate, full_at, now);
        return verdict.allowed;
      });
      ASSERT_GT(allowed.size(), std::min(100U, 2 * rate.amount - 1));
      for (std::size_t first = 0; first < allowed.size(); ++first) {
        for (std::size_t last = first; last < allowed.size(); ++last) {
          const auto time = static_cast<double>((allowed[last] - allowed[first]).count());
          ASSERT_LE(static_cast<double>(last - first + 1), rate.amount + time * per_micro * 1.0001 + 0.0001) << "seed " << seed;
        }
      }
    }
  }
}

TEST(Gcra, SaysWhenTheNextCallIsAllowedAndIsRight) {
  const Rate rate{5, 60s};
  Micros full_at{0};
  for (std::uint32_t left = 4;; --left) {
    const auto verdict = gcra_look(rate, full_at, kNow);
    ASSERT_TRUE(verdict.allowed);
    EXPECT_EQ(verdict.remaining, left);
    EXPECT_EQ(verdict.reset_after, 12s * (5 - left));
    full_at = gcra_take(rate, full_at, kNow);
    if (left == 0) break;
  }
  const auto refused = gcra_look(rate, full_at, kNow);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after, 12s);
  EXPECT_EQ(refused.reset_after, 60s);
  EXPECT_FALSE(gcra_look(rate, full_at, kNow + 12s - 1us).allowed);
  EXPECT_TRUE(gcra_look(rate, full_at, kNow + 12s).allowed);
  EXPECT_EQ(gcra_look(rate, full_at, kNow + 60s).remaining, 4U) << "all is there again after the window";
}

TEST(Gcra, NeverTakesBackWhatItAllowedWhenTimeGoesOn) {
  std::mt19937_64 random(7);
  const Rate rate{10, 1s};
  for (int round = 0; round < 2'000; ++round) {
    const Micros full_at = kNow + Micros(static_cast<std::int64_t>(random() % 1'000'000) - 500'000);
    const Micros earlier = kNow + Micros(random() % 1'000'000);
    const Micros later = earlier + Micros(random() % 1'000'000);
    const auto first = gcra_look(rate, full_at, earlier);
    const auto second = gcra_look(rate, full_at, later);
    ASSERT_GE(second.allowed, first.allowed);
    ASSERT_GE(second.remaining, first.remaining);
    ASSERT_LE(later + second.retry_after, std::max(later, earlier + first.retry_after));
  }
}

TEST(SlidingWindow, S4_C4_NeverAllowsMoreThanTheAmountInAnyWindow) {
  for (const Rate rate : {Rate{1, 1s}, Rate{5, 60s}, Rate{8, 2s}}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      CallTimes times{};
      const auto allowed = allowed_calls(rate, seed, [&](Micros now) {
        const auto verdict = sliding_look(rate, times, now);
        if (verdict.allowed) sliding_take(rate, times, now);
        EXPECT_EQ(verdict.allowed, verdict.retry_after == 0us);
        if (!verdict.allowed) {
          EXPECT_FALSE(sliding_look(rate, times, now + verdict.retry_after - 1us).allowed);
          EXPECT_TRUE(sliding_look(rate, times, now + verdict.retry_after).allowed);
          EXPECT_EQ(sliding_look(rate, times, now + verdict.reset_after).remaining, rate.amount - 1);
        }
        return verdict.allowed;
      });
      ASSERT_GT(allowed.size(), 2 * rate.amount);
      for (std::size_t i = rate.amount; i < allowed.size(); ++i) {
        ASSERT_GE(allowed[i] - allowed[i - rate.amount], Micros(rate.window)) << "seed " << seed;
      }
    }
  }
}

TEST(Rules, LockNobodyOutForLongerThanAWindowWhenTheClockIsSetBack) {
  const Rate rate{5, 60s};
  CallTimes times{};
  Micros full_at{0};
  for (int i = 0; i < 5; ++i) {
    sliding_take(rate, times, kNow);
    full_at = gcra_take(rate, full_at, kNow);
  }
  const Micros back = kNow - 3'600s;
  EXPECT_LE(gcra_look(rate, full_at, back).reset_after, 60s);
  EXPECT_LE(sliding_look(rate, times, back).reset_after, 60s);
  EXPECT_LE(gcra_look(rate, full_at, back).retry_after, 12s);
  EXPECT_LE(sliding_look(rate, times, back).retry_after, 60s);
}

// ---- the store of one process --------------------------------------------------------------------------------------

detail::Policies five_a_minute() {
  detail::Policies policies;
  policies.fill({{5, 60s}, true});
  policies[static_cast<std::size_t>(Rule::minute)] = {{5, 60s}, false};
  return policies;
}

Key key_of(Rule rule, std::uint64_t number) {
  Key key{.rule = rule};
  for (std::size_t i = 0; i < 8; ++i) key.subject[i] = static_cast<std::uint8_t>(number >> (8 * i));
  return key;
}

bool ask(detail::MemoryStore& store, const Key& key, Micros now) {
  Verdict verdict;
  store.check({&key, 1}, now, {&verdict, 1});
  return verdict.allowed;
}

TEST(MemoryStore, ChargesNothingWhereOneKeyRefuses) {
  detail::MemoryStore store(five_a_minute(), 1'000);
  const auto address = key_of(Rule::auth_address, 1);
  const auto account = key_of(Rule::auth_account, 2);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(ask(store, account, kNow));
  const std::array both{address, account};
  std::array<Verdict, 2> verdicts;
  for (int i = 0; i < 10; ++i) {
    store.check(both, kNow, verdicts);
    EXPECT_TRUE(verdicts[0].allowed);
    EXPECT_EQ(verdicts[0].remaining, 4U);
    EXPECT_FALSE(verdicts[1].allowed);
  }
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(ask(store, address, kNow));
  EXPECT_FALSE(ask(store, address, kNow));
}

// Two hundred times as many addresses as there is room for.
TEST(MemoryStore, P3_AFloodOfAddressesNeitherExhaustsMemoryNorFreesTheOneThatIsAtItsLimit) {
  detail::MemoryStore store(five_a_minute(), 512);
  for (const auto rule : {Rule::auth_address, Rule::minute}) {
    const auto victim = key_of(rule, ~std::uint64_t{0});
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(ask(store, victim, kNow));
    for (std::uint64_t number = 0; number < 100'000; ++number) ask(store, key_of(rule, number), kNow);
    EXPECT_FALSE(ask(store, victim, kNow));
  }
  EXPECT_LE(store.size(), 2U * 512);
}

TEST(MemoryStore, ForgetsSubjectsThatHaveTheirWholeAmountAgain) {
  detail::MemoryStore store(five_a_minute(), 65'536);
  for (std::uint64_t number = 0; number < 10'000; ++number) EXPECT_TRUE(ask(store, key_of(Rule::minute, number), kNow));
  EXPECT_EQ(store.size(), 10'000U);
  for (std::uint64_t number = 10'000; number < 20'000; ++number) EXPECT_TRUE(ask(store, key_of(Rule::minute, number), kNow + 61s));
  EXPECT_LT(store.size(), 11'000U);
}

TEST(MemoryStore, AdmitsTheExactAmountFromManyThreads) {
  detail::MemoryStore store(five_a_minute(), 1'000);
  std::atomic<int> allowed{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      std::array keys{key_of(Rule::auth_address, 1), key_of(Rule::minute, 1)};
      if (thread % 2 == 1) std::swap(keys[0], keys[1]);
      std::array<Verdict, 2> verdicts;
      for (int i = 0; i < 5'000; ++i) {
        store.check(keys, kNow, verdicts);
        if (verdicts[0].allowed && verdicts[1].allowed) ++allowed;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(allowed, 5);
}

// ---- the limiter ---------------------------------------------------------------------------------------------------

struct LimiterTest : ::testing::Test {
  ManualClock clock;
  Limits limits;
  crypto::Key secret = crypto::derive_key("secret", "limits");
  RateLimiter limiter{limits, clock, secret};

  static Decision ask(RateLimiter& of, const Keys& keys) {
    std::optional<Decision> answer;
    of.check(keys, [&](const Decision& decision) { answer = decision; });
    EXPECT_TRUE(answer.has_value()) << "local counts answer before check returns";
    return answer.value_or(Decision{});
  }
  Decision ask(const Keys& keys) { return ask(limiter, keys); }
  static net::IpAddress address(const std::string& text) { return net::IpAddress::parse(text).value(); }
};

TEST_F(LimiterTest, S4_C4_RefusesTheSixthAttemptInAMinuteFromOneAddress) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(ask(limiter.auth_keys(address("192.0.2.1"), "user" + std::to_string(i) + "@example.org")).allowed);
    clock.time += 10s;
  }
  const auto sixth = ask(limiter.auth_keys(address("192.0.2.1"), "other@example.org"));
  EXPECT_FALSE(sixth.allowed);
  EXPECT_EQ(sixth.rule, Rule::auth_address);
  EXPECT_EQ(sixth.limit, 5U);
  EXPECT_EQ(sixth.remaining, 0U);
  EXPECT_EQ(sixth.retry_after, 10s);
  EXPECT_TRUE(ask(limiter.auth_keys(address("192.0.2.2"), "other@example.org")).allowed) << "another address is not concerned";
}

TEST_F(LimiterTest, S4_C4_CountsAnAccountOverAllAddressesHoweverItIsWritten) {
  const char* spellings[] = {"ann@example.org", "Ann@Example.org", " ann@example.org", "ANN@EXAMPLE.ORG\n",
                             "\x01"
                             "ann@example.org\v\x7f"};
  int last = 1;
  for (const auto* spelling : spellings)
    EXPECT_TRUE(ask(limiter.auth_keys(address("192.0.2." + std::to_string(last++)), spelling)).allowed);
  const auto sixth = ask(limiter.auth_keys(address("192.0.2.99"), "ann@example.org"));
  EXPECT_FALSE(sixth.allowed);
  EXPECT_EQ(sixth.rule, Rule::auth_account);
  EXPECT_TRUE(ask(limiter.auth_keys(address("192.0.2.99"), "bob@example.org")).allowed) << "nothing was charged by the refusal";
}

TEST_F(LimiterTest, S4_C4_ResetsAfterTheWindow) {
  const auto keys = limiter.auth_keys(address("192.0.2.1"), "ann@example.org");
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(ask(keys).allowed);
    clock.time += 60s - 1ms;
    EXPECT_FALSE(ask(keys).allowed);
    clock.time += 1ms;
  }
}

TEST_F(LimiterTest, P3_CountsAddressesOfOneSubscriberTogether) {
  for (int i = 1; i <= 5; ++i) EXPECT_TRUE(ask(limiter.auth_keys(address("2001:db8:1:2::" + std::to_string(i)))).allowed);
  EXPECT_FALSE(ask(limiter.auth_keys(address("2001:db8:1:2:ffff::1"))).allowed);
  EXPECT_TRUE(ask(limiter.auth_keys(address("2001:db8:1:3::1"))).allowed);
  EXPECT_TRUE(ask(limiter.auth_keys(address("::ffff:192.0.2.1"))).allowed);
  EXPECT_EQ(limiter.auth_keys(address("::ffff:192.0.2.1")).view()[0], limiter.auth_keys(address("192.0.2.1")).view()[0]);
}

TEST_F(LimiterTest, P3_LimitsPrincipalsByMinuteAndByHour) {
  Limits small;
  small.per_minute = 10;
  small.per_hour = 25;
  RateLimiter of(small, clock, secret);
  const Uuid principal{.bytes = {1, 2, 3}};
  for (std::uint32_t left = 10; left-- > 0;) {
    const auto decision = ask(of, of.principal_keys(principal));
    EXPECT_TRUE(decision.allowed);
    EXPECT_EQ(decision.rule, Rule::minute);
    EXPECT_EQ(decision.limit, 10U);
    EXPECT_EQ(decision.remaining, left);
  }
  EXPECT_FALSE(ask(of, of.principal_keys(principal)).allowed);
  EXPECT_TRUE(ask(of, of.principal_keys(Uuid{.bytes = {9}})).allowed);
  EXPECT_TRUE(ask(of, of.address_keys(address("192.0.2.1"))).allowed);
  clock.time += 60s;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(ask(of, of.principal_keys(principal)).allowed);
  clock.time += 60s;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(ask(of, of.principal_keys(principal)).allowed);
  const auto refused = ask(of, of.principal_keys(principal));
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.rule, Rule::hour);
  EXPECT_EQ(refused.limit, 25U);
}

TEST_F(LimiterTest, P3_CountsWebhooksByToken) {
  Limits small;
  small.per_minute = 3;
  RateLimiter of(small, clock, secret);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(ask(of, of.webhook_keys("token-a")).allowed);
  EXPECT_FALSE(ask(of, of.webhook_keys("token-a")).allowed);
  EXPECT_TRUE(ask(of, of.webhook_keys("token-b")).allowed);
}

TEST_F(LimiterTest, CountsWhatAsksAModelOnABudgetOfItsOwnAndOnTheGeneralOne) {
  Limits small;
  small.per_minute = 4;
  small.models_per_minute = 2;
  RateLimiter of(small, clock, secret);
  const Uuid principal{.bytes = {1}};
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(ask(of, of.model_keys(principal)).allowed);
  EXPECT_EQ(ask(of, of.model_keys(principal)).rule, Rule::model);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(ask(of, of.principal_keys(principal)).allowed);
  EXPECT_FALSE(ask(of, of.principal_keys(principal)).allowed) << "asking models counted here too";
  EXPECT_TRUE(ask(of, of.model_keys(Uuid{.bytes = {2}})).allowed);
}

TEST_F(LimiterTest, CountsNothingWhenSwitchedOff) {
  limits.enabled = false;
  RateLimiter of(limits, clock, secret);
  const auto keys = of.auth_keys(address("192.0.2.1"));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(ask(of, keys).allowed);
  EXPECT_TRUE(header_fields(ask(of, keys), clock.now()).empty());
}

TEST_F(LimiterTest, KeysDoNotShowWhoIsMeant) {
  const auto key = limiter.auth_keys(address("192.0.2.1"), "ann@example.org").view()[1];
  EXPECT_NE(key,
            RateLimiter(limits, clock, crypto::derive_key("other", "limits")).auth_keys(address("192.0.2.1"), "ann@example.org").view()[1])
      << "a hash without a secret could be looked up";
}

TEST_F(LimiterTest, FA_6_TellsTheLimitInHeaders) {
  clock.time = TimePoint{Millis{1'700'000'000'500}};
  const auto keys = limiter.auth_keys(address("192.0.2.1"));
  const auto texts = [&](const Decision& decision) {
    std::vector<std::string> lines;
    for (const auto& field : header_fields(decision, clock.now())) lines.push_back(std::string(field.name) + ": " + field.value);
    return lines;
  };
  EXPECT_EQ(texts(ask(keys)),
            (std::vector<std::string>{"X-RateLimit-Limit: 5", "X-RateLimit-Remaining: 4", "X-RateLimit-Reset: 1700000061"}));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ask(keys).allowed);
  clock.time += 100ms;
  EXPECT_EQ(texts(ask(keys)), (std::vector<std::string>{"X-RateLimit-Limit: 5", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1700000061",
                                                        "Retry-After: 60"}));
  clock.time += 59'899ms;
  EXPECT_EQ(texts(ask(keys)).back(), "Retry-After: 1") << "never 0, which would mean now";
}

}  // namespace
}  // namespace pawl::limits
