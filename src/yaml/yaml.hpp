/// YAML 1.2 core schema to JSON values with positions, through libyaml's events, under limits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/error.hpp"
#include "json/value.hpp"

namespace pawl::yaml {

struct Limits {
  std::size_t max_bytes = 1U << 20U;
  std::uint32_t max_depth = 64;
  std::uint32_t max_aliases = 1000;    ///< alias nodes in the document
  std::uint32_t max_nodes = 200'000;   ///< after alias expansion
  std::uint32_t max_aliased = 20'000;  ///< values that aliases stand for: alias bombs are found before anything is expanded
};

struct Position {
  std::uint32_t line = 0;    ///< from 1
  std::uint32_t column = 0;  ///< from 1, in characters
};

/// One document as data, and where each value (and each key) stands. What came from an alias stands where its anchor does.
struct Document {
  json::Value value;
  std::unordered_map<std::string, Position> values{};  ///< by JSON pointer
  std::unordered_map<std::string, Position> keys{};    ///< by JSON pointer of the member: where its key stands

  /// Of the value at `pointer`, else of the nearest enclosing value.
  [[nodiscard]] Position position(std::string_view pointer) const;
  /// Of the key of the member at `pointer`, else as `position`.
  [[nodiscard]] Position key_position(std::string_view pointer) const;
};

/// Reads exactly one document. JSON is a subset. Findings carry rule `yaml-syntax`, `yaml-duplicate-key`, `yaml-merge-key`, `yaml-tag`,
/// `yaml-anchor`, `yaml-limit`; an empty text is a finding too. Only plain scalars become null, booleans and numbers (core schema: `on`,
/// `yes`, `12:30` stay text); `!!str` and the other core tags are refused like all tags. Merge keys (`<<`) are refused with a finding that
/// says so. After duplicate keys, tags and merge keys there is a value too, so that a caller can look for more problems in it.
[[nodiscard]] Checked<Document> parse(std::string_view text, const Limits& limits = {});

}  // namespace pawl::yaml
