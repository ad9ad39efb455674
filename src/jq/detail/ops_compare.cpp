#include <algorithm>
#include <numeric>

#include "jq/detail/ops.hpp"

namespace pawl::jq::detail {
namespace {

using json::Member;

bool both_arrays(const Value& a, const Value& b) { return a.is_array() && b.is_array(); }
bool both_objects(const Value& a, const Value& b) { return a.is_object() && b.is_object(); }

std::vector<const Member*> sorted_members(const Value& object) {
  std::vector<const Member*> sorted;
  sorted.reserve(object.size());
  for (const auto& member : object.members()) sorted.push_back(&member);
  std::sort(sorted.begin(), sorted.end(), [](const Member* a, const Member* b) { return a->name() < b->name(); });
  return sorted;
}

/// Two containers of the same kind, some of whose children have been found equal.
struct Pair {
  std::vector<const Value*> left;
  std::vector<const Value*> right;
  std::size_t at = 0;
  int if_equal = 0;  // what decides when all children that both have are equal
};

int sign(std::size_t a, std::size_t b) { return a < b ? -1 : static_cast<int>(a > b); }

Pair pair_of_arrays(const Value& a, const Value& b) {
  Pair pair;
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i) {
    pair.left.push_back(&a.at(i));
    pair.right.push_back(&b.at(i));
  }
  pair.if_equal = sign(a.size(), b.size());
  return pair;
}

/// Key sets first; `order` is what they decide.
Pair pair_of_objects(const Value& a, const Value& b, int& order) {
  Pair pair;
  const auto left = sorted_members(a);
  const auto right = sorted_members(b);
  for (std::size_t i = 0; i < left.size() && i < right.size() && order == 0; ++i) {
    order = left[i]->name().compare(right[i]->name());
  }
  if (order == 0) order = sign(left.size(), right.size());
  if (order != 0) return pair;
  for (const auto* member : left) pair.left.push_back(&member->value);
  for (const auto* member : right) pair.right.push_back(&member->value);
  return pair;
}

}  // namespace

namespace {

/// Arrays of scalars, such as the keys of `sort_by`.
int compare_flat(Runtime& runtime, std::span<const Value> left, std::span<const Value> right) {
  const std::size_t common = std::min(left.size(), right.size());
  if (!runtime.spend(1 + common / 8)) return 0;
  for (std::size_t i = 0; i < common; ++i) {
    if (const int order = json::compare(left[i], right[i])) return order;
  }
  return sign(left.size(), right.size());
}

}  // namespace

bool equal(Runtime& runtime, const Value& left, const Value& right) {
  if (!both_arrays(left, right) && !both_objects(left, right)) return left == right;
  if (std::min(left.depth(), right.depth()) > kMaxDepth) {
    runtime.fail("Equality check too deep");
    return false;
  }
  std::vector<std::pair<const Value*, const Value*>> open{{&left, &right}};
  while (!open.empty()) {
    const auto [a, b] = open.back();
    open.pop_back();
    if (!runtime.spend(1)) return false;
    if (a->same_storage(*b)) continue;
    if (both_arrays(*a, *b)) {
      if (a->size() != b->size()) return false;
      for (std::size_t i = a->size(); i-- > 0;) open.emplace_back(&a->at(i), &b->at(i));
    } else if (both_objects(*a, *b)) {
      if (a->size() != b->size()) return false;
      for (const auto& member : a->members()) {
        const Value* other = b->find(member.name());
        if (!other) return false;
        open.emplace_back(&member.value, other);
      }
    } else if (!(*a == *b)) {
      return false;
    }
  }
  return true;
}

int compare(Runtime& runtime, const Value& left, const Value& right) {
  if (!both_arrays(left, right) && !both_objects(left, right)) return json::compare(left, right);
  if (std::min(left.depth(), right.depth()) > kMaxDepth) {
    runtime.fail("Comparison too deep");
    return 0;
  }
  if (left.is_array() && left.depth() == 1 && right.depth() == 1) return compare_flat(runtime, left.items(), right.items());
  std::vector<Pair> open;
  const Value* a = &left;
  const Value* b = &right;
  while (true) {
    if (!runtime.spend(1 + std::min(a->size(), b->size()) / 8)) return 0;
    int order = 0;
    if (a->same_storage(*b)) {
      order = 0;
    } else if (both_arrays(*a, *b)) {
      open.push_back(pair_of_arrays(*a, *b));
    } else if (both_objects(*a, *b)) {
      Pair pair = pair_of_objects(*a, *b, order);
      if (order == 0) open.push_back(std::move(pair));
    } else {
      order = json::compare(*a, *b);
    }
    if (order != 0) return order;
    while (!open.empty() && open.back().at == open.back().left.size()) {
      if (open.back().if_equal != 0) return open.back().if_equal;
      open.pop_back();
    }
    if (open.empty()) return 0;
    Pair& pair = open.back();
    a = pair.left[pair.at];
    b = pair.right[pair.at];
    ++pair.at;
  }
}

bool sort_order(Runtime& runtime, std::span<const Value> keys, std::vector<std::uint32_t>& order) {
  order.resize(keys.size());
  std::iota(order.begin(), order.end(), 0U);
  // A merge sort of our own: the standard ones need a strict order, and nan (less than itself) is none; a broken order must not break the
  // sort.
  std::vector<std::uint32_t> merged(order.size());
  for (std::size_t width = 1; width < order.size(); width *= 2) {
    if (!runtime.spend(1 + order.size() / 8)) return false;
    for (std::size_t low = 0; low < order.size(); low += 2 * width) {
      const std::size_t middle = std::min(low + width, order.size());
      const std::size_t high = std::min(low + 2 * width, order.size());
      std::size_t left = low;
      std::size_t right = middle;
      for (std::size_t to = low; to < high; ++to) {
        bool take_right = left == middle;
        if (left < middle && right < high) {
          const Value& a = keys[order[left]];
          const Value& b = keys[order[right]];
          take_right = compare(runtime, b, a) < 0 && !(compare(runtime, a, b) < 0);
          if (!runtime.ok()) return false;
        }
        merged[to] = take_right ? order[right++] : order[left++];
      }
    }
    order.swap(merged);
  }
  return true;
}

}  // namespace pawl::jq::detail
