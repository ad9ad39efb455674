/// A few threads for conversations that block for long, such as those with mail servers, so that slow servers do not hold up the file
/// functions on the common pool.
///
/// The threads start with the first call. Destruction ends what still runs.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <set>

#include "functions/detail/builtin.hpp"

namespace pawl::functions {

class ServiceThreads {
 public:
  ServiceThreads();
  ~ServiceThreads();
  ServiceThreads(const ServiceThreads&) = delete;
  ServiceThreads& operator=(const ServiceThreads&) = delete;

  /// As `run_on_pool`. Any thread; does not block.
  [[nodiscard]] engine::Cancel run(BlockingWork work, engine::Done done);

 private:
  using Flag = std::shared_ptr<std::atomic<bool>>;

  std::mutex mutex_;
  std::set<Flag> running_;  ///< and waiting
  std::unique_ptr<async::BlockingPool> pool_;
};

}  // namespace pawl::functions
