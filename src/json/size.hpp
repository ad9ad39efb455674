/// How large a value is when it is written out, which sharing hides: `[$x, $x]` forty times over is a small value in memory and a terabyte
/// of text.
#pragma once

#include <cstddef>

#include "json/value.hpp"

namespace pawl::json {

/// True where the text of `value` would be longer than about `bytes`. Stops as soon as it knows: O(min(size, bytes)), no recursion.
[[nodiscard]] bool larger_than(const Value& value, std::size_t bytes);

}  // namespace pawl::json
