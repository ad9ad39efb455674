#include "storage/detail/reader_pool.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace pawl::storage::detail {
namespace {

class NoConnection final : public Connection {
 public:
  Result<std::int64_t> run(std::string_view, Parameters, const void*, Visit) override { return 0; }
  Result<void> script(std::string_view) override { return {}; }
  [[nodiscard]] Dialect dialect() const override { return Dialect::sqlite; }
  Result<void> begin(Access) override { return {}; }
  Result<void> commit() override { return {}; }
  void rollback() override {}
  [[nodiscard]] bool in_transaction() const override { return false; }
};

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
