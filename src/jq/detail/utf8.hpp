/// UTF-8 by hand: what the string functions need, tolerant of broken input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pawl::jq::detail {

inline constexpr std::uint32_t kReplacement = 0xFFFD;

void append_utf8(std::string& out, std::uint32_t code_point);
/// Reads one code point and moves `at` behind it. Broken sequences give U+FFFD and move one byte on.
[[nodiscard]] std::uint32_t next_code_point(std::string_view text, std::size_t& at);
[[nodiscard]] std::size_t count_code_points(std::string_view text);
/// Byte position of the code point at `index`; the size of the text where it has no more than that many.
[[nodiscard]] std::size_t byte_offset(std::string_view text, std::size_t index);
/// `text` with every broken sequence replaced by U+FFFD.
[[nodiscard]] std::string repair_utf8(std::string_view text);
[[nodiscard]] bool valid_utf8(std::string_view text);

}  // namespace pawl::jq::detail
