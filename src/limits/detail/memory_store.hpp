/// Counts of this process: hash tables in shards, bounded.
///
/// Each rule has tables of its own, so that a flood of one kind (addresses) forgets nothing of another (accounts). Every new subject pays
/// for the removal of old ones: it sweeps a few buckets for those that are fresh again, and a full shard gives up the least used of a
/// sample. So a subject that is at its limit is the last to be forgotten.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>

#include "crypto/crypto.hpp"
#include "limits/detail/policy.hpp"
#include "limits/rate_limiter.hpp"

namespace pawl::limits::detail {

using Policies = std::array<Policy, kRules>;

struct KeyHash {
  crypto::ShortKey key{};
  std::size_t operator()(const Key& of) const noexcept;
};

class MemoryStore {
 public:
  MemoryStore(const Policies& policies, std::size_t max_subjects);

  /// One verdict for each key; charges all of them if all allow it. Thread-safe.
  void check(std::span<const Key> keys, Micros now, std::span<Verdict> verdicts);
  /// Subjects remembered, over all rules.
  [[nodiscard]] std::size_t size() const;

 private:
  static constexpr std::size_t kShards = 16;

  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<Key, Cell, KeyHash> cells;
    std::size_t hand = 0;  ///< bucket where the next sweep begins
  };

  [[nodiscard]] Shard& shard_of(const Key& key);
  void make_room(Shard& shard, const Policy& policy, Micros now);

  const Policies policies_;
  const std::size_t max_of_shard_;
  const KeyHash hash_;  ///< keyed, so that nobody can choose addresses that collide
  std::array<std::array<Shard, kShards>, kRules> shards_;
};

}  // namespace pawl::limits::detail
