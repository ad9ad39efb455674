/// `@text`, `@json`, `@csv` ...
#include <array>

#include "jq/detail/native.hpp"
#include "jq/detail/ops.hpp"
#include "jq/detail/utf8.hpp"

namespace pawl::jq::detail {
namespace {

constexpr std::array<std::string_view, 12> kFormats = {"text", "json", "csv",    "tsv",     "html",   "uri",
                                                       "urid", "sh",   "base64", "base64d", "base32", "base32d"};
enum Format : int { text, json_text, csv, tsv, html, uri, urid, sh, base64, base64d, base32, base32d };

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::string_view kHex = "0123456789ABCDEF";

/// `bits` per letter; output is padded to whole groups of `group` letters.
std::string encode_bits(std::string_view in, std::string_view alphabet, unsigned bits, std::size_t group) {
  std::string out;
  std::uint32_t pending = 0;
  unsigned count = 0;
  for (const char c : in) {
    pending = (pending << 8U) | static_cast<unsigned char>(c);
    count += 8;
    while (count >= bits) {
      count -= bits;
      out += alphabet[(pending >> count) & ((1U << bits) - 1)];
    }
    pending &= (1U << count) - 1;
  }
  if (count > 0) out += alphabet[(pending << (bits - count)) & ((1U << bits) - 1)];
  while (out.size() % group != 0) out += '=';
  return out;
}

std::optional<std::string> decode_bits(std::string_view in, std::string_view alphabet, unsigned bits) {
  while (!in.empty() && in.back() == '=') in.remove_suffix(1);
  std::string out;
  std::uint32_t pending = 0;
  unsigned count = 0;
  for (const char c : in) {
    const auto digit = alphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    pending = (pending << bits) | static_cast<std::uint32_t>(digit);
    count += bits;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(static_cast<unsigned char>((pending >> count) & 0xFFU));
    }
    pending &= (1U << count) - 1;
  }
  if (count >= bits) return std::nullopt;  // a letter that carries no byte
  return out;
}

Value decoded(Runtime& runtime, const Value& in, std::string_view alphabet, unsigned bits, std::string_view name) {
  auto bytes = decode_bits(in.as_string(), alphabet, bits);
  if (!bytes) return runtime.fail(describe(in) + " is not valid " + std::string(name) + " data");
  return Value(repair_utf8(*bytes));
}

std::string html_escaped(std::string_view in) {
  std::string out;
  for (const char c : in) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '\'': out += "&#39;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

bool unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
}

std::string uri_escaped(std::string_view in) {
  std::string out;
  for (const char c : in) {
    if (unreserved(c)) {
      out += c;
    } else {
      out += '%';
      out += kHex[static_cast<unsigned char>(c) >> 4U];
      out += kHex[static_cast<unsigned char>(c) & 15U];
    }
  }
  return out;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Value uri_decoded(Runtime& runtime, const Value& value) {
  const auto in = value.as_string();
  std::string out;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i] != '%') {
      out += in[i];
      continue;
    }
    const int high = i + 2 < in.size() ? hex_digit(in[i + 1]) : -1;
    const int low = i + 2 < in.size() ? hex_digit(in[i + 2]) : -1;
    if (high < 0 || low < 0) return runtime.fail(describe(value) + " is not a valid uri encoding");
    out += static_cast<char>(static_cast<unsigned char>(high * 16 + low));
    i += 2;
  }
  if (!valid_utf8(out)) return runtime.fail(describe(value) + " is not a valid uri encoding");
  return Value(std::move(out));
}

std::string quoted_for_csv(std::string_view in) {
  std::string out = "\"";
  for (const char c : in) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::string escaped_for_tsv(std::string_view in) {
  std::string out;
  for (const char c : in) {
    switch (c) {
      case '\t': out += "\\t"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\\': out += "\\\\"; break;
      default: out += c;
    }
  }
  return out;
}

std::string quoted_for_shell(std::string_view in) {
  std::string out = "'";
  for (const char c : in) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + '\'';
}

Value row(Runtime& runtime, const Value& value, bool is_csv) {
  const std::string name = is_csv ? "csv" : "tsv";
  if (!value.is_array()) return runtime.fail(describe(value) + " cannot be " + name + "-formatted, only an array can be");
  std::string out;
  bool first = true;
  for (const auto& item : value.items()) {
    if (!first) out += is_csv ? ',' : '\t';
    first = false;
    if (!runtime.reserve(item.size() + 8)) return {};
    if (item.is_string()) {
      out += is_csv ? quoted_for_csv(item.as_string()) : escaped_for_tsv(item.as_string());
    } else if (item.is_array() || item.is_object()) {
      return runtime.fail(describe(item) + " is not valid in a csv row");
    } else if (!item.is_null()) {
      append_json(runtime, out, item);
    }
  }
  return Value(std::move(out));
}

Value shell(Runtime& runtime, const Value& value) {
  std::string out;
  const auto add = [&](const Value& item) {
    if (item.is_array() || item.is_object()) {
      runtime.fail(describe(item) + " can not be escaped for shell");
      return false;
    }
    if (!out.empty()) out += ' ';
    if (item.is_string()) {
      out += quoted_for_shell(item.as_string());
    } else {
      append_json(runtime, out, item);
    }
    return runtime.reserve(item.size() + 8);
  };
  if (!value.is_array()) {
    add(value);
  } else {
    for (const auto& item : value.items()) {
      if (!add(item)) return {};
    }
  }
  return Value(std::move(out));
}

}  // namespace

int find_format(std::string_view name) {
  for (std::size_t i = 0; i < kFormats.size(); ++i) {
    if (kFormats[i] == name) return static_cast<int>(i);
  }
  return -1;
}

Value apply_format(Runtime& runtime, int format, Value value) {
  switch (format) {
    case json_text: {
      std::string out = to_json(runtime, value);
      return Value(std::move(out));
    }
    case csv: return row(runtime, value, true);
    case tsv: return row(runtime, value, false);
    case sh: return shell(runtime, value);
    default: break;
  }
  Value in = to_string(runtime, std::move(value));
  if (!runtime.ok() || format == text) return in;
  if (!runtime.reserve(in.size() * 6)) return {};
  switch (format) {
    case html: return Value(html_escaped(in.as_string()));
    case uri: return Value(uri_escaped(in.as_string()));
    case urid: return uri_decoded(runtime, in);
    case base64: return Value(encode_bits(in.as_string(), kBase64, 6, 4));
    case base64d: return decoded(runtime, in, kBase64, 6, "base64");
    case base32: return Value(encode_bits(in.as_string(), kBase32, 5, 8));
    case base32d: return decoded(runtime, in, kBase32, 5, "base32");
    default: return in;
  }
}

}  // namespace pawl::jq::detail
