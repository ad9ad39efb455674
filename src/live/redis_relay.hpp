/// Live events between processes over Redis' publish and subscribe.
///
///     net::RedisClient redis(...);
///     live::RedisRelay relay(redis);
///
/// A message of one process reaches the others within milliseconds; one that is published while Redis is away is lost (`publish` says so),
/// and after every (re)connection the receiver is told of a gap.
#pragma once

#include <memory>
#include <string>

#include "live/relay.hpp"
#include "net/redis.hpp"

namespace pawl::live {

class RedisRelay final : public Relay {
 public:
  /// `redis` outlives the relay. Installations that share a Redis need channels of their own.
  explicit RedisRelay(net::RedisClient& redis, std::string channel = "pawl:live");
  ~RedisRelay() override;

  bool publish(std::string message) override;
  void receive(Receiver receiver) override;

 private:
  struct State;
  net::RedisClient& redis_;
  const std::string channel_;
  std::shared_ptr<State> state_;  ///< the client's subscription holds it too
};

}  // namespace pawl::live
