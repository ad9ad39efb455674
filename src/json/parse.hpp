/// JSON text to `Value`, through Boost.JSON's incremental parser, under limits.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/error.hpp"
#include "json/value.hpp"

namespace pawl::json {

struct ParseLimits {
  std::size_t max_depth = 512;
  std::size_t max_bytes = 64U << 20U;
};

/// Parses exactly one JSON text (RFC 8259). A later duplicate key wins. Error codes: `json.syntax` (message and one finding with line and
/// column), `json.too_deep`, `json.too_large`.
[[nodiscard]] Result<Value> parse(std::string_view text, const ParseLimits& limits = {});

}  // namespace pawl::json
