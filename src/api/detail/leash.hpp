// Work that ends when the client that asked for it leaves before the answer.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "http/responder.hpp"

namespace pawl::api::detail {

/// Made before the work begins, of the responder that the work will answer through; `hold` is told how the work is ended once it has begun.
/// Whether the client leaves before or after that makes no difference.
class Leash {
 public:
  explicit Leash(http::Responder& responder) : state_(std::make_shared<State>()) {
    responder.on_leave([state = state_] {
      std::function<void()> cancel;
      {
        const std::lock_guard lock(state->mutex);
        state->gone = true;
        cancel = std::move(state->cancel);
      }
      if (cancel) cancel();
    });
  }

  /// `cancel` may be called on the connection's thread, or before this returns; of work that is over it must do nothing.
  void hold(std::function<void()> cancel) const {
    {
      const std::lock_guard lock(state_->mutex);
      if (!state_->gone) {
        state_->cancel = std::move(cancel);
        return;
      }
    }
    cancel();
  }

 private:
  struct State {
    std::mutex mutex;
    std::function<void()> cancel;
    bool gone = false;
  };
  std::shared_ptr<State> state_;
};

}  // namespace pawl::api::detail
