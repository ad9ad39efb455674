#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

#include "jq/detail/native.hpp"

namespace pawl::jq::detail {
namespace {

const std::vector<Native>& table() {
  static const std::vector<Native> all = [] {
    std::vector<Native> list;
    for (const auto part : {collection_natives(), date_natives(), math_natives(), path_natives(), regex_natives(), string_natives()}) {
      list.insert(list.end(), part.begin(), part.end());
    }
    std::sort(list.begin(), list.end(),
              [](const Native& a, const Native& b) { return a.name != b.name ? a.name < b.name : a.arity < b.arity; });
    return list;
  }();
  return all;
}

}  // namespace

std::span<const Native> natives() { return table(); }

int find_native(std::string_view name, std::size_t arity) {
  const auto& all = table();
  const auto found = std::lower_bound(all.begin(), all.end(), name, [&](const Native& native, std::string_view wanted) {
    return native.name != wanted ? native.name < wanted : native.arity < arity;
  });
  if (found == all.end() || found->name != name || found->arity != arity) return -1;
  return static_cast<int>(found - all.begin());
}

}  // namespace pawl::jq::detail
