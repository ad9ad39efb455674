// The one parser for request targets and Host headers: what router, handlers and logs see comes from here, so they cannot disagree.
#pragma once

#include <string>
#include <string_view>

#include "http/request.hpp"

namespace pawl::http::detail {

/// Splits and decodes a request target in origin form, absolute form (whose authority goes to `authority`) or `*` (path "*").
/// Returns null on success, else a literal that says what is wrong. Refused: encoded slashes and backslashes, `.` and `..` segments, empty
/// segments, `;`, NUL and other control characters, bad percent escapes, bytes that are not UTF-8 after decoding, more than 256 query
/// parameters.
[[nodiscard]] const char* parse_target(std::string_view target, std::string& path, NameValues& query, std::string_view& authority);

/// True for `name`, `1.2.3.4`, `[::1]`, each with an optional port.
[[nodiscard]] bool valid_host(std::string_view host) noexcept;

/// True for 1-64 characters of [A-Za-z0-9._-].
[[nodiscard]] bool sane_request_id(std::string_view id) noexcept;

/// RFC 9110 token, as header names are.
[[nodiscard]] bool is_token(std::string_view text) noexcept;

/// True if the text holds no CR, LF or NUL.
[[nodiscard]] bool safe_field_value(std::string_view text) noexcept;

}  // namespace pawl::http::detail
