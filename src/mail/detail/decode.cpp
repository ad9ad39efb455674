#include "mail/detail/decode.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>

#include "mail/received.hpp"

namespace pawl::mail::detail {
namespace {

constexpr std::size_t kMaxFields = 1'000;
constexpr std::size_t kMaxParameters = 100;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::optional<char> hex_byte(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  const int high = hex_value(text[0]);
  const int low = hex_value(text[1]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(static_cast<unsigned char>(high * 16 + low));
}

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

bool is_field_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F && c != ':'; });
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = text[i] == '%' ? hex_byte(text.substr(i + 1)) : std::nullopt;
    if (byte) i += 2;
    out += byte.value_or(text[i]);
  }
  return out;
}

/// One `name=value` in front of `rest`, which loses it.
std::pair<std::string, std::string> take_parameter(std::string_view& rest) {
  const std::size_t equals = std::min(rest.find_first_of("=;"), rest.size());
  std::pair<std::string, std::string> parameter{lower(trim(rest.substr(0, equals))), ""};
  if (equals == rest.size() || rest[equals] == ';') {
    rest.remove_prefix(std::min(equals + 1, rest.size()));
    return parameter;
  }
  rest = rest.substr(equals + 1);
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  if (!rest.starts_with('"')) {
    const std::size_t end = std::min(rest.find(';'), rest.size());
    parameter.second = trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return parameter;
  }
  std::size_t i = 1;
  for (; i < rest.size() && rest[i] != '"'; ++i) {
    if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
    parameter.second += rest[i];
  }
  const std::size_t end = std::min(rest.find(';', std::min(i, rest.size())), rest.size());
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return parameter;
}

/// RFC 2231: `name*0*`, `name*1` ... are pieces of `name`; a star at the end means `charset'language'percent-encoded`.
struct Pieces {
  std::map<std::uint32_t, std::string> texts;
  std::string charset;
};

void add_piece(std::map<std::string, Pieces>& all, const std::string& name, std::string value) {
  std::string_view rest = name;
  const bool encoded = rest.ends_with('*');
  if (encoded) rest.remove_suffix(1);
  const std::size_t star = rest.find('*');
  std::uint32_t number = 0;
  if (star != std::string_view::npos) {
    for (const char c : rest.substr(star + 1)) {
      if (c < '0' || c > '9' || number > kMaxParameters) return;
      number = number * 10 + static_cast<std::uint32_t>(c - '0');
    }
  }
  Pieces& pieces = all[std::string(rest.substr(0, star))];
  if (encoded) {
    if (number == 0) {
      const std::size_t first = value.find('\'');
      const std::size_t second = first == std::string::npos ? first : value.find('\'', first + 1);
      if (second != std::string::npos) {
        pieces.charset = value.substr(0, first);
        value.erase(0, second + 1);
      }
    }
    value = percent_decoded(value);
  }
  pieces.texts.emplace(number, std::move(value));
}

}  // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return out;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string decode_base64(std::string_view text) {
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t group = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const int value = base64_value(c);
    if (value < 0) continue;
    group = (group << 6U | static_cast<std::uint32_t>(value)) & 0xFFFFFFU;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out += static_cast<char>(static_cast<unsigned char>(group >> bits & 0xFFU));
  }
  return out;
}

std::string decode_quoted(std::string_view text, bool in_header) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '_' && in_header) {
      out += ' ';
    } else if (text[i] != '=') {
      out += text[i];
    } else if (const auto byte = hex_byte(text.substr(i + 1))) {
      out += *byte;
      i += 2;
    } else {
      const std::size_t after = text.find_first_not_of(" \t\r", i + 1);  // a line break that is none
      if (after == std::string_view::npos || text[after] != '\n') {
        out += '=';
      } else {
        i = after;
      }
    }
  }
  return out;
}

Fields read_fields(std::string_view text, std::string_view& rest) {
  Fields fields;
  std::string_view left = text;
  while (!left.empty()) {
    const std::size_t end = std::min(left.find('\n'), left.size());
    std::string_view line = left.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t colon = line.find(':');
    const bool continues = !fields.empty() && (line.starts_with(' ') || line.starts_with('\t'));
    if (!continues && !line.empty() && (colon == std::string_view::npos || !is_field_name(line.substr(0, colon))))
      break;  // the body at once
    left.remove_prefix(std::min(end + 1, left.size()));
    if (line.empty()) break;
    if (continues) {
      fields.back().second.append(1, ' ').append(trim(line));
    } else if (fields.size() < kMaxFields) {
      fields.emplace_back(lower(line.substr(0, colon)), trim(line.substr(colon + 1)));
    }
  }
  rest = fields.empty() ? text : left;
  return fields;
}

std::string_view field_of(const Fields& fields, std::string_view name) {
  const auto found = std::find_if(fields.begin(), fields.end(), [name](const auto& field) { return field.first == name; });
  return found == fields.end() ? std::string_view() : std::string_view(found->second);
}

std::string Parameterized::parameter(std::string_view name) const {
  const auto found = std::find_if(parameters.begin(), parameters.end(), [name](const auto& entry) { return entry.first == name; });
  return found == parameters.end() ? std::string() : found->second;
}

Parameterized read_parameterized(std::string_view field) {
  Parameterized out;
  const std::size_t end = std::min(field.find(';'), field.size());
  out.value = lower(trim(field.substr(0, end)));
  field.remove_prefix(std::min(end + 1, field.size()));
  std::map<std::string, Pieces> all;
  for (std::size_t i = 0; !field.empty() && i < kMaxParameters; ++i) {
    auto [name, value] = take_parameter(field);
    if (!name.empty()) add_piece(all, name, std::move(value));
  }
  for (const auto& [name, pieces] : all) {
    std::string joined;
    for (const auto& [number, text] : pieces.texts) joined += text;
    out.parameters.emplace_back(name, pieces.charset.empty() ? decode_words(joined) : to_utf8_from(pieces.charset, joined));
  }
  return out;
}

}  // namespace pawl::mail::detail
