// A WebSocket between its producers (any thread) and its session (one thread).
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "async/io_threads.hpp"
#include "http/detail/websocket_session.hpp"
#include "http/websocket.hpp"

namespace pawl::http::detail {

/// The queue. Held by the session and by the producer's handle, so either may go first.
class WebSocketQueue {
 public:
  WebSocketQueue(async::IoThreads& threads, std::size_t shard, std::size_t limit_bytes, std::weak_ptr<WebSocketSession> session)
      : threads_(threads), shard_(shard), limit_bytes_(limit_bytes), session_(std::move(session)) {}

  struct Closing {
    CloseCode code = CloseCode::normal;
    std::string reason;
  };

  // Producers.
  [[nodiscard]] bool push(WebSocket::Text text);
  void close(CloseCode code, std::string_view reason);
  void set_on_close(std::function<void()> callback);
  [[nodiscard]] bool closed() const;

  // The session and its callbacks, on its thread.
  void set_on_message(std::function<void(std::string_view)> callback) { on_message_ = std::move(callback); }
  void message(std::string_view text) const {
    const auto callback = on_message_;  // it may replace itself
    if (callback) callback(text);
  }
  struct Taken {
    WebSocket::Text text;            ///< the next message, or null
    std::optional<Closing> closing;  ///< with a null text: what to close with
    bool overflow = false;           ///< the client did not keep up
  };
  /// The next thing to write. The text counts against the limit until the next call.
  [[nodiscard]] Taken take();
  /// Did more come than the client takes? Then a write that is under way need not be waited for.
  [[nodiscard]] bool overflowed() const;
  /// The connection is gone: runs the callback.
  void ended();

 private:
  void wake();  ///< wakes the session, unless that is under way; without the lock

  async::IoThreads& threads_;
  const std::size_t shard_;
  const std::size_t limit_bytes_;
  const std::weak_ptr<WebSocketSession> session_;
  std::function<void(std::string_view)> on_message_;  // on the session's thread only
  mutable std::mutex mutex_;
  std::deque<WebSocket::Text> pending_;
  std::size_t bytes_ = 0;  ///< pending and being written
  std::size_t in_flight_ = 0;
  std::optional<Closing> closing_;
  bool overflow_ = false;
  bool ended_ = false;
  bool wake_posted_ = false;
  std::function<void()> on_close_;
};

/// What the producer holds.
class WebSocketHandle final : public WebSocket {
 public:
  explicit WebSocketHandle(std::shared_ptr<WebSocketQueue> queue) : queue_(std::move(queue)) {}
  ~WebSocketHandle() override { queue_->close(CloseCode::normal, {}); }
  bool send(Text text) override { return queue_->push(std::move(text)); }
  void close(CloseCode code, std::string_view reason) override { queue_->close(code, reason); }
  void on_message(std::function<void(std::string_view)> callback) override { queue_->set_on_message(std::move(callback)); }
  void on_close(std::function<void()> callback) override { queue_->set_on_close(std::move(callback)); }
  [[nodiscard]] bool closed() const override { return queue_->closed(); }

 private:
  std::shared_ptr<WebSocketQueue> queue_;
};

}  // namespace pawl::http::detail
