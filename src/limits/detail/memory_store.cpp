#include "limits/detail/memory_store.hpp"

#include <algorithm>
#include <functional>
#include <optional>

#include "base/assert.hpp"

namespace pawl::limits::detail {
namespace {

constexpr std::size_t kSweptBuckets = 4;
constexpr std::size_t kSample = 16;

}  // namespace

std::size_t KeyHash::operator()(const Key& of) const noexcept {
  return crypto::short_hash(key, {reinterpret_cast<const char*>(of.subject.data()), of.subject.size()});
}

MemoryStore::MemoryStore(const Policies& policies, std::size_t max_subjects)
    : policies_(policies), max_of_shard_(std::max<std::size_t>(kSample, max_subjects / kShards)), hash_{crypto::random_short_key()} {
  for (auto& rule : shards_) {
    for (auto& shard : rule) shard.cells = decltype(shard.cells)(0, hash_);
  }
}

MemoryStore::Shard& MemoryStore::shard_of(const Key& key) {
  // The table inside takes the hash modulo a prime, the shard its highest bits.
  return shards_[static_cast<std::size_t>(key.rule)][hash_(key) >> 60U];
}

void MemoryStore::check(std::span<const Key> keys, Micros now, std::span<Verdict> verdicts) {
  PAWL_ASSERT(keys.size() <= 4 && verdicts.size() == keys.size(), "a check has at most four keys");
  std::array<Shard*, 4> of_key{};
  std::transform(keys.begin(), keys.end(), of_key.begin(), [this](const Key& key) { return &shard_of(key); });
  // Locked in the order of their addresses. All are different: a check has one key of a rule.
  auto in_order = of_key;
  std::sort(in_order.begin(), in_order.begin() + static_cast<std::ptrdiff_t>(keys.size()), std::less<>());
  std::array<std::unique_lock<std::mutex>, 4> locks;
  for (std::size_t i = 0; i < keys.size(); ++i) locks[i] = std::unique_lock(in_order[i]->mutex);

  std::array<Cell*, 4> cells{};
  bool allowed = true;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto found = of_key[i]->cells.find(keys[i]);
    if (found != of_key[i]->cells.end()) cells[i] = &found->second;
    const auto& policy = policies_[static_cast<std::size_t>(keys[i].rule)];
    verdicts[i] = look(policy, cells[i] != nullptr ? *cells[i] : Cell{}, now);
    allowed = allowed && verdicts[i].allowed;
  }
  if (!allowed) return;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto& policy = policies_[static_cast<std::size_t>(keys[i].rule)];
    if (cells[i] == nullptr) {
      make_room(*of_key[i], policy, now);
      cells[i] = &of_key[i]->cells.try_emplace(keys[i]).first->second;
    }
    take(policy, *cells[i], now);
  }
}

void MemoryStore::make_room(Shard& shard, const Policy& policy, Micros now) {
  auto& cells = shard.cells;
  const bool full = cells.size() >= max_of_shard_;
  std::optional<Key> least_used;
  std::uint32_t most_left = 0;
  std::size_t seen = 0;
  std::size_t swept = 0;
  std::array<Key, kSample> fresh;
  std::size_t fresh_count = 0;
  const auto buckets = cells.bucket_count();
  for (; swept < buckets && fresh_count < kSample && (swept < kSweptBuckets || (full && seen < kSample)); ++swept) {
    const auto bucket = (shard.hand + swept) % buckets;
    for (auto cell = cells.cbegin(bucket); cell != cells.cend(bucket) && fresh_count < kSample; ++cell, ++seen) {
      const auto verdict = look(policy, cell->second, now);
      const auto left = verdict.allowed ? verdict.remaining + 1 : 0;
      if (left == policy.rate.amount) fresh[fresh_count++] = cell->first;
      if (least_used && left <= most_left) continue;
      least_used = cell->first;
      most_left = left;
    }
  }
  shard.hand = (shard.hand + swept) % std::max<std::size_t>(1, buckets);
  for (std::size_t i = 0; i < fresh_count; ++i) cells.erase(fresh[i]);
  if (full && fresh_count == 0 && least_used) cells.erase(*least_used);
}

std::size_t MemoryStore::size() const {
  std::size_t sum = 0;
  for (const auto& rule : shards_) {
    for (const auto& shard : rule) {
      const std::lock_guard lock(shard.mutex);
      sum += shard.cells.size();
    }
  }
  return sum;
}

}  // namespace pawl::limits::detail
