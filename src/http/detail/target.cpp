#include "http/detail/target.hpp"

#include <array>
#include <cstdint>

#include "base/utf8.hpp"

namespace pawl::http::detail {
namespace {

constexpr std::size_t kMaxQueryParameters = 256;

constexpr int hex_digit(char letter) noexcept {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  return -1;
}

constexpr bool is_alpha_numeric(char letter) noexcept {
  return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
}

constexpr auto kPlainPath = [] {
  // Characters that stand for themselves in a path and cannot change its meaning.
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (const char c : {'-', '_', '~', ':', '@', '!', '$', '&', '\'', '(', ')', '*', '+', ',', '='})
    table[static_cast<std::uint8_t>(c)] = true;
  return table;
}();

/// Decodes one component. False for a bad escape or a control character.
bool decode(std::string_view text, bool plus_is_space, std::string& out) {
  out.reserve(out.size() + text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char letter = text[i];
    if (letter == '%') {
      if (i + 2 >= text.size()) return false;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      letter = static_cast<char>(high * 16 + low);
      if (letter == '\0') return false;
      i += 2;
    } else if (letter == '+' && plus_is_space) {
      letter = ' ';
    }
    out += letter;
  }
  return true;
}

const char* decode_path(std::string_view text, std::string& path) {
  path.clear();
  path.reserve(text.size());
  std::size_t segment = 1;  // where the current segment starts in `path`
  bool ascii = true;
  const auto bad_segment = [&] {
    const std::string_view name = std::string_view(path).substr(segment);
    return name == "." || name == "..";
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    char letter = text[i];
    if (kPlainPath[static_cast<std::uint8_t>(letter)] || letter == '.') {
      path += letter;
      continue;
    }
    if (letter == '/') {
      if (i > 0) {
        if (path.size() == segment) return "the path has an empty segment";
        if (bad_segment()) return "the path has a '.' or '..' segment";
      }
      path += '/';
      segment = path.size();
      continue;
    }
    if (letter == '%') {
      if (i + 2 >= text.size()) return "the path has an incomplete percent escape";
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return "the path has a bad percent escape";
      letter = static_cast<char>(high * 16 + low);
      if (letter == '/' || letter == '\\') return "the path has an encoded slash";
      i += 2;
    }
    const auto byte = static_cast<std::uint8_t>(letter);
    if (byte < 0x20 || byte == 0x7F) return "the path has a control character";
    if (letter == ';' || letter == '\\') return "the path has a ';' or a backslash";
    if (byte >= 0x80) ascii = false;
    path += letter;
  }
  if (bad_segment()) return "the path has a '.' or '..' segment";
  if (!ascii && !is_utf8(path)) return "the path is not UTF-8";
  return nullptr;
}

const char* decode_query(std::string_view text, NameValues& query) {
  while (!text.empty()) {
    const auto end = text.find('&');
    const auto part = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (part.empty()) continue;
    if (query.size() == kMaxQueryParameters) return "the query has too many parameters";
    const auto equals = part.find('=');
    auto& [name, value] = query.emplace_back();
    if (!decode(part.substr(0, equals), true, name)) return "the query has a bad percent escape";
    if (equals != std::string_view::npos && !decode(part.substr(equals + 1), true, value)) return "the query has a bad percent escape";
    if (!is_utf8(name) || !is_utf8(value)) return "the query is not UTF-8";
  }
  return nullptr;
}

}  // namespace

const char* parse_target(std::string_view target, std::string& path, NameValues& query, std::string_view& authority) {
  query.clear();
  if (target == "*") {
    path = "*";
    return nullptr;
  }
  if (!target.starts_with('/')) {
    for (const std::string_view scheme : {"http://", "https://"}) {
      if (!target.starts_with(scheme)) continue;
      target.remove_prefix(scheme.size());
      authority = target.substr(0, target.find_first_of("/?"));
      target.remove_prefix(authority.size());
      if (!valid_host(authority)) return "the target's host is malformed";
      if (target.empty()) target = "/";
      break;
    }
    if (!target.starts_with('/')) return "the target must be a path";
  }
  // Beast has refused spaces and control characters in the target already.
  if (target.find('#') != std::string_view::npos) return "the target has a fragment";
  const auto mark = target.find('?');
  if (const char* problem = decode_path(target.substr(0, mark), path)) return problem;
  return mark == std::string_view::npos ? nullptr : decode_query(target.substr(mark + 1), query);
}

bool valid_host(std::string_view host) noexcept {
  if (host.empty() || host.size() > 255) return false;
  std::size_t end = 0;
  if (host[0] == '[') {
    end = host.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    for (std::size_t i = 1; i < end; ++i) {
      if (hex_digit(host[i]) < 0 && host[i] != ':' && host[i] != '.') return false;
    }
    ++end;
  } else {
    while (end < host.size() && (is_alpha_numeric(host[end]) || host[end] == '-' || host[end] == '.' || host[end] == '_')) ++end;
    if (end == 0) return false;
  }
  if (end == host.size()) return true;
  if (host[end] != ':') return false;
  const auto port = host.substr(end + 1);
  if (port.empty() || port.size() > 5) return false;
  unsigned number = 0;
  for (const char digit : port) {
    if (digit < '0' || digit > '9') return false;
    number = number * 10 + static_cast<unsigned>(digit - '0');
  }
  return number >= 1 && number <= 65535;
}

bool sane_request_id(std::string_view id) noexcept {
  if (id.empty() || id.size() > 64) return false;
  for (const char letter : id) {
    if (!is_alpha_numeric(letter) && letter != '.' && letter != '_' && letter != '-') return false;
  }
  return true;
}

bool is_token(std::string_view text) noexcept {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  for (const char letter : text) {
    if (!is_alpha_numeric(letter) && kMarks.find(letter) == std::string_view::npos) return false;
  }
  return !text.empty();
}

bool safe_field_value(std::string_view text) noexcept {
  for (const char letter : text) {
    if (letter == '\r' || letter == '\n' || letter == '\0') return false;
  }
  return true;
}

}  // namespace pawl::http::detail
