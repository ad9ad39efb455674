#include "http/detail/websocket_queue.hpp"

#include <utility>

#include "base/assert.hpp"

namespace pawl::http::detail {
namespace {

constexpr std::size_t kCostOfOne = 64;  // what a message weighs beside its bytes: a million empty ones must not be free

}  // namespace

bool WebSocketQueue::push(WebSocket::Text text) {
  PAWL_ASSERT(text != nullptr, "a message has a text");
  bool accepted = true;
  {
    const std::lock_guard lock(mutex_);
    if (closing_ || ended_) return false;
    const std::size_t cost = text->size() + kCostOfOne;
    if (bytes_ + cost > limit_bytes_) {
      closing_ = Closing{CloseCode::overloaded, "the client does not keep up"};
      overflow_ = true;
      pending_.clear();
      bytes_ = in_flight_;
      accepted = false;
    } else {
      bytes_ += cost;
      pending_.push_back(std::move(text));
    }
    if (std::exchange(wake_posted_, true) && accepted) return true;
  }
  wake();
  return accepted;
}

void WebSocketQueue::close(CloseCode code, std::string_view reason) {
  {
    const std::lock_guard lock(mutex_);
    if (closing_ || ended_) return;
    closing_ = Closing{code, std::string(reason)};
    if (std::exchange(wake_posted_, true)) return;
  }
  wake();
}

void WebSocketQueue::wake() {
  // Always a post, as in StreamQueue: a producer's locks are not held while bytes are written.
  if (const auto session = session_.lock()) {
    threads_.post(shard_, [session] { session->wake(); });
  }
}

void WebSocketQueue::set_on_close(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (!ended_) {
      on_close_ = std::move(callback);
      return;
    }
  }
  threads_.post(shard_, [callback = std::move(callback)] { callback(); });
}

bool WebSocketQueue::closed() const {
  const std::lock_guard lock(mutex_);
  return closing_.has_value() || ended_;
}

WebSocketQueue::Taken WebSocketQueue::take() {
  const std::lock_guard lock(mutex_);
  wake_posted_ = false;
  bytes_ -= std::exchange(in_flight_, 0);
  Taken taken;
  taken.overflow = overflow_;
  if (!pending_.empty()) {
    taken.text = std::move(pending_.front());
    pending_.pop_front();
    in_flight_ = taken.text->size() + kCostOfOne;
  } else {
    taken.closing = closing_;
  }
  return taken;
}

bool WebSocketQueue::overflowed() const {
  const std::lock_guard lock(mutex_);
  return overflow_;
}

void WebSocketQueue::ended() {
  std::function<void()> callback;
  const auto receiver = std::exchange(on_message_, nullptr);  // may hold the last reference to the handle: destroyed after the lock
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(ended_, true)) return;
    callback = std::exchange(on_close_, nullptr);
    pending_.clear();
  }
  if (callback) callback();
}

}  // namespace pawl::http::detail
