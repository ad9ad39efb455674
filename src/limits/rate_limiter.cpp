#include "limits/rate_limiter.hpp"

#include <algorithm>
#include <atomic>
#include <optional>

#include "base/assert.hpp"
#include "limits/detail/memory_store.hpp"
#include "limits/detail/shared_store.hpp"

namespace pawl::limits {
namespace {

using detail::Policies;
using detail::Policy;

constexpr Millis kMinute{60'000};
constexpr Millis kHour{3'600'000};
constexpr std::uint32_t kMaxAmount = 1'000'000;

Policies policies_of(const Limits& limits) {
  PAWL_ASSERT(limits.auth_per_minute >= 1 && limits.auth_per_minute <= kMaxSlidingAmount, "a sliding window is kept call by call");
  PAWL_ASSERT(limits.per_minute >= 1 && limits.per_minute <= kMaxAmount, "a rate is a number of calls that time can tell apart");
  PAWL_ASSERT(limits.per_hour >= 1 && limits.per_hour <= kMaxAmount, "a rate is a number of calls that time can tell apart");
  PAWL_ASSERT(limits.models_per_minute >= 1 && limits.models_per_minute <= kMaxAmount,
              "a rate is a number of calls that time can tell apart");
  const Policy auth{{limits.auth_per_minute, kMinute}, true};
  const Policy minute{{limits.per_minute, kMinute}};
  return {auth, auth, minute, Policy{{limits.per_hour, kHour}}, minute, Policy{{limits.models_per_minute, kMinute}}};
}

/// A subject from text that must not be readable where it is kept.
Key hashed(Rule rule, const crypto::Key& secret, std::string_view text) {
  const auto digest = crypto::keyed_hash(secret, text);
  Key key{.rule = rule};
  std::copy_n(digest.begin(), key.subject.size(), key.subject.begin());
  return key;
}

Key of_address(Rule rule, const net::IpAddress& address) {
  Key key{.rule = rule, .subject = address.bytes};
  if (!address.is_v4()) std::fill(key.subject.begin() + 8, key.subject.end(), std::uint8_t{0});
  return key;
}

/// As people mean it, and as accounts are found: no blanks or control characters around, no difference between `A` and `a`.
std::string normalized(std::string_view account) {
  const auto is_blank = [](char letter) { return static_cast<unsigned char>(letter) <= 0x20 || letter == 0x7F; };
  while (!account.empty() && is_blank(account.front())) account.remove_prefix(1);
  while (!account.empty() && is_blank(account.back())) account.remove_suffix(1);
  std::string text(account);
  for (char& letter : text) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter + ('a' - 'A'));
  }
  return text;
}

Millis up(Micros time) { return std::chrono::ceil<Millis>(time); }

}  // namespace

std::string_view to_text(Rule rule) {
  switch (rule) {
    case Rule::auth_address: return "auth_address";
    case Rule::auth_account: return "auth_account";
    case Rule::minute: return "minute";
    case Rule::hour: return "hour";
    case Rule::webhook: return "webhook";
    case Rule::model: return "model";
  }
  return "minute";
}

void Keys::add(const Key& key) {
  PAWL_ASSERT(size_ < items_.size(), "a check has at most four keys");
  PAWL_ASSERT(std::none_of(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(size_),
                           [&](const Key& other) { return other.rule == key.rule; }),
              "a check has one key of a rule");
  items_[size_++] = key;
}

struct RateLimiter::Impl {
  Impl(const Limits& a_limits, const Clock& a_clock, const crypto::Key& a_secret, net::RedisClient* redis)
      : limits(a_limits), clock(a_clock), secret(a_secret), policies(policies_of(a_limits)), memory(policies, a_limits.max_subjects) {
    if (redis != nullptr) shared.emplace(*redis, policies);
  }

  const Limits limits;
  const Clock& clock;
  const crypto::Key secret;
  const Policies policies;
  detail::MemoryStore memory;
  std::optional<detail::SharedStore> shared;
  struct Answers {
    std::atomic<std::uint64_t> allowed{0};
    std::atomic<std::uint64_t> refused{0};
  };
  std::array<Answers, kRules> answers{};

  [[nodiscard]] Decision decide(std::span<const Key> keys, std::span<const Verdict> verdicts) {
    std::size_t worst = 0;
    for (std::size_t i = 1; i < keys.size(); ++i) {
      const auto& a = verdicts[i];
      const auto& b = verdicts[worst];
      if (a.allowed != b.allowed ? !a.allowed : a.allowed ? a.remaining < b.remaining : a.retry_after > b.retry_after) worst = i;
    }
    const auto& verdict = verdicts[worst];
    const auto rule = keys[worst].rule;
    if (verdict.allowed) {
      for (const auto& key : keys) answers[static_cast<std::size_t>(key.rule)].allowed.fetch_add(1, std::memory_order_relaxed);
    } else {
      answers[static_cast<std::size_t>(rule)].refused.fetch_add(1, std::memory_order_relaxed);
    }
    return {.allowed = verdict.allowed,
            .rule = rule,
            .limit = policies[static_cast<std::size_t>(rule)].rate.amount,
            .remaining = verdict.remaining,
            .reset_after = up(verdict.reset_after),
            .retry_after = up(verdict.retry_after)};
  }

  [[nodiscard]] Decision check_here(std::span<const Key> keys) {
    std::array<Verdict, 4> verdicts;
    const auto used = std::span(verdicts).first(keys.size());
    memory.check(keys, clock.now().time_since_epoch(), used);
    return decide(keys, used);
  }
};

RateLimiter::RateLimiter(const Limits& limits, const Clock& clock, const crypto::Key& secret, net::RedisClient* redis)
    : impl_(std::make_shared<Impl>(limits, clock, secret, redis)) {}

RateLimiter::~RateLimiter() = default;

Keys RateLimiter::auth_keys(const net::IpAddress& address, std::string_view account) const {
  Keys keys;
  keys.add(of_address(Rule::auth_address, address));
  if (const auto text = normalized(account); !text.empty()) keys.add(hashed(Rule::auth_account, impl_->secret, text));
  return keys;
}

Keys RateLimiter::principal_keys(const Uuid& principal) const {
  Keys keys;
  keys.add({.rule = Rule::minute, .subject = principal.bytes});
  keys.add({.rule = Rule::hour, .subject = principal.bytes});
  return keys;
}

Keys RateLimiter::address_keys(const net::IpAddress& address) const {
  Keys keys;
  keys.add(of_address(Rule::minute, address));
  keys.add(of_address(Rule::hour, address));
  return keys;
}

Keys RateLimiter::model_keys(const Uuid& principal) const {
  auto keys = principal_keys(principal);
  keys.add({.rule = Rule::model, .subject = principal.bytes});
  return keys;
}

Keys RateLimiter::webhook_keys(std::string_view token) const {
  Keys keys;
  keys.add(hashed(Rule::webhook, impl_->secret, token));
  return keys;
}

void RateLimiter::check(const Keys& keys, Done done) {
  if (!impl_->limits.enabled || keys.empty()) return done(Decision{});
  if (!impl_->shared || !impl_->shared->available()) return done(impl_->check_here(keys.view()));
  impl_->shared->check(keys.view(), [impl = impl_, keys, done = std::move(done)](const std::optional<detail::Verdicts>& verdicts) mutable {
    done(verdicts ? impl->decide(keys.view(), *verdicts) : impl->check_here(keys.view()));
  });
}

RateLimiter::Status RateLimiter::status() const {
  if (!impl_->shared) return Status::local;
  return impl_->shared->available() ? Status::shared : Status::warning;
}

bool RateLimiter::enabled() const { return impl_->limits.enabled; }

std::array<Figures, kRules> RateLimiter::figures() const {
  std::array<Figures, kRules> all;
  for (std::size_t at = 0; at < kRules; ++at) {
    all[at] = {.rule = static_cast<Rule>(at),
               .rate = impl_->policies[at].rate,
               .allowed = impl_->answers[at].allowed.load(std::memory_order_relaxed),
               .refused = impl_->answers[at].refused.load(std::memory_order_relaxed)};
  }
  return all;
}

}  // namespace pawl::limits
