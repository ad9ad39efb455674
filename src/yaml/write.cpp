#include "yaml/write.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "json/write.hpp"

namespace pawl::yaml {
namespace {

/// Words that some reader of YAML takes for something else than text.
constexpr std::array<std::string_view, 10> kReserved{"null", "true", "false", "yes", "no", "on", "off", "y", "n", "~"};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Certainly text without quotes: it begins with a letter, and nothing in it means anything to YAML.
bool is_plain(std::string_view text) {
  if (text.empty() || text.size() > 200 || !is_letter(text.front()) || text.back() == ' ') return false;
  const auto harmless = [](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || std::string_view(" _-./+@()").find(c) != std::string_view::npos;
  };
  if (!std::all_of(text.begin(), text.end(), harmless)) return false;
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::find(kReserved.begin(), kReserved.end(), lower) == kReserved.end();
}

/// A literal block keeps it exactly.
bool is_block(std::string_view text) {
  const auto line_end = text.find('\n');
  if (line_end == std::string_view::npos || line_end == 0 || text.front() == ' ' || text.back() == ' ' || text.ends_with("\n\n"))
    return false;
  if (text.find(" \n") != std::string_view::npos) return false;
  // Printable text only; what is beyond ASCII may hold line ends of Unicode.
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); });
}

class Writer {
 public:
  std::string out;

  /// Behind a key or a dash: scalars on the same line, containers below.
  void member(const json::Value& value, std::size_t indent, bool in_sequence) {
    if (value.is_object() && !value.empty()) {
      if (in_sequence) {
        out += ' ';
        return object(value, indent, true);
      }
      out += '\n';
      return object(value, indent, false);
    }
    if (value.is_array() && !value.empty()) {
      out += '\n';
      return array(value, indent);
    }
    out += ' ';
    scalar(value, indent);
  }

  void object(const json::Value& value, std::size_t indent, bool first_is_placed) {
    for (const auto& member_of : value.members()) {
      if (!first_is_placed) out.append(indent, ' ');
      first_is_placed = false;
      key(member_of.name());
      out += ':';
      member(member_of.value, indent + 2, false);
    }
  }

  void array(const json::Value& value, std::size_t indent) {
    for (const auto& item : value.items()) {
      out.append(indent, ' ');
      out += '-';
      member(item, indent + 2, true);
    }
  }

  void scalar(const json::Value& value, std::size_t indent) {
    if (value.is_string()) {
      text(value.as_string(), indent);
    } else {
      json::append_text(out, value);
      out += '\n';
    }
  }

 private:
  void key(std::string_view name) {
    if (is_plain(name)) {
      out += name;
    } else {
      json::append_quoted(out, name);
    }
  }

  void text(std::string_view value, std::size_t indent) {
    if (is_plain(value)) {
      out += value;
      out += '\n';
    } else if (is_block(value)) {
      out += value.back() == '\n' ? "|\n" : "|-\n";
      while (!value.empty()) {
        const auto end = value.find('\n');
        const auto line = value.substr(0, end);
        if (!line.empty()) out.append(std::max<std::size_t>(indent, 2), ' ');
        out += line;
        out += '\n';
        value = end == std::string_view::npos ? std::string_view{} : value.substr(end + 1);
      }
    } else if (value.find('\'') == std::string_view::npos &&
               std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c <= '~'; })) {
      out += '\'';
      out += value;
      out += "'\n";
    } else {
      json::append_quoted(out, value);
      out += '\n';
    }
  }
};

}  // namespace

std::string to_yaml(const json::Value& value) {
  Writer writer;
  if (value.is_object() && !value.empty()) {
    writer.object(value, 0, false);
  } else if (value.is_array() && !value.empty()) {
    writer.array(value, 0);
  } else {
    writer.scalar(value, 0);
  }
  return std::move(writer.out);
}

}  // namespace pawl::yaml
