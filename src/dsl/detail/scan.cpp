#include "dsl/detail/scan.hpp"

#include <string>

namespace pawl::dsl::detail {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

bool is_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9'); }

/// The index of the `}` that ends the expression which begins at `at`, or npos.
std::size_t find_close(std::string_view text, std::size_t at) {
  std::string open;  // what is open, innermost last: `{`, `(`, `"`, and `i` for `\(` within a string
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (!open.empty() && open.back() == '"') {
      if (c == '\\') {
        ++at;
        if (at < text.size() && text[at] == '(') open += 'i';
      } else if (c == '"') {
        open.pop_back();
      }
      continue;
    }
    switch (c) {
      case '"':
      case '{':
      case '(': open += c; break;
      case ')':
        if (!open.empty() && open.back() != '{') open.pop_back();
        break;
      case '}':
        if (open.find('{') == std::string::npos) return at;
        open.resize(open.rfind('{'));
        break;
      case '#':
        if (const auto line_end = text.find('\n', at); line_end != std::string_view::npos) at = line_end;
        break;
      default: break;
    }
  }
  return std::string_view::npos;
}

}  // namespace

TextScan scan_text(std::string_view text) {
  TextScan scan;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto start = text.find("${", at);
    if (start == std::string_view::npos) break;
    const auto close = find_close(text, start + 2);
    if (close == std::string_view::npos) {
      scan.unterminated = start;
      return scan;
    }
    if (start > at) scan.parts.push_back({false, text.substr(at, start - at), at});
    scan.parts.push_back({true, text.substr(start + 2, close - start - 2), start + 2});
    at = close + 1;
  }
  if (at < text.size()) scan.parts.push_back({false, text.substr(at), at});
  std::size_t expressions = 0;
  bool blank = true;
  for (const TextPart& part : scan.parts) {
    if (part.expression) {
      ++expressions;
    } else if (part.text.find_first_not_of(kSpace) != std::string_view::npos) {
      blank = false;
    }
  }
  scan.whole = blank && expressions == 1;
  return scan;
}

std::string_view unwrap_expression(std::string_view text, std::size_t& offset) {
  offset = 0;
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos || !text.substr(first).starts_with("${")) return text;
  const TextScan scan = scan_text(text);
  if (!scan.whole || scan.unterminated) return text;
  for (const TextPart& part : scan.parts) {
    if (!part.expression) continue;
    offset = part.offset;
    return part.text;
  }
  return text;
}

bool looks_like_expression(std::string_view text) {
  if (text.size() < 2 || text.size() > 200) return false;
  if (text[0] == '$') {
    for (const std::string_view name : {"context", "input", "output", "secrets", "task", "workflow", "runtime", "authorization"}) {
      if (text.substr(1).starts_with(name) &&
          (text.size() == name.size() + 1 || text[name.size() + 1] == '.' || text[name.size() + 1] == '[')) {
        return true;
      }
    }
    return false;
  }
  if (text[0] != '.' || !is_name(text[1]) || (text[1] >= '0' && text[1] <= '9')) return false;
  std::size_t at = 1;
  while (at < text.size() && (is_name(text[at]) || text[at] == '.' || text[at] == '[' || text[at] == ']')) ++at;
  if (at == text.size()) return true;
  // An operator between spaces, or a pipe, makes it more than a file name.
  const std::string_view rest = text.substr(at);
  for (const std::string_view sign : {" | ", " + ", " - ", " * ", " == ", " != ", " > ", " < ", " >= ", " <= ", " // "}) {
    if (rest.starts_with(sign)) return true;
  }
  return false;
}

}  // namespace pawl::dsl::detail
