/// Where the expressions in a text are: `${ ... }`, alone or between other text.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace pawl::dsl::detail {

struct TextPart {
  bool expression = false;
  std::string_view text;   ///< of the literal, or of the expression without `${` and `}`
  std::size_t offset = 0;  ///< of `text` in the whole
};

struct TextScan {
  std::vector<TextPart> parts;              ///< views into the scanned text
  bool whole = false;                       ///< one expression and nothing but white space around it
  std::optional<std::size_t> unterminated;  ///< where a `${` without an end stands
};

/// Knows jq's strings (with `\( )` inside), braces and comments, so `${ {a: "}"} }` is one expression.
[[nodiscard]] TextScan scan_text(std::string_view text);

/// A cheap test before scanning.
[[nodiscard]] inline bool has_expression(std::string_view text) { return text.find("${") != std::string_view::npos; }

/// What an expression position holds: the text, without `${ }` where it is wrapped. `offset` receives where it begins.
[[nodiscard]] std::string_view unwrap_expression(std::string_view text, std::size_t& offset);

/// Bare text that a person probably meant as an expression: `.user.name`, `$context.total`.
[[nodiscard]] bool looks_like_expression(std::string_view text);

}  // namespace pawl::dsl::detail
