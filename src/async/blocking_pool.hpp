/// A few threads for work that blocks or burns: file trees, argon2, image and PDF libraries, SQLite readers.
///
/// Bounded on purpose: at the limit `try_post` says no, and the caller answers `unavailable` instead of queueing without end.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "async/unique_function.hpp"

namespace pawl::async {

class BlockingPool {
 public:
  /// Starts `threads` (at least 1) threads at once. `queue_limit` counts jobs that wait, not those that run. `name` (at most 12 bytes are
  /// used) shows up in `top -H`.
  BlockingPool(std::string name, std::size_t threads, std::size_t queue_limit);
  /// Like `stop`.
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  /// Queues the job; false (job not taken, not run) when the queue is full or the pool is stopping. Any thread. An accepted job
  /// always runs. It must not throw: that ends the process.
  [[nodiscard]] bool try_post(Job job);

  /// Refuses new jobs, runs those that were accepted, joins. Idempotent; not from inside a job.
  void stop();

  /// Jobs waiting right now (for metrics).
  [[nodiscard]] std::size_t queued() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::async
