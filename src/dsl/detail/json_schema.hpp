/// JSON Schema, drafts 4 to 2020-12, over our own values.
///
/// Own code and not valijson, for three reasons: valijson 1.0 matches `pattern` with std::regex, which overflows the stack on long text;
/// it cannot be told that `${ ... }` may become anything, which checking a call's arguments before a run needs; and it knows no draft
/// after 7. Not supported, and refused when compiled: references outside the document, `$dynamicRef`, `$recursiveRef`, anchors,
/// `unevaluatedItems`. `format` is checked for date-time, date and time only; the other names are annotations.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "jq/jq.hpp"
#include "json/value.hpp"

namespace pawl::dsl::detail {

struct SchemaCheckOptions {
  bool skip_expressions = false;  ///< text with `${` may become anything: not checked
  bool skip_texts = false;        ///< loose mode: any text may
  std::size_t max_findings = 50;
};

class JsonSchema {
 public:
  /// Error `dsl.schema` with one finding whose pointer leads into `document`.
  [[nodiscard]] static Result<JsonSchema> compile(const json::Value& document);

  /// Appends what is wrong with `value`, with pointers that begin with `pointer`. Rules: `wrong-type`, `missing-property`,
  /// `unknown-property`, `invalid-value`. Does bounded work: a value too deep or a schema too costly is a finding.
  void check(const json::Value& value, std::string_view pointer, const SchemaCheckOptions& options, Findings& findings) const;

  using NodeId = std::uint32_t;
  struct Pattern {
    std::string text;
    jq::Program program;
    [[nodiscard]] bool matches(std::string_view subject) const;
  };
  enum class Format : std::uint8_t { none, date_time, date, time };
  struct Node {
    std::string pointer;
    std::optional<bool> always;  // the schemas `true` and `false`
    std::uint8_t types = 0xFF;   // one bit for each json::Kind
    bool has_types = false;
    std::optional<json::Value> constant;
    json::Value choices;  // `enum`: array, or null
    std::optional<double> minimum, maximum, above, below, multiple_of;
    std::optional<std::size_t> min_length, max_length, min_items, max_items, min_properties, max_properties, min_contains, max_contains;
    std::optional<Pattern> pattern;
    Format format = Format::none;
    std::vector<std::pair<std::string, NodeId>> properties;
    std::vector<std::pair<Pattern, NodeId>> pattern_properties;
    std::optional<NodeId> additional_properties, unevaluated_properties, property_names;
    std::vector<std::string> required;
    std::vector<std::pair<std::string, std::vector<std::string>>> dependent_required;
    std::vector<std::pair<std::string, NodeId>> dependent_schemas;
    std::vector<NodeId> prefix_items;
    std::optional<NodeId> items, contains;
    bool unique_items = false;
    std::vector<NodeId> all_of, any_of, one_of;
    std::optional<NodeId> ref, negated, condition, then, otherwise;
  };

 private:
  std::vector<Node> nodes_;
};

/// Characters of a UTF-8 text.
[[nodiscard]] std::size_t character_count(std::string_view text);

}  // namespace pawl::dsl::detail
