// Response heads, written by hand into one buffer.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "http/response.hpp"

namespace pawl::http::detail {

struct HeadContext {
  std::string_view date;  ///< the Date field's value
  std::string_view request_id;
  bool http11 = true;
  bool keep_alive = true;
  bool chunked = false;  ///< endless body: no Content-Length
  bool https = false;    ///< the client came by https, or should
};

/// False, with nothing appended, if the response has a field name that is no token or a value with CR, LF or NUL, or a status outside
/// 200-599.
[[nodiscard]] bool append_head(std::string& out, const Response& response, std::size_t body_bytes, const HeadContext& context);

/// `Sun, 22 Nov 2026 10:00:00 GMT` (RFC 9110 section 5.6.7).
[[nodiscard]] std::string http_date(std::chrono::sys_seconds time);

}  // namespace pawl::http::detail
