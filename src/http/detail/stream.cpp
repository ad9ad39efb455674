#include "http/detail/stream.hpp"

#include <utility>

#include "http/detail/connection.hpp"

namespace pawl::http::detail {

bool StreamQueue::push(std::string chunk) {
  bool accepted = true;
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || ended_) return false;
    if (pending_.size() + in_flight_ + chunk.size() > limit_bytes_) {
      closed_ = true;
      overflow_ = true;
      accepted = false;
    } else if (pending_.empty()) {
      pending_ = std::move(chunk);
    } else {
      pending_ += chunk;
    }
    if (std::exchange(wake_posted_, true)) return accepted;
  }
  wake();
  return accepted;
}

void StreamQueue::close() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(closed_, true) || ended_ || std::exchange(wake_posted_, true)) return;
  }
  wake();
}

void StreamQueue::wake() {
  // Always a post, never a direct call: sends in a row become one write, and a producer's locks are not held while it is made.
  if (const auto connection = connection_.lock()) {
    threads_.post(shard_, [connection] { connection->stream_ready(); });
  }
}

void StreamQueue::set_on_close(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (!ended_) {
      on_close_ = std::move(callback);
      return;
    }
  }
  threads_.post(shard_, [callback = std::move(callback)] { callback(); });
}

bool StreamQueue::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_ || ended_;
}

StreamQueue::Taken StreamQueue::take() {
  const std::lock_guard lock(mutex_);
  wake_posted_ = false;
  Taken taken{std::exchange(pending_, {}), closed_, overflow_};
  in_flight_ = taken.bytes.size();
  return taken;
}

void StreamQueue::set_in_flight(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  in_flight_ = bytes;
}

void StreamQueue::ended() {
  std::function<void()> callback;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(ended_, true)) return;
    callback = std::exchange(on_close_, nullptr);
    pending_.clear();
  }
  if (callback) callback();
}

}  // namespace pawl::http::detail
