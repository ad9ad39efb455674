/// What waits for its turn: the highest priority first, and within one priority each owner in turn, so that nobody's thousand items keep
/// another one's single item waiting. First in, first out for each owner.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <utility>

namespace pawl::engine {

template <class Owner, class Item>
class FairQueue {
 public:
  void push(std::int32_t priority, const Owner& owner, Item item) { levels_[priority].owners[owner].push_back(std::move(item)); }
  [[nodiscard]] bool empty() const { return levels_.empty(); }

  /// Not from an empty queue.
  [[nodiscard]] Item pop() {
    const auto level = levels_.begin();
    auto& owners = level->second.owners;
    auto turn = level->second.served ? owners.upper_bound(*level->second.served) : owners.begin();
    if (turn == owners.end()) turn = owners.begin();
    level->second.served = turn->first;
    Item item = std::move(turn->second.front());
    turn->second.pop_front();
    if (turn->second.empty()) owners.erase(turn);
    if (owners.empty()) levels_.erase(level);
    return item;
  }

 private:
  struct Level {
    std::map<Owner, std::deque<Item>> owners;
    std::optional<Owner> served;
  };
  std::map<std::int32_t, Level, std::greater<>> levels_;
};

}  // namespace pawl::engine
