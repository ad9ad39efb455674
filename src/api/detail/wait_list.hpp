// Requests that wait for a run to end, by deadline.
#pragma once

#include <memory>
#include <vector>

#include "async/io_threads.hpp"
#include "async/unique_function.hpp"
#include "base/time.hpp"

namespace pawl::api::detail {

/// The waits of one io thread; touched by that thread only. One timer for all: a wait costs a map entry, not a timer.
class WaitList {
 public:
  explicit WaitList(boost::asio::io_context& context);
  ~WaitList();
  WaitList(const WaitList&) = delete;
  WaitList& operator=(const WaitList&) = delete;

  /// Names one wait; 0 is none.
  using Token = std::uint64_t;
  /// Calls `on_timeout` once, after `wait`, unless removed before.
  [[nodiscard]] Token add(Millis wait, async::UniqueFunction<void()> on_timeout);
  void remove(Token token);
  /// Ends every wait now, and every later one at once: the server is stopping.
  void release();
  /// Whether waits end because of that, and not because their time is over.
  [[nodiscard]] bool is_released() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// One list per io thread. Must be destroyed before the threads, and after they have stopped.
class WaitLists {
 public:
  explicit WaitLists(async::IoThreads& threads);
  [[nodiscard]] WaitList& of(std::size_t shard) { return *lists_[shard]; }
  /// Releases all lists, each on its thread. The lists must outlive the threads' work.
  void release(async::IoThreads& threads);

 private:
  std::vector<std::unique_ptr<WaitList>> lists_;
};

}  // namespace pawl::api::detail
