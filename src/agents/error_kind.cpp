#include "agents/error_kind.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace pawl::agents {
namespace {

constexpr std::size_t kLongHex = 8;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/// Numbers, also within words and ids, are `#`.
std::string without_numbers(std::string_view text) {
  std::string kind;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    bool has_digit = false;
    while (end < text.size() && (is_hex(text[end]) || (end > i && text[end] == '-'))) has_digit = is_digit(text[end++]) || has_digit;
    if (has_digit && (end - i >= kLongHex || std::all_of(text.begin() + static_cast<std::ptrdiff_t>(i),
                                                         text.begin() + static_cast<std::ptrdiff_t>(end), is_digit))) {
      kind += '#';
      i = end;
    } else if (is_digit(text[i])) {
      while (i < text.size() && is_digit(text[i])) ++i;
      kind += '#';
    } else {
      kind += text[i++];
    }
  }
  return kind;
}

std::string_view text_of(const json::Value& error, std::string_view name) {
  const auto& value = error.get(name);
  return value.is_string() ? value.as_string() : std::string_view();
}

}  // namespace

std::string error_kind(const json::Value& error) {
  if (!error.is_object()) return error.is_string() ? without_numbers(error.as_string()).substr(0, kMaxErrorKind) : std::string();
  auto type = text_of(error, "type");
  type = type.substr(type.rfind('/') == std::string_view::npos ? 0 : type.rfind('/') + 1);
  const auto detail = text_of(error, "detail");
  const auto& status = error.get("status");
  auto kind = fmt::format("{} {} {}: {}", text_of(error, "instance"), type, status.is_number() ? status.as_double() : 0.0,
                          without_numbers(detail.empty() ? text_of(error, "title") : detail));
  if (kind.size() > kMaxErrorKind) kind.resize(kMaxErrorKind);
  return kind;
}

}  // namespace pawl::agents
