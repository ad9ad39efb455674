#include "async/blocking_pool.hpp"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/assert.hpp"
#include "base/trace_context.hpp"

namespace pawl::async {

namespace {

struct Posted {
  Job job;
  TraceContext trace;  ///< of whoever posted it
};

}  // namespace

struct BlockingPool::Impl {
  std::size_t queue_limit = 0;
  mutable std::mutex mutex;
  std::condition_variable work;
  std::deque<Posted> queue;
  std::size_t idle = 0;  ///< threads waiting for work: that many queued jobs are as good as running
  bool stopping = false;
  std::vector<std::thread> threads;

  void run() noexcept {
    std::unique_lock lock(mutex);
    for (;;) {
      ++idle;
      work.wait(lock, [this] { return stopping || !queue.empty(); });
      --idle;
      if (queue.empty()) return;
      {
        Posted posted = std::move(queue.front());
        queue.pop_front();
        lock.unlock();
        const TraceScope scope(posted.trace);
        posted.job();
      }  // what the job owned is released outside the lock
      lock.lock();
    }
  }
};

BlockingPool::BlockingPool(std::string name, std::size_t threads, std::size_t queue_limit) : impl_(std::make_unique<Impl>()) {
  PAWL_ASSERT(threads >= 1, "a pool needs a thread");
  impl_->queue_limit = queue_limit;
  name.resize(std::min<std::size_t>(name.size(), 12));
  for (std::size_t i = 0; i < threads; ++i) {
    impl_->threads.emplace_back([impl = impl_.get(), thread_name = name + "-" + std::to_string(i)]() noexcept {
      ::pthread_setname_np(::pthread_self(), thread_name.substr(0, 15).c_str());
      impl->run();
    });
  }
}

BlockingPool::~BlockingPool() { stop(); }

bool BlockingPool::try_post(Job job) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->stopping || impl_->queue.size() >= impl_->queue_limit + impl_->idle) return false;
    impl_->queue.push_back({std::move(job), current_trace()});
  }
  impl_->work.notify_one();
  return true;
}

void BlockingPool::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->work.notify_all();
  for (auto& thread : impl_->threads) {
    if (thread.joinable()) thread.join();
  }
}

std::size_t BlockingPool::queued() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->queue.size();
}

}  // namespace pawl::async
