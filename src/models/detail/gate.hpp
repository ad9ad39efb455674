// A bound on what is under way at once: who comes too early waits in order.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

namespace pawl::models::detail {

class Gate {
 public:
  using Entered = std::function<void()>;
  Gate(std::uint32_t most, std::uint32_t most_waiting) : most_(most), most_waiting_(most_waiting) {}

  /// `entered` runs when there is a place, perhaps inside of this call. False: too many wait already, and it never runs.
  [[nodiscard]] bool enter(Entered entered) {
    {
      const std::lock_guard lock(mutex_);
      if (inside_ >= most_) {
        if (waiting_.size() >= most_waiting_) return false;
        waiting_.push_back(std::move(entered));
        return true;
      }
      ++inside_;
    }
    entered();
    return true;
  }

  /// Gives the place to the next one.
  void leave() {
    Entered next;
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.empty()) {
        --inside_;
        return;
      }
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    next();
  }

 private:
  const std::uint32_t most_;
  const std::uint32_t most_waiting_;
  std::mutex mutex_;
  std::uint32_t inside_ = 0;
  std::deque<Entered> waiting_;
};

}  // namespace pawl::models::detail
