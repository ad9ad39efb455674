#include "functions/detail/service_threads.hpp"

#include "async/blocking_pool.hpp"
#include "engine/machine/machine.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kThreads = 4;
constexpr std::size_t kWaiting = 1'000;

}  // namespace

ServiceThreads::ServiceThreads() = default;

ServiceThreads::~ServiceThreads() {
  {
    const std::lock_guard lock(mutex_);
    for (const Flag& flag : running_) flag->store(true, std::memory_order_relaxed);
  }
  if (pool_) pool_->stop();
}

engine::Cancel ServiceThreads::run(BlockingWork work, engine::Done done) {
  const auto flag = std::make_shared<std::atomic<bool>>(false);
  // `done` is needed here too when too much waits.
  const auto shared_done = std::make_shared<engine::Done>(std::move(done));
  bool accepted = false;
  {
    const std::lock_guard lock(mutex_);
    if (!pool_) pool_ = std::make_unique<async::BlockingPool>("services", kThreads, kWaiting);
    running_.insert(flag);
    accepted = pool_->try_post([this, work = std::move(work), shared_done, flag] {
      auto outcome = work(*flag);
      {
        const std::lock_guard inner(mutex_);
        running_.erase(flag);
      }
      (*shared_done)(std::move(outcome));
    });
    if (!accepted) running_.erase(flag);
  }
  if (!accepted) {
    (*shared_done)(engine::Outcome::failure(
        engine::make_error("runtime", 503, "Overloaded", "too many conversations with services are waiting already")));
    return {};
  }
  return [flag] { flag->store(true, std::memory_order_relaxed); };
}

}  // namespace pawl::functions
