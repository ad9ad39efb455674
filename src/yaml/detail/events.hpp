/// A document as a flat list of events: what `parse.cpp` plays into values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "yaml/yaml.hpp"

namespace pawl::yaml::detail {

struct Event {
  enum class Kind : std::uint8_t { scalar, begin_map, end_map, begin_list, end_list, alias };
  Kind kind = Kind::scalar;
  bool plain = false;  ///< scalar without quotes: the core schema decides its type
  Position at;
  std::string text;         ///< of a scalar
  std::uint32_t begin = 0;  ///< alias: the events of its anchor
  std::uint32_t end = 0;
};

struct Events {
  std::vector<Event> list;
  Findings findings;
  bool complete = false;  ///< false: the text could not be read to its end
};

/// Through libyaml.
[[nodiscard]] Events read_yaml(std::string_view text, const Limits& limits);
/// Strict JSON (RFC 8259). Incomplete where the text is not JSON; it may still be YAML then.
[[nodiscard]] Events read_json(std::string_view text, const Limits& limits);

/// Type of a plain scalar by the YAML 1.2 core schema.
[[nodiscard]] json::Value plain_value(std::string_view text);

[[nodiscard]] Finding finding_at(Position at, std::string rule, std::string message);

}  // namespace pawl::yaml::detail
