/// Counts that all processes share: one Lua script in Redis for all keys of a check, on Redis' own clock.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "async/unique_function.hpp"
#include "limits/detail/memory_store.hpp"
#include "net/redis.hpp"

namespace pawl::limits::detail {

using Verdicts = std::array<Verdict, 4>;

class SharedStore {
 public:
  /// Nothing: Redis did not answer. On the Redis client's thread.
  using Done = async::UniqueFunction<void(std::optional<Verdicts>)>;

  /// `redis` outlives the store, and the store outlives `redis`' callbacks.
  SharedStore(net::RedisClient& redis, const Policies& policies);

  [[nodiscard]] bool available() const noexcept { return redis_.connected(); }
  void check(std::span<const Key> keys, Done done);

 private:
  net::RedisClient& redis_;
  const Policies policies_;
  const net::RedisScript script_;
};

}  // namespace pawl::limits::detail
