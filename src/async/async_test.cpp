#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "async/blocking_pool.hpp"
#include "async/io_threads.hpp"
#include "async/task_scope.hpp"

namespace pawl::async {
namespace {

namespace asio = boost::asio;

TEST(UniqueFunction, OwnsSmallAndLargeCallables) {
  auto small = std::make_unique<int>(7);
  UniqueFunction<int(int)> first = [small = std::move(small)](int add) { return *small + add; };
  std::array<std::string, 8> many;
  many[7] = "large";
  UniqueFunction<int(int)> second = [many](int add) { return static_cast<int>(many[7].size()) + add; };
  UniqueFunction<int(int)> moved = std::move(first);
  EXPECT_FALSE(static_cast<bool>(first));
  EXPECT_EQ(moved(1), 8);
  moved = std::move(second);
  EXPECT_EQ(moved(1), 6);
}

TEST(UniqueFunction, DestroysItsCallableOnce) {
  const auto counted = std::make_shared<int>(0);
  {
    Job job = [counted] { ++*counted; };
    Job other = std::move(job);
    other();
    EXPECT_EQ(counted.use_count(), 2);
  }
  EXPECT_EQ(counted.use_count(), 1);
  EXPECT_EQ(*counted, 1);
}

TEST(IoThreads, RunJobsOnTheNamedThread) {
  IoThreads threads(2);
  threads.start();
  for (std::size_t i = 0; i < 2; ++i) {
    std::promise<std::optional<std::size_t>> where;
    threads.post(i, [&] { where.set_value(threads.current()); });
    EXPECT_EQ(where.get_future().get(), i);
  }
  EXPECT_FALSE(threads.current().has_value());
  threads.stop();
  EXPECT_FALSE(threads.running());
}

TEST(IoThreads, JobsOfOneThreadKeepTheirOrder) {
  IoThreads threads(1);
  threads.start();
  std::vector<int> order;
  std::promise<void> done;
  for (int i = 0; i < 100; ++i) threads.post(0, [&order, i] { order.push_back(i); });
  threads.post(0, [&] { done.set_value(); });
  done.get_future().wait();
  threads.stop();
  ASSERT_EQ(order.size(), 100U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(IoThreads, StopDestroysWhatNeverRanAndWhatComesLater) {
  IoThreads threads(2);
  asio::steady_timer timer(threads.context(1));
  threads.start();
  const auto owned = std::make_shared<int>(0);
  std::binary_semaphore begun(0);
  std::binary_semaphore go_on(0);
  threads.post(0, [&] {
    begun.release();
    go_on.acquire();
  });
  begun.acquire();
  threads.post(0, [owned] { ++*owned; });
  timer.expires_after(std::chrono::hours(1));
  timer.async_wait([owned](const boost::system::error_code&) { ++*owned; });
  std::thread stopping([&] { threads.stop(); });
  while (threads.running()) std::this_thread::yield();
  go_on.release();
  stopping.join();
  EXPECT_EQ(owned.use_count(), 1) << "whoever stops goes on to destroy what jobs use";
  threads.post(0, [owned] { ++*owned; });
  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_LE(*owned, 1);
}

TEST(BlockingPool, RefusesWorkBeyondItsQueue) {
  BlockingPool pool("test", 1, 2);
  std::binary_semaphore begun(0);
  std::binary_semaphore go(0);
  std::atomic<int> ran = 0;
  ASSERT_TRUE(pool.try_post([&] {
    begun.release();
    go.acquire();
    ++ran;
  }));
  begun.acquire();
  EXPECT_TRUE(pool.try_post([&] { ++ran; }));
  EXPECT_TRUE(pool.try_post([&] { ++ran; }));
  EXPECT_FALSE(pool.try_post([&] { ++ran; }));
  EXPECT_EQ(pool.queued(), 2U);
  go.release();
  pool.stop();
  EXPECT_EQ(ran, 3);
  EXPECT_FALSE(pool.try_post([] {}));
}

asio::awaitable<void> sleep_long(asio::io_context& context, int& woken) {
  asio::steady_timer timer(context, std::chrono::hours(1));
  try {
    co_await timer.async_wait(asio::use_awaitable);
  } catch (const boost::system::system_error&) {
    ++woken;
    throw;
  }
}

asio::awaitable<void> fail() {
  throw std::runtime_error("broken");
  co_return;
}

asio::awaitable<void> cancel_and_wait(TaskScope& scope, bool& done) {
  scope.cancel();
  co_await scope.wait();
  done = true;
}

TEST(TaskScope, CancelsItsTasksAndWaitsForThem) {
  asio::io_context context(1);
  int woken = 0;
  int errors = 0;
  bool done = false;
  TaskScope scope(context, [&](std::string_view, const std::exception_ptr&) { ++errors; });
  TaskScope outer(context, nullptr);
  scope.spawn("one", sleep_long(context, woken));
  scope.spawn("two", sleep_long(context, woken));
  context.poll();
  EXPECT_EQ(scope.size(), 2U);
  outer.spawn("stopper", cancel_and_wait(scope, done));
  context.run();
  EXPECT_EQ(woken, 2);
  EXPECT_EQ(errors, 0);
  EXPECT_TRUE(done);
}

TEST(TaskScope, TaskSpawnedAfterCancelEndsAtItsFirstWait) {
  asio::io_context context(1);
  int woken = 0;
  TaskScope scope(context, nullptr);
  scope.cancel();
  scope.spawn("late", sleep_long(context, woken));
  context.run();
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(scope.size(), 0U);
}

TEST(TaskScope, ReportsTheExceptionThatEndedATask) {
  asio::io_context context(1);
  std::string who;
  TaskScope scope(context, [&](std::string_view name, const std::exception_ptr&) { who = name; });
  scope.spawn("fragile", fail());
  context.run();
  EXPECT_EQ(who, "fragile");
}

}  // namespace
}  // namespace pawl::async
