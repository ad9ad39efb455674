/// CSV (RFC 4180): a delimiter, double quotes, CRLF or LF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "json/value.hpp"

namespace pawl::functions {

struct CsvFormat {
  char delimiter = ',';
  bool header = true;  ///< the first line names the columns
  /// Reading: names in place of those of the first line, or where there is none. Writing: which members, in this order. Empty: the first
  /// line's, or all.
  std::vector<std::string> columns{};
  std::size_t max_rows = SIZE_MAX;  ///< reading ends after so many
};

/// An array of objects; of arrays where nothing names the columns. Error `csv.syntax`, with the line.
[[nodiscard]] Result<json::Value> parse_csv(std::string_view text, const CsvFormat& format = {});

/// From an array of objects (without `columns` all member names in order of first appearance) or an array of arrays (as they are). Scalars
/// are written as text, null as nothing, the rest as JSON. A text that a spreadsheet would take for a formula gets an apostrophe in front.
/// Error `csv.value`.
[[nodiscard]] Result<std::string> write_csv(const json::Value& rows, const CsvFormat& format = {});

}  // namespace pawl::functions
