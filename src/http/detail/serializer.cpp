#include "http/detail/serializer.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "http/detail/target.hpp"

namespace pawl::http::detail {
namespace {

constexpr std::string_view kSecurityFields =
    "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nX-Frame-Options: DENY\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n"
    "Permissions-Policy: camera=(), geolocation=(), microphone=(), payment=(), usb=()\r\n";
constexpr std::string_view kContentPolicy =
    "Content-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox\r\n";
constexpr std::string_view kTransportPolicy = "Strict-Transport-Security: max-age=31536000\r\n";

void append_number(std::string& out, std::size_t number) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

/// Fields that say how the message is framed: the server's business alone.
bool is_framing_field(std::string_view name) {
  switch (name.size()) {
    case 4: return equals_ignoring_case(name, "date");
    case 10: return equals_ignoring_case(name, "connection") || equals_ignoring_case(name, "keep-alive");
    case 12: return equals_ignoring_case(name, "x-request-id");
    case 14: return equals_ignoring_case(name, "content-length");
    case 17: return equals_ignoring_case(name, "transfer-encoding");
    default: return false;
  }
}

}  // namespace

bool append_head(std::string& out, const Response& response, std::size_t body_bytes, const HeadContext& context) {
  if (response.status < 200 || response.status > 599) return false;
  const std::size_t start = out.size();
  out += context.http11 ? "HTTP/1.1 " : "HTTP/1.0 ";
  append_number(out, static_cast<std::size_t>(response.status));
  out += ' ';
  out += reason_phrase(response.status);
  out += "\r\nDate: ";
  out += context.date;
  out += "\r\n";
  bool has_policy = false;
  bool has_cache_rule = response.status == 304;  // says what goes for what the client has
  for (const auto [name, value] : response.headers) {
    if (!is_token(name) || !safe_field_value(value)) {
      out.resize(start);
      return false;
    }
    if (is_framing_field(name)) continue;
    if (equals_ignoring_case(name, "content-security-policy")) has_policy = true;
    if (equals_ignoring_case(name, "cache-control")) has_cache_rule = true;
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
  }
  if (const auto type = response.content_type.view(); !type.empty()) {
    out += "Content-Type: ";
    out += type;
    out += "\r\n";
  }
  if (context.chunked) {
    if (context.http11) out += "Transfer-Encoding: chunked\r\n";
  } else if (response.status != 204 && response.status != 304) {
    out += "Content-Length: ";
    append_number(out, body_bytes);
    out += "\r\n";
  }
  if (!context.keep_alive) {
    out += "Connection: close\r\n";
  } else if (!context.http11) {
    out += "Connection: keep-alive\r\n";
  }
  out += "X-Request-Id: ";
  out += context.request_id;
  out += "\r\n";
  out += kSecurityFields;
  if (!has_policy) out += kContentPolicy;
  if (!has_cache_rule) out += "Cache-Control: no-store\r\n";
  if (context.https) out += kTransportPolicy;
  out += "\r\n";
  return true;
}

std::string http_date(std::chrono::sys_seconds time) {
  static constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[std::chrono::weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

}  // namespace pawl::http::detail
