#include "api/detail/whole_list.hpp"

#include <algorithm>

#include "api/routes/theme.hpp"
#include "crypto/encoding.hpp"

namespace pawl::api::detail {

Slice slice_of(Query& query, const std::vector<std::string>& keys) {
  Slice slice;
  if (const auto cursor = query.text("cursor")) {
    const auto last = crypto::from_base64url(*cursor);
    if (!last) query.problem("cursor", "is not a cursor of this list");
    auto found = std::find(keys.begin(), keys.end(), last.value_or(""));
    found =
        found != keys.end() ? found + 1 : std::find_if(keys.begin(), keys.end(), [&](const auto& key) { return key > last.value_or(""); });
    slice.begin = static_cast<std::size_t>(found - keys.begin());
  }
  const auto left = keys.size() - slice.begin;
  slice.end = slice.begin + (query.text("limit") ? std::min<std::size_t>(left, query.limit()) : left);
  if (slice.end < keys.size() && slice.end > slice.begin) slice.next = crypto::to_base64url(keys[slice.end - 1]);
  return slice;
}

std::vector<Parameter> whole_list_parameters() {
  return {{"limit", Shape::integer(50, 1, 200), "Most items in the reply; without it all of them."}, cursor_parameter()};
}

}  // namespace pawl::api::detail
