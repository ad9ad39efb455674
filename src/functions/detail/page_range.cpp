#include "functions/detail/page_range.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace pawl::functions {
namespace {

constexpr std::uint32_t kLastPage = 1'000'000;
constexpr std::size_t kMaxRanges = 1'000;

std::optional<std::uint32_t> page_of(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  std::uint32_t page = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), page);
  if (failure != std::errc{} || end != text.data() + text.size() || page == 0 || page > kLastPage) return std::nullopt;
  return page;
}

}  // namespace

Result<PageRange> PageRange::parse(std::string_view text) {
  PageRange range;
  if (text.empty() || text == "all") return range;
  const auto invalid = [text] {
    return Error(ErrorClass::invalid, "pages.invalid", fmt::format("`{}` is no list of pages such as 1-5,8", text));
  };
  std::string_view rest = text;
  while (true) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view item = rest.substr(0, comma);
    const std::size_t dash = item.find('-');
    const auto from = page_of(item.substr(0, dash));
    const auto to = dash == std::string_view::npos ? from : page_of(item.substr(dash + 1));
    if (!from || !to || *from > *to || range.ranges_.size() == kMaxRanges) return invalid();
    range.ranges_.emplace_back(*from, *to);
    if (comma == rest.size()) return range;
    rest.remove_prefix(comma + 1);
  }
}

bool PageRange::contains(std::uint32_t page) const {
  return ranges_.empty() ||
         std::any_of(ranges_.begin(), ranges_.end(), [page](const auto& range) { return range.first <= page && page <= range.second; });
}

std::uint32_t PageRange::first() const {
  std::uint32_t first = ranges_.empty() ? 1 : ranges_.front().first;
  for (const auto& range : ranges_) first = std::min(first, range.first);
  return first;
}

std::uint32_t PageRange::last() const {
  std::uint32_t last = 0;
  for (const auto& range : ranges_) last = std::max(last, range.second);
  return last;
}

}  // namespace pawl::functions
