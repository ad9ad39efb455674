/// The threads that everything lives on: one event loop per core, each touched by its own thread only.
///
/// A connection, a run or a timer belongs to exactly one of these loops for its whole life, so its state needs no lock. Threads talk to
/// each other by posting jobs. Usage:
///
///     async::IoThreads threads(2);         // contexts exist: build servers and shards on them
///     threads.start();
///     threads.post(1, [] { ... });         // runs on thread 1
///     threads.stop();                      // joins; whatever was still queued is dropped
///
/// A job must not throw: an exception that reaches the loop ends the process (recovery replays the journal), because nobody is left who
/// could answer for the half-done work.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "async/unique_function.hpp"

namespace boost::asio {
class io_context;
}

namespace pawl::async {

class IoThreads {
 public:
  /// Creates `count` (at least 1) event loops; no thread runs yet.
  explicit IoThreads(std::size_t count);
  /// Stops. Everything built on the contexts must be gone before.
  ~IoThreads();
  IoThreads(const IoThreads&) = delete;
  IoThreads& operator=(const IoThreads&) = delete;

  /// Starts the threads. Called once.
  void start();
  /// Ends the loops and joins the threads; jobs not yet begun are dropped. Idempotent; not from one of the threads themselves.
  void stop();

  /// True between `start` and `stop`: posted jobs will run.
  [[nodiscard]] bool running() const noexcept;
  [[nodiscard]] std::size_t size() const noexcept;
  /// The loop of thread `index`: an `io_context` with concurrency hint 1. Only `.cpp` files that need Asio include its header.
  [[nodiscard]] boost::asio::io_context& context(std::size_t index);

  /// Queues `job` on thread `index`; never runs it inside this call. Any thread. Costs an allocation and, from another thread, a wake-up:
  /// post once per batch, not once per item.
  void post(std::size_t index, Job job);

  /// Index of the calling thread among these; nothing elsewhere.
  [[nodiscard]] std::optional<std::size_t> current() const noexcept;
  [[nodiscard]] bool on_thread(std::size_t index) const noexcept { return current() == index; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::async
