#include "json/write.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <vector>

#include "base/utf8.hpp"

namespace pawl::json {
namespace {

template <class Number>
void append_chars(std::string& out, Number number) {
  char buffer[32];
  const auto [end, failure] = std::to_chars(buffer, buffer + sizeof buffer, number);
  out.append(buffer, end);
}

/// `1.25e+20` at `begin` becomes `125000000000000000000`, unless that takes more than 15 zeros.
void write_out_exponent(std::string& out, std::size_t begin) {
  const auto exponent_at = out.find('e', begin);
  if (exponent_at == std::string::npos) return;
  int exponent = 0;
  std::from_chars(out.data() + exponent_at + 2, out.data() + out.size(), exponent);  // after `e+`
  std::string digits = out.substr(begin, exponent_at - begin);
  std::size_t fraction = 0;
  if (const auto dot = digits.find('.'); dot != std::string::npos) {
    fraction = digits.size() - dot - 1;
    digits.erase(dot, 1);
  }
  const int zeros = exponent - static_cast<int>(fraction);
  if (zeros < 0 || zeros > 14) return;
  out.resize(begin);
  out += digits;
  out.append(static_cast<std::size_t>(zeros), '0');
}

class Writer {
 public:
  Writer(std::string& out, const WriteOptions& options) : out_(out), options_(options) {}

  void write(const Value& value) {
    switch (value.kind()) {
      case Kind::null: out_ += "null"; break;
      case Kind::boolean: out_ += value.as_bool() ? "true" : "false"; break;
      case Kind::integer: append_chars(out_, value.as_integer()); break;
      case Kind::number: append_number(out_, value.as_double()); break;
      case Kind::string: append_quoted(out_, value.as_string()); break;
      case Kind::array: write_array(value); break;
      case Kind::object: write_object(value); break;
    }
  }

 private:
  void write_array(const Value& value) {
    out_ += '[';
    ++level_;
    bool first = true;
    for (const auto& item : value.items()) {
      separate(first);
      write(item);
    }
    close(first, ']');
  }

  void write_object(const Value& value) {
    out_ += '{';
    ++level_;
    bool first = true;
    const auto write_member = [&](const Member& member) {
      separate(first);
      append_quoted(out_, member.name());
      out_ += options_.indent > 0 ? ": " : ":";
      write(member.value);
    };
    if (options_.sort_keys) {
      std::vector<const Member*> sorted;
      for (const auto& member : value.members()) sorted.push_back(&member);
      std::sort(sorted.begin(), sorted.end(), [](const Member* a, const Member* b) { return a->name() < b->name(); });
      for (const auto* member : sorted) write_member(*member);
    } else {
      for (const auto& member : value.members()) write_member(member);
    }
    close(first, '}');
  }

  void separate(bool& first) {
    if (!first) out_ += ',';
    first = false;
    new_line();
  }
  void close(bool empty, char bracket) {
    --level_;
    if (!empty) new_line();
    out_ += bracket;
  }
  void new_line() {
    if (options_.indent <= 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(level_) * static_cast<std::size_t>(options_.indent), ' ');
  }

  std::string& out_;
  const WriteOptions& options_;
  int level_ = 0;
};

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  std::size_t plain = 0;  // start of the run not yet copied
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') continue;
    if (c >= 0x80) {
      if (const auto length = utf8_length(text.substr(i)); length > 0) {
        i += length - 1;
        continue;
      }
    }
    out.append(text, plain, i - plain);
    plain = i + 1;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\t': out += "\\t"; break;
      case '\r': out += "\\r"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default:
        if (c >= 0x80) {
          out += "\xEF\xBF\xBD";
          break;
        }
        out += "\\u00";
        out += kHex[c >> 4];
        out += kHex[c & 15];
    }
  }
  out.append(text, plain, text.size() - plain);
  out += '"';
}

void append_number(std::string& out, double number) {
  if (std::isnan(number)) {
    out += "null";
    return;
  }
  if (std::isinf(number)) number = std::copysign(std::numeric_limits<double>::max(), number);
  if (number == std::floor(number) && std::fabs(number) < 1e17) {
    if (number == 0 && std::signbit(number)) {
      out += "-0";
    } else {
      append_chars(out, static_cast<std::int64_t>(number));
    }
    return;
  }
  const std::size_t begin = out.size();
  append_chars(out, number);
  // Beyond 64-bit integers jq writes digits and zeros as long as no more than 15 zeros follow the digits.
  if (std::fabs(number) >= 0x1p63) write_out_exponent(out, begin);
}

void append_text(std::string& out, const Value& value) {
  const WriteOptions options;
  Writer(out, options).write(value);
}

std::string to_text(const Value& value, const WriteOptions& options) {
  std::string out;
  Writer(out, options).write(value);
  return out;
}

}  // namespace pawl::json
