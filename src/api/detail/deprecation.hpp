// Which routes will go, and what their answers say of it.
#pragma once

#include <string_view>

#include "http/headers.hpp"

namespace pawl::api::detail {

/// For a route that has a successor: `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and `Link` to what takes its place. Empty for all
/// others.
[[nodiscard]] http::Headers deprecation_fields(std::string_view path);

[[nodiscard]] bool is_deprecated(std::string_view path);

}  // namespace pawl::api::detail
