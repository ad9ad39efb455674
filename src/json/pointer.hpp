/// JSON pointers (RFC 6901): how the product names a place in a document.
#pragma once

#include <string>
#include <string_view>

#include "json/value.hpp"

namespace pawl::json {

/// `base` + `/` + token with `~` and `/` escaped.
[[nodiscard]] std::string pointer_child(std::string_view base, std::string_view token);
[[nodiscard]] std::string pointer_child(std::string_view base, std::size_t index);
/// The value at `pointer`, or null where there is none.
[[nodiscard]] const Value* resolve(const Value& root, std::string_view pointer);

}  // namespace pawl::json
