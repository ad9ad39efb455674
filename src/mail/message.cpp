#include "mail/message.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace pawl::mail {
namespace {

constexpr std::size_t kMaxAddress = 254;  // RFC 5321, 4.5.3.1.3 less the brackets
constexpr std::size_t kMaxLocalPart = 64;
constexpr std::size_t kMaxSubject = 500;
constexpr std::size_t kEncodedLine = 76;                 // RFC 2045, 6.8
constexpr std::size_t kWordBytes = 39;                   // an encoded word is at most 75 characters: 52 of base64 and its frame
constexpr std::string_view kBoundaryPrefix = "=_pawl_";  // `=_` appears in no base64 body

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }
bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}
bool is_atom(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}
bool is_dotted(std::string_view text, bool (*accepts)(char)) {
  if (text.empty() || text.front() == '.' || text.back() == '.' || text.find("..") != std::string_view::npos) return false;
  return std::all_of(text.begin(), text.end(), [accepts](char c) { return c == '.' || accepts(c); });
}
bool is_host(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'; }

std::string base64(std::string_view data) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((data.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < data.size(); i += 3) {
    const std::size_t given = std::min<std::size_t>(3, data.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = (group << 8U) | (k < given ? static_cast<unsigned char>(data[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += k <= given ? kAlphabet[(group >> (18 - 6 * k)) & 0x3FU] : '=';
  }
  return out;
}

std::string base64_lines(std::string_view data) {
  const auto text = base64(data);
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += kEncodedLine) {
    out.append(text, i, kEncodedLine);
    out += "\r\n";
  }
  return out;
}

/// Cuts between characters, never inside of one.
std::size_t word_end(std::string_view text, std::size_t begin) {
  auto end = std::min(text.size(), begin + kWordBytes);
  while (end < text.size() && end > begin + 1 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return end;
}

std::string encode_subject(std::string_view subject) {
  constexpr std::size_t kPlainLine = 60;  // with the field's name well below 78
  if (is_ascii(subject) && subject.size() <= kPlainLine && subject.find("=?") == std::string_view::npos) return std::string(subject);
  std::string out;
  for (std::size_t begin = 0; begin < subject.size();) {
    const auto end = word_end(subject, begin);
    if (!out.empty()) out += "\r\n ";
    out += "=?UTF-8?B?" + base64(subject.substr(begin, end - begin)) + "?=";
    begin = end;
  }
  return out;
}

/// RFC 5322, 3.3: `Wed, 25 Nov 2026 22:01:00 +0000`
std::string date_field(TimePoint time) {
  static constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} +0000", kDays[std::chrono::weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::string part(std::string_view type, std::string_view content) {
  return fmt::format("Content-Type: {}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}", type, base64_lines(content));
}

Error invalid(std::string message) { return {ErrorClass::unprocessable, "mail.invalid_message", std::move(message)}; }

}  // namespace

bool is_address(std::string_view text) {
  const auto at = text.rfind('@');
  if (at == std::string_view::npos || text.size() > kMaxAddress || at > kMaxLocalPart) return false;
  return is_dotted(text.substr(0, at), is_atom) && is_dotted(text.substr(at + 1), is_host);
}

Result<void> check(const Message& message) {
  if (!is_address(message.to)) return invalid("The recipient's address cannot be used.");
  if (message.subject.size() > kMaxSubject || std::any_of(message.subject.begin(), message.subject.end(), is_control)) {
    return invalid("The subject is too long or holds a line break or another control character.");
  }
  return {};
}

Result<std::string> compose(const Message& message, const Envelope& envelope) {
  PAWL_TRY_VOID(check(message));
  if (!is_address(envelope.from)) return invalid("The sender's address cannot be used.");
  const auto domain = envelope.from.substr(envelope.from.rfind('@') + 1);
  auto out = fmt::format(
      "From: {}\r\nTo: {}\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{}@{}>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n",
      envelope.from, message.to, encode_subject(message.subject), date_field(envelope.date), envelope.message_id, domain);
  if (message.html.empty()) return out + part("text/plain", message.text);
  const auto boundary = std::string(kBoundaryPrefix) + envelope.message_id;
  out += fmt::format("Content-Type: multipart/alternative; boundary=\"{0}\"\r\n\r\n--{0}\r\n{1}--{0}\r\n{2}--{0}--\r\n", boundary,
                     part("text/plain", message.text), part("text/html", message.html));
  return out;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string html_of(std::string_view text) {
  std::string out = "<!doctype html>\n<html lang=\"en\"><body>\n<p>";
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const bool link = (line.starts_with("https://") || line.starts_with("http://")) && line.find(' ') == std::string_view::npos;
    const auto shown = escape_html(line);
    if (line.empty()) {
      if (!text.empty()) out += "</p>\n<p>";
    } else {
      out += link ? "<a href=\"" + shown + "\">" + shown + "</a><br>\n" : shown + "<br>\n";
    }
  }
  return out + "</p>\n</body></html>\n";
}

}  // namespace pawl::mail
