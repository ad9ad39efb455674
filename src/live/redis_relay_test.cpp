#include "live/redis_relay.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "net/testing/redis_server.hpp"

namespace pawl::live {
namespace {

using namespace std::chrono_literals;
using net::RedisClient;
using net::testing::eventually;
using net::testing::RedisServer;

/// One process: a client of its own and what it has received.
struct Process {
  explicit Process(const RedisServer& server)
      : redis(server.address(), {.command_timeout = 5s, .min_backoff = 5ms, .max_backoff = 50ms}), relay(redis) {
    relay.receive({.message =
                       [this](std::string_view message) {
                         const std::lock_guard lock(mutex);
                         received.emplace_back(message);
                       },
                   .gap = [this] { ++gaps; }});
  }
  std::vector<std::string> messages() {
    const std::lock_guard lock(mutex);
    return received;
  }
  [[nodiscard]] bool up() const { return redis.connected() && redis.snapshot().subscribed && gaps > 0; }

  std::mutex mutex;
  std::vector<std::string> received;
  std::atomic<int> gaps{0};
  RedisClient redis;
  RedisRelay relay;
};

// On issue 3 point 13 (an event raised in one process reaches another within a second).
TEST(RedisRelay, CarriesAnEventToTheOtherProcessWithinASecond) {
  RedisServer server;
  PAWL_NEEDS_REDIS(server);
  Process one(server);
  Process two(server);
  ASSERT_TRUE(eventually([&] { return one.up() && two.up(); }));
  const auto before = std::chrono::steady_clock::now();
  EXPECT_TRUE(one.relay.publish(R"({"type":"run.finished"})"));
  ASSERT_TRUE(eventually([&] { return two.messages().size() == 1; }));
  EXPECT_LT(std::chrono::steady_clock::now() - before, 1s);
  EXPECT_EQ(two.messages()[0], R"({"type":"run.finished"})");
}

TEST(RedisRelay, SaysThatItLostTheCarrierAndTellsOfTheGapAfterwards) {
  RedisServer server;
  PAWL_NEEDS_REDIS(server);
  Process one(server);
  Process two(server);
  ASSERT_TRUE(eventually([&] { return one.up() && two.up(); }));
  const int gaps = two.gaps;
  server.kill();
  ASSERT_TRUE(eventually([&] { return !one.redis.connected() && !two.redis.snapshot().subscribed; }));
  EXPECT_FALSE(one.relay.publish("lost"));
  server.start();
  ASSERT_TRUE(eventually([&] { return one.up() && two.up() && two.gaps > gaps; }));
  one.relay.publish("heard");  // says whether anything before it was lost
  ASSERT_TRUE(eventually([&] { return !two.messages().empty(); }));
  EXPECT_EQ(two.messages()[0], "heard");
}

TEST(RedisRelay, CallsNobodyWhoHasGone) {
  RedisServer server;
  PAWL_NEEDS_REDIS(server);
  Process one(server);
  Process two(server);
  ASSERT_TRUE(eventually([&] { return one.up() && two.up(); }));
  two.relay.receive({});
  EXPECT_TRUE(one.relay.publish("for nobody"));
  ASSERT_TRUE(eventually([&] { return one.messages().size() == 1 && two.redis.snapshot().messages == 1; }));
  EXPECT_TRUE(two.messages().empty());
}

}  // namespace
}  // namespace pawl::live
