/// `Value` to JSON text.
#pragma once

#include <string>

#include "json/value.hpp"

namespace pawl::json {

struct WriteOptions {
  int indent = 0;          ///< spaces per level; 0: compact
  bool sort_keys = false;  ///< canonical form: members by key
};

/// Appends compact JSON to `out`. NaN is written as null, infinities as the largest double (as jq does).
/// Recurses: depth is bounded by whoever made the value (parsers: 512, jq: its depth limit).
void append_text(std::string& out, const Value& value);
[[nodiscard]] std::string to_text(const Value& value, const WriteOptions& options = {});
/// Appends `text` as a JSON string literal with quotes. Bytes that are not UTF-8 become U+FFFD: what is written is always JSON, whoever
/// made the value, and every database can store it.
void append_quoted(std::string& out, std::string_view text);
/// Appends the shortest text that reads back as the same double; integral values below 1e17 without exponent or fraction.
void append_number(std::string& out, double number);

}  // namespace pawl::json
