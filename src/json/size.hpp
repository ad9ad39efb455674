/// How large a value is when it is written out, which sharing hides: `[$x, $x]` forty times over is a small value in memory and a terabyte
/// of text.
#pragma once

#include <cstddef>

#include "json/value.hpp"

namespace pawl::json {

/// True where the text of `value` would be longer than about `bytes`. Stops as soon as it knows: O(min(size, bytes)), no recursion.
[[nodiscard]] bool larger_than(const Value& value, std::size_t bytes);

/// About that length: exact but for numbers and signs, which count as little. Follows everything, so only for values that are known to be
/// small enough. O(size), no recursion.
[[nodiscard]] std::size_t rough_size(const Value& value);

}  // namespace pawl::json
