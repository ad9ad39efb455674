#include "storage/detail/reader_pool.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <utility>
#include <vector>

namespace pawl::storage::detail {
namespace {

class NoConnection : public Connection {
 public:
  Result<std::int64_t> run(std::string_view, Parameters, const void*, Visit) override { return 0; }
  Result<void> script(std::string_view) override { return {}; }
  [[nodiscard]] Dialect dialect() const override { return Dialect::sqlite; }
  Result<void> begin(Access) override { return {}; }
  Result<void> commit() override { return {}; }
  void rollback() override {}
  [[nodiscard]] bool in_transaction() const override { return false; }
};

/// One whose server may be gone.
class AskedConnection final : public NoConnection {
 public:
  struct Server {
    bool is_there = true;
    int asked = 0;
  };
  explicit AskedConnection(Server& server) : server_(server) {}
  [[nodiscard]] bool is_alive() override {
    ++server_.asked;
    return server_.is_there;
  }

 private:
  Server& server_;
};

// proves: S4-H5, S0-8
TEST(ReaderPool, S4_H5_WhatHasRestedIsAskedFirstAndReplacedWhereItDoesNotAnswer) {
  for (const auto& [ping_after, asks] : std::vector<std::pair<Millis, bool>>{{Millis(1), true}, {Millis(3'600'000), false}}) {
    CircuitBreaker breaker;
    AskedConnection::Server server;
    int opened = 0;
    ReaderPool pool(
        {.size = 1, .patience = Millis(600), .ping_after = ping_after},
        [&]() -> Result<std::unique_ptr<Connection>> {
          ++opened;
          return std::make_unique<AskedConnection>(server);
        },
        breaker);
    const auto use = [&] {
      auto connection = pool.acquire();
      ASSERT_TRUE(connection.has_value());
      pool.release(std::move(*connection));
      const auto rests_since = Steady::now();
      while (Steady::now() - rests_since < Millis(2)) std::this_thread::yield();
    };
    use();
    use();
    EXPECT_EQ(opened, 1) << "it is kept";
    EXPECT_EQ(server.asked, asks ? 1 : 0);
    server.is_there = false;
    use();
    EXPECT_EQ(opened, asks ? 2 : 1);
  }
}

// proves: AI-H2
TEST(ReaderPool, APlaceThatBecomesFreeWakesWhoWaitsForItAndNobodyElse) {
  CircuitBreaker breaker;
  ReaderPool pool(
      {.size = 1, .patience = Millis(600)}, []() -> Result<std::unique_ptr<Connection>> { return std::make_unique<NoConnection>(); },
      breaker);
  auto only = pool.acquire();
  ASSERT_TRUE(only.has_value());
  // Waits since before the reader does, and for longer than the reader has patience.
  std::thread pausing([&] { pool.pause(Millis(3'000)); });
  const auto began = Steady::now();
  while (Steady::now() - began < Millis(100)) std::this_thread::yield();
  bool served = false;
  std::thread waiting([&] {
    auto connection = pool.acquire();
    served = connection.has_value();
    if (served) pool.release(std::move(*connection));
  });
  while (pool.statistics().waiters == 0) std::this_thread::yield();
  const auto freed = Steady::now();
  pool.release(std::move(*only));
  waiting.join();
  EXPECT_TRUE(served);
  EXPECT_LT(Steady::now() - freed, Millis(400));
  pausing.join();
}

}  // namespace
}  // namespace pawl::storage::detail
