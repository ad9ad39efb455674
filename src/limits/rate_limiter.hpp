/// How often somebody may call: 5 a minute where passwords are guessed, a generous budget elsewhere.
///
///     limiter.check(limiter.auth_keys(address, account), [](const Decision& decision) { ... });
///
/// A check asks several keys at once (an address and an account; a minute and an hour) and is all or nothing: where one of them refuses,
/// none is charged.
///
/// | rule           | limit                   | counted for                                              |
/// | ---            | ---                     | ---                                                      |
/// | `auth_address` | 5 in any minute         | an address, over all routes that test a credential       |
/// | `auth_account` | 5 in any minute         | an account as the client names it, whether it exists or not |
/// | `minute`       | `per_minute`            | a principal, or an address where nobody is signed in     |
/// | `hour`         | `per_hour`              | the same                                                 |
/// | `webhook`      | `per_minute`            | a webhook's token                                        |
/// | `model`        | `models_per_minute`     | a principal, beside `minute` and `hour`, where a model is asked |
///
/// The `auth` rules are sliding windows (never more than 5 in 60 seconds), the others buckets that refill evenly (`gcra.hpp`): a whole
/// budget may be spent at once. IPv6 addresses count by their /64, because that is what one subscriber has.
///
/// Without Redis, counts are this process's own and are lost when it ends; memory is bounded, and where it is full the least used
/// subjects are forgotten first. With Redis all processes share one budget, on Redis' clock. While Redis is away the process's own counts
/// decide, beginning with nothing charged; `status` says so, the Redis client reports it once, and it ends by itself.
///
/// Thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "async/unique_function.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "crypto/crypto.hpp"
#include "limits/rate.hpp"
#include "net/address_policy.hpp"

namespace pawl::net {
class RedisClient;
}

namespace pawl::limits {

enum class Rule : std::uint8_t { auth_address, auth_account, minute, hour, webhook, model };
inline constexpr std::size_t kRules = 6;
[[nodiscard]] std::string_view to_text(Rule rule);

/// What is counted: a subject (an address, an id, a hash; never a name) under a rule.
struct Key {
  Rule rule = Rule::minute;
  std::array<std::uint8_t, 16> subject{};
  friend bool operator==(const Key&, const Key&) = default;
};

/// The keys of one check: at most four, and one of a rule.
class Keys {
 public:
  void add(const Key& key);
  [[nodiscard]] std::span<const Key> view() const { return {items_.data(), size_}; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

 private:
  std::array<Key, 4> items_{};
  std::size_t size_ = 0;
};

/// The answer, of the key that refuses for longest, or else of the one that has least left.
struct Decision {
  bool allowed = true;
  Rule rule = Rule::minute;
  std::uint32_t limit = 0;  ///< 0: nothing was counted (limits are off, or there were no keys)
  std::uint32_t remaining = 0;
  Millis reset_after{};  ///< until the whole limit is there again
  Millis retry_after{};  ///< until it is worth trying again; zero where allowed
};

struct Limits {
  bool enabled = true;
  std::uint32_t auth_per_minute = 5;     ///< at most `kMaxSlidingAmount`
  std::uint32_t per_minute = 600;        ///< at most a million
  std::uint32_t per_hour = 20'000;       ///< at most a million
  std::uint32_t models_per_minute = 60;  ///< at most a million
  std::size_t max_subjects = 65'536;     ///< remembered for each rule in this process: at most 8 MB a rule
};

/// A rule as it stands, for people to look at.
struct Figures {
  Rule rule = Rule::minute;
  Rate rate;
  std::uint64_t allowed = 0;  ///< checks since the process began, and those that this rule refused
  std::uint64_t refused = 0;
};

class RateLimiter {
 public:
  using Done = async::UniqueFunction<void(const Decision&)>;

  enum class Status : std::uint8_t {
    local,    ///< no Redis is configured
    shared,   ///< Redis counts
    warning,  ///< Redis is configured and away: this process counts alone
  };

  /// `secret` hashes what must not be readable in Redis; processes that share a budget need the same. `redis` may be null; otherwise it
  /// and `clock` outlive the limiter.
  RateLimiter(const Limits& limits, const Clock& clock, const crypto::Key& secret, net::RedisClient* redis = nullptr);
  ~RateLimiter();
  RateLimiter(const RateLimiter&) = delete;
  RateLimiter& operator=(const RateLimiter&) = delete;

  /// Routes that test a credential. `account` is what the client wrote (an e-mail address, the id of a half-finished log-in), compared
  /// without regard to case; empty: the address alone.
  [[nodiscard]] Keys auth_keys(const net::IpAddress& address, std::string_view account = {}) const;
  /// Everything else: by the principal's id (all sessions and keys of a user share one budget), or by address.
  [[nodiscard]] Keys principal_keys(const Uuid& principal) const;
  [[nodiscard]] Keys address_keys(const net::IpAddress& address) const;
  /// Routes that ask a model: what a principal may do at all, and this.
  [[nodiscard]] Keys model_keys(const Uuid& principal) const;
  [[nodiscard]] Keys webhook_keys(std::string_view token) const;

  /// Decides and, where all keys allow it, charges each of them once. `done` runs exactly once: before this returns where the counts are
  /// local (less than a microsecond, no allocation for a subject that is known), else on the Redis client's thread; it must not block.
  void check(const Keys& keys, Done done);

  [[nodiscard]] Status status() const;
  [[nodiscard]] bool enabled() const;
  /// Of every rule. What this process has answered, whoever counted.
  [[nodiscard]] std::array<Figures, kRules> figures() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  ///< checks under way in Redis hold it too
};

}  // namespace pawl::limits
