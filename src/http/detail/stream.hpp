// An event stream between its producers (any thread) and its connection (one thread).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "async/io_threads.hpp"
#include "http/responder.hpp"

namespace pawl::http::detail {

class Connection;

/// The queue. Held by the connection and by the producer's handle, so either may go first.
class StreamQueue {
 public:
  StreamQueue(async::IoThreads& threads, std::size_t shard, std::size_t limit_bytes, std::weak_ptr<Connection> connection)
      : threads_(threads), shard_(shard), limit_bytes_(limit_bytes), connection_(std::move(connection)) {}

  // Producers.
  [[nodiscard]] bool push(std::string chunk);
  void close();
  void set_on_close(std::function<void()> callback);
  [[nodiscard]] bool closed() const;

  // The connection, on its thread.
  struct Taken {
    std::string bytes;
    bool closed = false;    ///< no more will come after `bytes`
    bool overflow = false;  ///< the client did not keep up: cut off
  };
  [[nodiscard]] Taken take();
  /// Bytes handed to the connection but not yet to the kernel: they count against the limit.
  void set_in_flight(std::size_t bytes);
  /// The connection is gone or has ended the stream: runs the callback.
  void ended();

 private:
  /// Wakes the connection, unless a wake-up is under way. Call without the lock.
  void wake();

  async::IoThreads& threads_;
  const std::size_t shard_;
  const std::size_t limit_bytes_;
  const std::weak_ptr<Connection> connection_;
  mutable std::mutex mutex_;
  std::string pending_;
  std::size_t in_flight_ = 0;
  bool closed_ = false;
  bool overflow_ = false;
  bool ended_ = false;
  bool wake_posted_ = false;
  std::function<void()> on_close_;
};

/// What the producer holds.
class StreamHandle final : public EventStream {
 public:
  explicit StreamHandle(std::shared_ptr<StreamQueue> queue) : queue_(std::move(queue)) {}
  ~StreamHandle() override { queue_->close(); }
  bool send(std::string chunk) override { return queue_->push(std::move(chunk)); }
  void close() override { queue_->close(); }
  void on_close(std::function<void()> callback) override { queue_->set_on_close(std::move(callback)); }
  [[nodiscard]] bool closed() const override { return queue_->closed(); }

 private:
  std::shared_ptr<StreamQueue> queue_;
};

}  // namespace pawl::http::detail
