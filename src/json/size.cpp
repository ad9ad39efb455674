#include "json/size.hpp"

#include <limits>
#include <vector>

namespace pawl::json {
namespace {

constexpr std::size_t kScalar = 2;  // a digit and its comma: no value is shorter

std::size_t own_size(const Value& value) { return kScalar + (value.is_string() ? value.size() + 2 : 0); }

/// Stops beyond `bytes`.
std::size_t size_within(const Value& value, std::size_t bytes) {
  std::size_t total = own_size(value);
  if (!value.is_array() && !value.is_object()) return total;
  std::vector<const Value*> waiting{&value};
  const auto visit = [&](const Value& child) {
    total += own_size(child);
    if (!child.empty() && !child.is_string()) waiting.push_back(&child);
  };
  while (!waiting.empty() && total <= bytes) {
    const Value& container = *waiting.back();
    waiting.pop_back();
    if (container.is_array()) {
      for (const auto& item : container.items()) {
        visit(item);
        if (total > bytes) return total;
      }
    } else {
      for (const auto& member : container.members()) {
        total += own_size(member.key);
        visit(member.value);
        if (total > bytes) return total;
      }
    }
  }
  return total;
}

}  // namespace

bool larger_than(const Value& value, std::size_t bytes) { return size_within(value, bytes) > bytes; }

std::size_t rough_size(const Value& value) { return size_within(value, std::numeric_limits<std::size_t>::max()); }

}  // namespace pawl::json
