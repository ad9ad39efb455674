#include "async/io_threads.hpp"

#include <pthread.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/assert.hpp"
#include "base/trace_context.hpp"

namespace pawl::async {
namespace {

// Which loop the calling thread drives. Written once at the thread's start.
thread_local const IoThreads* current_owner = nullptr;
thread_local std::size_t current_index = 0;

struct Context : boost::asio::io_context {
  using boost::asio::io_context::io_context;
  /// Destroys what is queued or waits. Sockets and timers may still be destroyed after that.
  void discard() { shutdown(); }
};

struct Loop {
  Context context{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard = boost::asio::make_work_guard(context);
};

}  // namespace

struct IoThreads::Impl {
  std::vector<std::unique_ptr<Loop>> loops;
  std::vector<std::thread> threads;
  std::atomic<bool> running{false};
  std::atomic<bool> ended{false};
};

IoThreads::IoThreads(std::size_t count) : impl_(std::make_unique<Impl>()) {
  PAWL_ASSERT(count >= 1, "at least one io thread");
  impl_->loops.reserve(count);
  for (std::size_t i = 0; i < count; ++i) impl_->loops.push_back(std::make_unique<Loop>());
}

IoThreads::~IoThreads() { stop(); }

void IoThreads::start() {
  PAWL_ASSERT(impl_->threads.empty(), "io threads are started once");
  impl_->running = true;
  impl_->threads.reserve(impl_->loops.size());
  for (std::size_t i = 0; i < impl_->loops.size(); ++i) {
    // noexcept: an exception of a job ends the process right where it was thrown, with its stack.
    impl_->threads.emplace_back([this, i, &context = impl_->loops[i]->context]() noexcept {
      current_owner = this;
      current_index = i;
      ::pthread_setname_np(::pthread_self(), ("pawl-io-" + std::to_string(i)).c_str());
      context.run();
    });
  }
}

void IoThreads::stop() {
  if (!impl_->running.exchange(false)) return;
  PAWL_ASSERT(!current(), "an io thread cannot join itself");
  for (auto& loop : impl_->loops) {
    loop->guard.reset();
    loop->context.stop();
  }
  for (auto& thread : impl_->threads) thread.join();
  impl_->ended = true;
  // Now, not with the contexts: what jobs own uses parts that are destroyed before these threads.
  for (auto& loop : impl_->loops) loop->context.discard();
}

bool IoThreads::running() const noexcept { return impl_->running; }

std::size_t IoThreads::size() const noexcept { return impl_->loops.size(); }

boost::asio::io_context& IoThreads::context(std::size_t index) {
  PAWL_ASSERT(index < impl_->loops.size(), "no such io thread");
  return impl_->loops[index]->context;
}

void IoThreads::post(std::size_t index, Job job) {
  if (impl_->ended) return;
  if (const auto& trace = current_trace()) {
    return boost::asio::post(context(index), [trace, job = std::move(job)]() mutable {
      const TraceScope scope(trace);
      job();
    });
  }
  boost::asio::post(context(index), [job = std::move(job)]() mutable { job(); });
}

std::optional<std::size_t> IoThreads::current() const noexcept {
  if (current_owner != this) return std::nullopt;
  return current_index;
}

}  // namespace pawl::async
