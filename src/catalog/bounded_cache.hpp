/// A map with a bound: many readers at once, rare writers, the longest unused entry goes first.
///
/// A reader takes a shared lock for the lookup and notes the use in the entry, so the hot path of `execute` never waits for another reader.
/// `generation` closes the race between a slow load and a change: take it before loading and give it to `put`.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <utility>

namespace pawl::catalog {

template <class Key, class Value, class Hash = std::hash<Key>>
class BoundedCache {
 public:
  explicit BoundedCache(std::size_t capacity) : capacity_(capacity) {}

  /// The default value where there is none.
  [[nodiscard]] Value get(const Key& key) const {
    const std::shared_lock lock(mutex_);
    const auto it = entries_.find(key);
    if (it == entries_.end()) return {};
    it->second->used.store(tick_.fetch_add(1, std::memory_order_relaxed), std::memory_order_relaxed);
    return it->second->value;
  }
  [[nodiscard]] std::uint64_t generation() const {
    const std::shared_lock lock(mutex_);
    return generation_;
  }
  /// Keeps the value unless something was erased since `generation`.
  void put(const Key& key, Value value, std::uint64_t generation) {
    const std::unique_lock lock(mutex_);
    if (generation != generation_) return;
    auto entry = std::make_unique<Entry>();
    entry->value = std::move(value);
    entry->used = tick_.fetch_add(1, std::memory_order_relaxed);
    entries_.insert_or_assign(key, std::move(entry));
    if (entries_.size() > capacity_) evict();
  }
  void erase(const Key& key) {
    const std::unique_lock lock(mutex_);
    ++generation_;
    entries_.erase(key);
  }
  void clear() {
    const std::unique_lock lock(mutex_);
    ++generation_;
    entries_.clear();
  }
  [[nodiscard]] std::size_t size() const {
    const std::shared_lock lock(mutex_);
    return entries_.size();
  }

 private:
  struct Entry {
    Value value;
    std::atomic<std::uint64_t> used{0};
  };
  void evict() {
    auto oldest = entries_.begin();
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      if (it->second->used < oldest->second->used) oldest = it;
    }
    entries_.erase(oldest);
  }

  const std::size_t capacity_;
  mutable std::shared_mutex mutex_;
  mutable std::atomic<std::uint64_t> tick_{1};
  std::uint64_t generation_ = 0;
  std::unordered_map<Key, std::unique_ptr<Entry>, Hash> entries_;
};

}  // namespace pawl::catalog
