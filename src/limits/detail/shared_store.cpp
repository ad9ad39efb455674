#include "limits/detail/shared_store.hpp"

#include <string>
#include <utility>
#include <vector>

namespace pawl::limits::detail {
namespace {

/// The rules of gcra.cpp and sliding_window.cpp once more. For each key three arguments: kind, amount, window in microseconds; and four
/// numbers in the answer: allowed, remaining, reset_after, retry_after. Microseconds of the epoch are exact in Lua's numbers until 2255.
constexpr const char* kScript = R"lua(
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local allowed = true
local answer = {}
local full_at = {}
for i = 1, #KEYS do
  local amount, window = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local ok, remaining, reset, retry = true, 0, 0, 0
  if ARGV[3 * i - 2] == 'gcra' then
    local interval = math.floor(window / amount)
    local capacity = interval * amount
    local debt = tonumber(redis.call('GET', KEYS[i]) or '0') - now
    debt = math.min(math.max(debt, 0), capacity)
    local left = capacity - debt
    ok = left >= interval
    full_at[i] = now + debt + interval
    reset = debt
    if ok then
      reset = debt + interval
      remaining = math.floor(left / interval) - 1
    else
      retry = interval - left
    end
  else
    local used, oldest, newest = 0, now, 0
    for _, text in ipairs(redis.call('LRANGE', KEYS[i], 0, -1)) do
      local at = math.min(tonumber(text), now)
      if at + window > now then
        used = used + 1
        oldest = math.min(oldest, at)
        newest = math.max(newest, at)
      end
    end
    ok = used < amount
    reset = window
    if ok then
      remaining = amount - used - 1
    else
      reset = newest + window - now
      retry = oldest + window - now
    end
  end
  allowed = allowed and ok
  answer[4 * i - 3] = ok and 1 or 0
  answer[4 * i - 2] = remaining
  answer[4 * i - 1] = reset
  answer[4 * i] = retry
end
if not allowed then return answer end
for i = 1, #KEYS do
  local amount, window = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  if full_at[i] then
    redis.call('SET', KEYS[i], string.format('%.0f', full_at[i]), 'PX', math.ceil((full_at[i] - now) / 1000))
  else
    redis.call('RPUSH', KEYS[i], string.format('%.0f', now))
    redis.call('LTRIM', KEYS[i], -amount, -1)
    redis.call('PEXPIRE', KEYS[i], math.ceil(window / 1000))
  end
end
return answer
)lua";

std::string name_of(const Key& key) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string name = "pawl:limit:";
  name.append(to_text(key.rule)).append(":");
  for (const auto byte : key.subject) {
    name.push_back(kDigits[byte >> 4U]);
    name.push_back(kDigits[byte & 0xFU]);
  }
  return name;
}

std::optional<Verdicts> read(const Result<net::RedisReply>& reply, std::size_t keys) {
  if (reply.has_error() || reply->elements.size() != keys * 4) return std::nullopt;
  Verdicts verdicts;
  for (std::size_t i = 0; i < keys; ++i) {
    const auto number = [&](std::size_t at) { return reply->elements[4 * i + at].integer; };
    verdicts[i] = {.allowed = number(0) != 0,
                   .remaining = static_cast<std::uint32_t>(number(1)),
                   .reset_after = Micros(number(2)),
                   .retry_after = Micros(number(3))};
  }
  return verdicts;
}

}  // namespace

SharedStore::SharedStore(net::RedisClient& redis, const Policies& policies)
    : redis_(redis), policies_(policies), script_(redis.add_script(kScript)) {}

void SharedStore::check(std::span<const Key> keys, Done done) {
  std::vector<std::string> names;
  std::vector<std::string> arguments;
  for (const auto& key : keys) {
    const auto& policy = policies_[static_cast<std::size_t>(key.rule)];
    names.push_back(name_of(key));
    arguments.emplace_back(policy.sliding ? "sliding" : "gcra");
    arguments.push_back(std::to_string(policy.rate.amount));
    arguments.push_back(std::to_string(Micros(policy.rate.window).count()));
  }
  redis_.eval(script_, std::move(names), std::move(arguments),
              [keys = keys.size(), done = std::move(done)](const Result<net::RedisReply>& reply) mutable { done(read(reply, keys)); });
}

}  // namespace pawl::limits::detail
