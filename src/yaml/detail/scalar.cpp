/// YAML 1.2.2, chapter 10.3.2: the core schema.
#include <charconv>
#include <cmath>
#include <limits>

#include "yaml/detail/events.hpp"

namespace pawl::yaml::detail {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t skip_digits(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

/// `0o17`, `0x1F`: exact where 64 bits hold it, else a double.
json::Value based_integer(std::string_view digits, int base) {
  std::int64_t exact = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), exact, base);
  if (end != digits.data() + digits.size()) return nullptr;
  if (failure == std::errc{}) return exact;
  double wide = 0;
  for (const char c : digits) {
    const int digit = is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
    wide = wide * base + digit;
  }
  return wide;
}

bool all_in(std::string_view text, std::string_view set) { return !text.empty() && text.find_first_not_of(set) == std::string_view::npos; }

bool is_integer_text(std::string_view unsigned_text) { return skip_digits(unsigned_text, 0) == unsigned_text.size(); }

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
bool is_float_text(std::string_view text) {
  std::size_t at = skip_digits(text, 0);
  const bool whole = at > 0;
  if (at < text.size() && text[at] == '.') {
    const std::size_t fraction = skip_digits(text, at + 1);
    if (!whole && fraction == at + 1) return false;
    at = fraction;
  } else if (!whole) {
    return false;
  }
  if (at == text.size()) return true;
  if ((text[at] | 0x20) != 'e') return false;
  ++at;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  const std::size_t end = skip_digits(text, at);
  return end > at && end == text.size();
}

}  // namespace

json::Value plain_value(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  const char first = text.front();
  if (!is_digit(first) && first != '-' && first != '+' && first != '.') return text;
  if (text.size() > 2 && first == '0' && text[1] == 'o' && all_in(text.substr(2), "01234567")) return based_integer(text.substr(2), 8);
  if (text.size() > 2 && first == '0' && text[1] == 'x' && all_in(text.substr(2), "0123456789abcdefABCDEF")) {
    return based_integer(text.substr(2), 16);
  }
  if (text == ".nan" || text == ".NaN" || text == ".NAN") return std::numeric_limits<double>::quiet_NaN();
  const bool negative = first == '-';
  const std::string_view rest = negative || first == '+' ? text.substr(1) : text;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (rest == ".inf" || rest == ".Inf" || rest == ".INF") return negative ? -kInfinity : kInfinity;
  if (rest.empty() || !is_float_text(rest)) return text;
  const std::string_view number = negative ? text : rest;  // from_chars knows no leading plus
  const char* const end = number.data() + number.size();
  if (is_integer_text(rest)) {
    std::int64_t exact = 0;
    if (std::from_chars(number.data(), end, exact).ec == std::errc{}) return exact;
  }
  double wide = 0;
  if (std::from_chars(number.data(), end, wide).ec == std::errc::result_out_of_range) {
    // Too small or too large for a double: the sign of the exponent tells which.
    const bool tiny = text.find("e-") != std::string_view::npos || text.find("E-") != std::string_view::npos || rest.front() == '0' ||
                      rest.front() == '.';
    wide = tiny ? 0.0 : kInfinity;
    if (negative) wide = -wide;
  }
  return wide;
}

}  // namespace pawl::yaml::detail
