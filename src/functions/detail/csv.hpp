/// CSV (RFC 4180): comma, double quotes, CRLF or LF.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "json/value.hpp"

namespace pawl::functions {

/// An array of objects; the first line names the members. Error `csv.syntax`, with the line.
[[nodiscard]] Result<json::Value> parse_csv(std::string_view text);

/// From an array of objects (the columns are all member names in order of first appearance, in a first line) or an array of arrays (as they
/// are). Scalars are written as text, null as nothing, the rest as JSON. A text that a spreadsheet would take for a formula gets an
/// apostrophe in front. Error `csv.value`.
[[nodiscard]] Result<std::string> write_csv(const json::Value& rows);

}  // namespace pawl::functions
