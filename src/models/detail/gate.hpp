// A bound on what is under way at once: who comes too early waits in order.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>

namespace pawl::models::detail {

class Gate {
 public:
  using Entered = std::function<void()>;
  /// A place in the line. Never 0.
  using Ticket = std::uint64_t;
  Gate(std::uint32_t most, std::uint32_t most_waiting) : most_(most), most_waiting_(most_waiting) {}

  [[nodiscard]] Ticket ticket() {
    const std::lock_guard lock(mutex_);
    return ++tickets_;
  }

  /// `entered` runs when there is a place, perhaps inside of this call. False: too many wait already, and it never runs.
  [[nodiscard]] bool enter(Ticket ticket, Entered entered) {
    {
      const std::lock_guard lock(mutex_);
      if (inside_ >= most_ || !waiting_.empty()) {
        if (waiting_.size() >= most_waiting_) return false;
        waiting_.emplace(ticket, std::move(entered));
        return true;
      }
      ++inside_;
    }
    entered();
    return true;
  }

  /// Leaves the line, without having entered. Nothing happens where the ticket is not in it.
  void give_up(Ticket ticket) {
    decltype(waiting_)::node_type gone;  // dies without the lock: it may hold the last reference to whoever waited
    const std::lock_guard lock(mutex_);
    gone = waiting_.extract(ticket);
  }

  /// Gives the place to the next one. Who enters and leaves at once gets here again, inside of `next`: the loop that runs already takes
  /// care of those behind, so that a long line is no deep stack.
  void leave() {
    std::unique_lock lock(mutex_);
    --inside_;
    if (admitting_) return;
    admitting_ = true;
    while (inside_ < most_ && !waiting_.empty()) {
      ++inside_;
      auto next = waiting_.extract(waiting_.begin());
      lock.unlock();
      next.mapped()();
      next = {};
      lock.lock();
    }
    admitting_ = false;
  }

 private:
  const std::uint32_t most_;
  const std::uint32_t most_waiting_;
  std::mutex mutex_;
  std::uint32_t inside_ = 0;
  bool admitting_ = false;
  Ticket tickets_ = 0;
  std::map<Ticket, Entered> waiting_;
};

}  // namespace pawl::models::detail
