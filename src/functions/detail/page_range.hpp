/// `1-5,8`: pages of a document as people write them. Pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace pawl::functions {

class PageRange {
 public:
  /// `all` or an empty text: every page. Error `pages.invalid`.
  [[nodiscard]] static Result<PageRange> parse(std::string_view text);

  [[nodiscard]] bool all() const { return ranges_.empty(); }
  [[nodiscard]] bool contains(std::uint32_t page) const;
  [[nodiscard]] std::uint32_t first() const;
  /// 0: to the end.
  [[nodiscard]] std::uint32_t last() const;

 private:
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges_;  ///< both ends included, counted from 1
};

}  // namespace pawl::functions
