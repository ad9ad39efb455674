#include "net/host_breakers.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pawl::net {
namespace {

using namespace std::chrono_literals;
using Outcome = CircuitBreaker::Outcome;

constexpr HostBreakers::Time kNow{1h};

/// Empty where the request may go, else the error's code.
std::string request(HostBreakers& breakers, const std::string& origin, Outcome outcome, HostBreakers::Time now = kNow) {
  auto permit = breakers.try_acquire(origin, now);
  if (permit.has_error()) return permit.error().code;
  HostBreakers::report(*permit, outcome, now);
  return {};
}

TEST(HostBreakers, S0_9_KeepsAwayFromOnePlaceAndNotFromOthers) {
  HostBreakers breakers({}, 10);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(request(breakers, "http://a:80", Outcome::failure), "");
  EXPECT_EQ(request(breakers, "http://a:80", Outcome::success), "net.circuit_open");
  EXPECT_EQ(request(breakers, "http://a:81", Outcome::success), "");
  EXPECT_EQ(request(breakers, "http://b:80", Outcome::success), "");
  EXPECT_EQ(request(breakers, "http://a:80", Outcome::success, kNow + 60s), "") << "the probe";
  EXPECT_EQ(request(breakers, "http://a:80", Outcome::success, kNow + 60s), "");
}

TEST(HostBreakers, IsBoundedAndForgetsClosedOnesFirst) {
  HostBreakers breakers({}, 100);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(request(breakers, "http://dead:80", Outcome::failure, kNow - 1s), "");
  for (int i = 0; i < 10'000; ++i) EXPECT_EQ(request(breakers, "http://host" + std::to_string(i) + ":80", Outcome::success), "");
  EXPECT_EQ(request(breakers, "http://dead:80", Outcome::success), "net.circuit_open");
  EXPECT_EQ(breakers.snapshot(kNow, 1'000).size(), 100U);
}

TEST(HostBreakers, S0_9_ShowsWhatIsOpenFirst) {
  HostBreakers breakers({.failures_to_open = 1}, 10);
  EXPECT_EQ(request(breakers, "http://old:80", Outcome::success, kNow - 2s), "");
  EXPECT_EQ(request(breakers, "http://dead:80", Outcome::failure, kNow - 1s), "");
  EXPECT_EQ(request(breakers, "http://new:80", Outcome::success, kNow), "");
  const auto states = breakers.snapshot(kNow, 2);
  ASSERT_EQ(states.size(), 2U);
  EXPECT_EQ(states[0].origin, "http://dead:80");
  EXPECT_EQ(states[0].breaker.state, CircuitBreaker::State::open);
  EXPECT_EQ(states[1].origin, "http://new:80");
}

TEST(HostBreakers, CountsAPermitOnce) {
  HostBreakers breakers({.failures_to_open = 2}, 10);
  auto permit = breakers.try_acquire("http://a:80", kNow);
  ASSERT_TRUE(permit.has_value());
  HostBreakers::report(*permit, Outcome::failure, kNow);
  HostBreakers::report(*permit, Outcome::failure, kNow);
  EXPECT_EQ(request(breakers, "http://a:80", Outcome::success), "");
}

}  // namespace
}  // namespace pawl::net
