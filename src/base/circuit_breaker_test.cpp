#include "base/circuit_breaker.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace pawl {
namespace {

using namespace std::chrono_literals;
using Outcome = CircuitBreaker::Outcome;
using State = CircuitBreaker::State;

constexpr CircuitBreaker::Time kStart{1h};

/// Calls at `at` and reports at once; false where the breaker kept the call away.
bool call(CircuitBreaker& breaker, std::chrono::milliseconds at, Outcome outcome) {
  const auto permit = breaker.try_acquire(kStart + at);
  if (permit) breaker.report(*permit, outcome, kStart + at);
  return permit.has_value();
}

// A script of calls, one letter each: `s` succeeds, `f` fails, `i` is ignored, `.` must be refused; `+` lets 60 s pass, `-` one
// millisecond less.
TEST(CircuitBreaker, S0_9_OpensAfterFiveFailuresAndLetsOneProbeThroughAfterAMinute) {
  struct Case {
    const char* why;
    const char* script;
    State state;
    std::uint64_t opened;
  };
  const Case cases[] = {
      {"works as long as it works", "ssss", State::closed, 0},
      {"four failures are borne", "ffff", State::closed, 0},
      {"five in a row open it", "fffff.", State::open, 1},
      {"a success in between starts anew", "ffffsffff", State::closed, 0},
      {"what says nothing neither counts nor starts anew", "ffiffif.", State::open, 1},
      {"it stays open for a minute", "fffff.-.", State::open, 1},
      {"then it is half open", "fffff.+", State::half_open, 1},
      {"a probe that works closes it", "fffff+sss", State::closed, 1},
      {"a probe that fails opens it for another minute", "fffff+f.-.", State::open, 2},
      {"and so on", "fffff+f+f+s", State::closed, 3},
      {"after it closed five failures are needed again", "fffff+sffff", State::closed, 1},
      {"a probe that proved nothing leaves the place to the next call", "fffff+is", State::closed, 1},
  };
  for (const auto& one : cases) {
    CircuitBreaker breaker;
    std::chrono::milliseconds at{0};
    for (const char* step = one.script; *step != '\0'; ++step) {
      if (*step == '+') {
        at += 60s;
      } else if (*step == '-') {
        at += 60s - 1ms;
      } else {
        const auto outcome = *step == 's' ? Outcome::success : *step == 'i' ? Outcome::ignored : Outcome::failure;
        EXPECT_EQ(call(breaker, at, outcome), *step != '.') << one.why << ", step " << step - one.script;
      }
    }
    const auto snapshot = breaker.snapshot(kStart + at);
    EXPECT_EQ(snapshot.state, one.state) << one.why;
    EXPECT_EQ(snapshot.opened, one.opened) << one.why;
  }
}

TEST(CircuitBreaker, LetsOnlyOneProbeThroughAtATime) {
  CircuitBreaker breaker({.failures_to_open = 1, .open_for = 10s});
  EXPECT_TRUE(call(breaker, 0s, Outcome::failure));
  const auto probe = breaker.try_acquire(kStart + 10s);
  ASSERT_TRUE(probe);
  EXPECT_FALSE(breaker.try_acquire(kStart + 11s));
  breaker.report(*probe, Outcome::success, kStart + 12s);
  EXPECT_TRUE(breaker.try_acquire(kStart + 12s));
}

TEST(CircuitBreaker, ReplacesAProbeThatNeverReports) {
  CircuitBreaker breaker({.failures_to_open = 1, .open_for = 10s});
  EXPECT_TRUE(call(breaker, 0s, Outcome::failure));
  const auto lost = breaker.try_acquire(kStart + 10s);
  ASSERT_TRUE(lost);
  EXPECT_FALSE(breaker.try_acquire(kStart + 20s - 1ms));
  const auto second = breaker.try_acquire(kStart + 20s);
  ASSERT_TRUE(second);
  breaker.report(*lost, Outcome::failure, kStart + 21s);  // late: the second probe decides
  breaker.report(*second, Outcome::success, kStart + 22s);
  EXPECT_EQ(breaker.snapshot(kStart + 22s).state, State::closed);
}

TEST(CircuitBreaker, IsNotChangedByCallsOfAnEarlierState) {
  CircuitBreaker breaker({.failures_to_open = 2, .open_for = 10s});
  const auto slow_success = breaker.try_acquire(kStart);
  const auto slow_failure = breaker.try_acquire(kStart);
  ASSERT_TRUE(slow_success && slow_failure);
  EXPECT_TRUE(call(breaker, 0s, Outcome::failure));
  EXPECT_TRUE(call(breaker, 0s, Outcome::failure));
  breaker.report(*slow_success, Outcome::success, kStart + 1s);
  EXPECT_EQ(breaker.snapshot(kStart + 1s).state, State::open);
  EXPECT_TRUE(call(breaker, 10s, Outcome::success));
  breaker.report(*slow_failure, Outcome::failure, kStart + 11s);
  EXPECT_EQ(breaker.snapshot(kStart + 11s).failures_in_a_row, 0U);
  EXPECT_EQ(breaker.snapshot(kStart + 11s).failures, 3U) << "but it is counted";
}

TEST(CircuitBreaker, S0_9_ClosesWhereTheOtherSideIsKnownToWork) {
  CircuitBreaker breaker({.failures_to_open = 1, .open_for = 10s});
  const auto slow = breaker.try_acquire(kStart);
  EXPECT_TRUE(call(breaker, 0s, Outcome::failure));
  EXPECT_FALSE(call(breaker, 1s, Outcome::success));
  breaker.close();
  EXPECT_EQ(to_text(breaker.snapshot(kStart + 1s).state), "closed");
  breaker.report(*slow, Outcome::failure, kStart + 2s);
  EXPECT_EQ(to_text(breaker.snapshot(kStart + 2s).state), "closed") << "what began before it closed says nothing";
  EXPECT_TRUE(call(breaker, 2s, Outcome::success));
}

TEST(CircuitBreaker, S0_9_SaysItsStateForHealth) {
  CircuitBreaker breaker({.failures_to_open = 1, .open_for = 10s});
  EXPECT_TRUE(call(breaker, 0s, Outcome::success));
  EXPECT_TRUE(call(breaker, 0s, Outcome::failure));
  EXPECT_FALSE(call(breaker, 4s, Outcome::success));
  const auto snapshot = breaker.snapshot(kStart + 4s);
  EXPECT_EQ(to_text(snapshot.state), "open");
  EXPECT_EQ(snapshot.retry_after, 6s);
  EXPECT_EQ(snapshot.successes, 1U);
  EXPECT_EQ(snapshot.failures, 1U);
  EXPECT_EQ(snapshot.refused, 1U);
  EXPECT_EQ(to_text(breaker.snapshot(kStart + 10s).state), "half_open");
  EXPECT_EQ(breaker.snapshot(kStart + 10s).retry_after, 0s);
}

TEST(CircuitBreaker, S0_9_IsThreadSafe) {
  CircuitBreaker breaker({.failures_to_open = 1, .open_for = 10s});
  EXPECT_TRUE(call(breaker, 0s, Outcome::failure));
  std::atomic<int> probes{0};
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1'000; ++i) ++(breaker.try_acquire(kStart + 10s) ? probes : refused);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(probes, 1);
  EXPECT_EQ(refused, 3'999);
  EXPECT_EQ(breaker.snapshot(kStart + 10s).refused, 3'999U);
}

}  // namespace
}  // namespace pawl
