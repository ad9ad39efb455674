/// Findings for people (and for editors): `file:line:column: error: message [rule]`.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "json/value.hpp"

namespace pawl::app {

[[nodiscard]] std::string finding_line(std::string_view file, const Finding& finding);
[[nodiscard]] json::Value finding_json(std::string_view file, const Finding& finding);

}  // namespace pawl::app
