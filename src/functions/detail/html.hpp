/// An HTML5 page as a tree (gumbo), and text out of it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/time.hpp"
#include "functions/detail/css_selector.hpp"

namespace pawl::functions {

class HtmlPage {
 public:
  /// Never fails on bad markup, as browsers do. Error `html.limit`: more than 8 MiB, or markup made to exhaust the parser.
  [[nodiscard]] static Result<HtmlPage> parse(std::string text, Millis max_time = Millis(5000));

  [[nodiscard]] const GumboInternalNode* root() const;
  [[nodiscard]] std::string title() const;

 private:
  struct Tree;
  std::shared_ptr<Tree> tree_;
};

/// Text of an element and all below it, without scripts and styles, white space collapsed, trimmed.
[[nodiscard]] std::string text_of(const GumboInternalNode* node);
[[nodiscard]] std::optional<std::string> attribute_text(const GumboInternalNode* node, const std::string& name);

}  // namespace pawl::functions
