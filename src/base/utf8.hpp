/// Text that came from outside: is it UTF-8, and how to make it so. JSON, both databases and the log files depend on it.
///
/// Well-formed means RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF. Threads: any.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pawl {

/// Bytes of the well-formed character at the front of `text`; 0: there is none.
[[nodiscard]] std::size_t utf8_length(std::string_view text) noexcept;
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;
/// As it is where it is UTF-8, else with U+FFFD for every byte that belongs to no character.
[[nodiscard]] std::string to_utf8(std::string text);

}  // namespace pawl
