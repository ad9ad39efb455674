/// CSS selectors (level 3 and a little of 4) over an HTML tree.
///
/// Types, `*`, `#id`, `.class`, `[a]`, `[a=v]` with `~= |= ^= $= *=` and the `i` flag, descendant, child `>`, next `+` and later `~`
/// siblings, lists, `:first-child :last-child :only-child :nth-child() :nth-last-child() :first-of-type :last-of-type :nth-of-type() :empty
/// :root :not() :is()`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

struct GumboInternalNode;

namespace pawl::functions {

class Selector {
 public:
  /// Error `css.syntax`, with the column. At most 1,000 characters and 16 levels of `:not(:is(...))`.
  [[nodiscard]] static Result<Selector> parse(std::string_view text);

  /// Elements below (and including) `root` in document order, at most `limit`. Error `css.limit`: matching took more than `max_steps`.
  [[nodiscard]] Result<std::vector<const GumboInternalNode*>> select(const GumboInternalNode* root, std::size_t limit,
                                                                     std::uint64_t max_steps = 50'000'000) const;

  struct Complex;
  struct List {
    std::vector<Complex> alternatives;
  };

 private:
  std::shared_ptr<const List> list_;
};

}  // namespace pawl::functions
