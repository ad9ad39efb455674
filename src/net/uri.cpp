#include "net/uri.hpp"

#include <algorithm>
#include <array>

#include "net/detail/url.hpp"

namespace pawl::net {
namespace {

constexpr std::string_view kReserved = ":/?#[]@!$&'()*+,;=";

bool is_unreserved(char letter) noexcept {
  return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '-' ||
         letter == '.' || letter == '_' || letter == '~';
}

int hex_digit(char letter) noexcept {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  return -1;
}

bool is_escape(std::string_view text, std::size_t at) noexcept {
  return text[at] == '%' && at + 2 < text.size() && hex_digit(text[at + 1]) >= 0 && hex_digit(text[at + 2]) >= 0;
}

void append_encoded(std::string& out, std::string_view text, bool reserved_stays) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char letter = text[i];
    if (is_unreserved(letter) || (reserved_stays && (kReserved.find(letter) != std::string_view::npos || is_escape(text, i)))) {
      out += letter;
      continue;
    }
    const auto byte = static_cast<unsigned char>(letter);
    out += '%';
    out += kHex[byte >> 4U];
    out += kHex[byte & 15U];
  }
}

/// One row of RFC 6570's table (appendix A).
struct Operator {
  char mark;
  std::string_view first;
  char separator;
  bool named;
  std::string_view if_empty;
  bool reserved_stays;
};
constexpr Operator kSimple{'\0', "", ',', false, "", false};
constexpr std::array kOperators{Operator{'+', "", ',', false, "", true},   Operator{'#', "#", ',', false, "", true},
                                Operator{'.', ".", '.', false, "", false}, Operator{'/', "/", '/', false, "", false},
                                Operator{';', ";", ';', true, "", false},  Operator{'?', "?", '&', true, "=", false},
                                Operator{'&', "&", '&', true, "=", false}};

bool is_variable_name(std::string_view name) noexcept {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char letter) { return is_unreserved(letter) && letter != '~'; });
}

Error template_error(std::string_view text, std::string_view why) {
  return {ErrorClass::invalid, "net.invalid_template", "The URI template \"" + std::string(text) + "\" " + std::string(why) + "."};
}

/// Calls `on_text(view)` and `on_expression(operator, names)` along the template.
template <class OnText, class OnExpression>
Result<void> walk(std::string_view text, const OnText& on_text, const OnExpression& on_expression) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto open = rest.find_first_of("{}");
    on_text(rest.substr(0, open));
    if (open == std::string_view::npos) break;
    const auto close = rest.find('}', open);
    if (rest[open] == '}' || close == std::string_view::npos) return template_error(text, "has an unmatched brace");
    auto inside = rest.substr(open + 1, close - open - 1);
    rest.remove_prefix(close + 1);
    const Operator* chosen = &kSimple;
    for (const auto& candidate : kOperators) {
      if (inside.starts_with(candidate.mark)) chosen = &candidate;
    }
    if (chosen != &kSimple) inside.remove_prefix(1);
    std::vector<std::string_view> names;
    for (bool more = true; more;) {
      const auto comma = inside.find(',');
      more = comma != std::string_view::npos;
      names.push_back(inside.substr(0, comma));
      if (!is_variable_name(names.back())) return template_error(text, "has a variable name that is none, or an unsupported modifier");
      if (more) inside.remove_prefix(comma + 1);
    }
    on_expression(*chosen, names);
  }
  return {};
}

}  // namespace

std::string percent_encode(std::string_view text) {
  std::string out;
  append_encoded(out, text, false);
  return out;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (!is_escape(text, i)) return std::nullopt;
    out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
    i += 2;
  }
  return out;
}

std::string build_query(const std::vector<std::pair<std::string, std::string>>& parameters) {
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (!out.empty()) out += '&';
    append_encoded(out, name, false);
    out += '=';
    append_encoded(out, value, false);
  }
  return out;
}

std::string with_query(std::string_view url, const std::vector<std::pair<std::string, std::string>>& parameters) {
  if (parameters.empty()) return std::string(url);
  const auto fragment = std::min(url.find('#'), url.size());
  std::string out(url.substr(0, fragment));
  const auto mark = out.find('?');
  if (mark == std::string::npos) {
    out += '?';
  } else if (mark + 1 != out.size() && out.back() != '&') {
    out += '&';
  }
  return out.append(build_query(parameters)).append(url.substr(fragment));
}

Result<std::string> expand_template(std::string_view text, const TemplateLookup& lookup) {
  std::string out;
  PAWL_TRY_VOID(walk(
      text, [&](std::string_view literal) { out += literal; },
      [&](const Operator& how, const std::vector<std::string_view>& names) {
        bool first = true;
        for (const auto name : names) {
          const auto value = lookup(name);
          if (!value) continue;
          if (first) {
            out += how.first;
          } else {
            out += how.separator;
          }
          first = false;
          if (how.named) out.append(name).append(value->empty() ? how.if_empty : std::string_view("="));
          append_encoded(out, *value, how.reserved_stays);
        }
      }));
  return out;
}

Result<std::vector<std::string>> template_variables(std::string_view text) {
  std::vector<std::string> found;
  PAWL_TRY_VOID(walk(
      text, [](std::string_view) {},
      [&](const Operator&, const std::vector<std::string_view>& names) {
        for (const auto name : names) {
          if (std::find(found.begin(), found.end(), name) == found.end()) found.emplace_back(name);
        }
      }));
  return found;
}

std::string host_of(const std::string& url) {
  const auto parsed = detail::parse_url(url);
  return parsed ? parsed->host : std::string();
}

}  // namespace pawl::net
