#include "live/redis_relay.hpp"

#include <atomic>
#include <mutex>
#include <utility>

namespace pawl::live {

struct RedisRelay::State {
  std::mutex mutex;  ///< held during calls: who takes the receiver away waits for them
  Receiver receiver;
  bool subscribed = false;
  std::atomic<bool> lost{false};  ///< a message that `publish` had taken
};

RedisRelay::RedisRelay(net::RedisClient& redis, std::string channel)
    : redis_(redis), channel_(std::move(channel)), state_(std::make_shared<State>()) {}

RedisRelay::~RedisRelay() { receive({}); }

bool RedisRelay::publish(std::string message) {
  if (!redis_.connected()) return false;
  redis_.command({"PUBLISH", channel_, std::move(message)}, [state = state_](const Result<net::RedisReply>& reply) {
    if (reply.has_error()) state->lost = true;
  });
  return !state_->lost.exchange(false);
}

void RedisRelay::receive(Receiver receiver) {
  bool subscribe = false;
  {
    const std::lock_guard lock(state_->mutex);
    state_->receiver = std::move(receiver);
    subscribe = state_->receiver.message && !std::exchange(state_->subscribed, true);
  }
  if (!subscribe) return;
  redis_.on_resubscribed([state = state_] {
    const std::lock_guard lock(state->mutex);
    if (state->receiver.gap) state->receiver.gap();
  });
  redis_.subscribe(channel_, [state = state_](std::string_view message) {
    const std::lock_guard lock(state->mutex);
    if (state->receiver.message) state->receiver.message(message);
  });
}

}  // namespace pawl::live
