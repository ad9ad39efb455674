/// JSON values to YAML text, for people to read: block style, texts of several lines as literal blocks, quotes only where they are needed.
/// `parse` gives the same value back.
#pragma once

#include <string>

#include "json/value.hpp"

namespace pawl::yaml {

/// Ends with a line end. Recurses: depth is bounded by whoever made the value.
[[nodiscard]] std::string to_yaml(const json::Value& value);

}  // namespace pawl::yaml
