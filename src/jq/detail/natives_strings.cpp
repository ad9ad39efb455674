/// Strings and conversions.
#include <algorithm>
#include <cmath>

#include "jq/detail/native.hpp"
#include "jq/detail/ops.hpp"
#include "jq/detail/utf8.hpp"

namespace pawl::jq::detail {
namespace {

using Arguments = std::span<Value>;

Value tostring(Runtime& runtime, Arguments in) { return to_string(runtime, std::move(in[0])); }
Value tojson(Runtime& runtime, Arguments in) {
  std::string text = to_json(runtime, in[0]);
  return runtime.ok() ? Value(std::move(text)) : Value();
}

Value fromjson(Runtime& runtime, Arguments in) {
  if (!in[0].is_string()) return runtime.fail(describe(in[0]) + " only strings can be parsed");
  return parse_json(runtime, in[0].as_string());
}

Value tonumber(Runtime& runtime, Arguments in) {
  if (in[0].is_number()) return in[0];
  if (in[0].is_string()) {
    if (const auto number = parse_number(in[0].as_string())) return *number;
  }
  return runtime.fail(describe(in[0]) + " cannot be parsed as a number");
}

Value toboolean(Runtime& runtime, Arguments in) {
  if (in[0].is_bool()) return in[0];
  if (in[0].is_string() && in[0].as_string() == "true") return true;
  if (in[0].is_string() && in[0].as_string() == "false") return false;
  return runtime.fail(describe(in[0]) + " cannot be parsed as a boolean");
}

Value change_case(Runtime& runtime, const Value& value, char from, char to, std::string_view name) {
  if (!value.is_string()) return runtime.fail(std::string(name) + " input must be a string");
  if (!runtime.reserve(value.size())) return {};
  std::string text(value.as_string());
  for (char& c : text) {
    if (c >= from && c <= from + 25) c = static_cast<char>(c - from + to);
  }
  return Value(std::move(text));
}

Value ascii_downcase(Runtime& runtime, Arguments in) { return change_case(runtime, in[0], 'A', 'a', "ascii_downcase"); }
Value ascii_upcase(Runtime& runtime, Arguments in) { return change_case(runtime, in[0], 'a', 'A', "ascii_upcase"); }

Value explode(Runtime& runtime, Arguments in) {
  if (!in[0].is_string()) return runtime.fail(describe(in[0]) + " cannot be exploded");
  const auto text = in[0].as_string();
  if (!runtime.reserve(text.size() * sizeof(Value))) return {};
  Value out = Value::array();
  for (std::size_t at = 0; at < text.size();) out.push_back(static_cast<std::int64_t>(next_code_point(text, at)));
  return out;
}

Value implode(Runtime& runtime, Arguments in) {
  if (!in[0].is_array()) return runtime.fail("implode input must be an array");
  if (!runtime.reserve(in[0].size())) return {};
  std::string out;
  for (const auto& point : in[0].items()) {
    if (!point.is_number() || std::isnan(point.as_double())) {
      return runtime.fail(describe(point) + " can't be imploded, unicode codepoint needs to be numeric");
    }
    const double number = point.as_double();
    append_utf8(out, number >= 0 && number < 1'114'112 ? static_cast<std::uint32_t>(number) : kReplacement);
  }
  return Value(std::move(out));
}

Value ascii(Runtime& runtime, Arguments in) {
  Value list = Value::array({in[0]});
  return implode(runtime, std::span<Value>(&list, 1));
}

bool starts(const Value& text, const Value& part) {
  return text.is_string() && part.is_string() && text.as_string().starts_with(part.as_string());
}
bool ends(const Value& text, const Value& part) {
  return text.is_string() && part.is_string() && text.as_string().ends_with(part.as_string());
}

Value ltrimstr(Runtime& runtime, Arguments in) {
  if (!starts(in[0], in[1]) || in[1].empty()) return in[0];
  if (!runtime.reserve(in[0].size())) return {};
  return Value(in[0].as_string().substr(in[1].size()));
}

Value rtrimstr(Runtime& runtime, Arguments in) {
  if (!ends(in[0], in[1]) || in[1].empty()) return in[0];
  if (!runtime.reserve(in[0].size())) return {};
  return Value(in[0].as_string().substr(0, in[0].size() - in[1].size()));
}

Value trimstr(Runtime& runtime, Arguments in) {
  in[0] = ltrimstr(runtime, in);
  return rtrimstr(runtime, in);
}

Value startswith(Runtime& runtime, Arguments in) {
  if (!in[0].is_string() || !in[1].is_string()) return runtime.fail("startswith() requires string inputs");
  return starts(in[0], in[1]);
}

Value endswith(Runtime& runtime, Arguments in) {
  if (!in[0].is_string() || !in[1].is_string()) return runtime.fail("endswith() requires string inputs");
  return ends(in[0], in[1]);
}

Value trimmed(Runtime& runtime, const Value& value, bool left, bool right) {
  if (!value.is_string()) return runtime.fail(describe(value) + " cannot be trimmed");
  constexpr std::string_view kBlanks = " \t\n\v\f\r";
  auto text = value.as_string();
  if (left) text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  if (right) text = text.substr(0, text.find_last_not_of(kBlanks) + 1);
  if (text.size() == value.size()) return value;
  return runtime.reserve(text.size()) ? Value(text) : Value();
}

Value trim(Runtime& runtime, Arguments in) { return trimmed(runtime, in[0], true, true); }
Value ltrim(Runtime& runtime, Arguments in) { return trimmed(runtime, in[0], true, false); }
Value rtrim(Runtime& runtime, Arguments in) { return trimmed(runtime, in[0], false, true); }

Value split(Runtime& runtime, Arguments in) {
  if (!in[0].is_string() || !in[1].is_string()) return runtime.fail("split input and separator must be strings");
  return arithmetic(runtime, Binary::divide, in[0], in[1]);
}

Value utf8bytelength(Runtime& runtime, Arguments in) {
  if (!in[0].is_string()) return runtime.fail(describe(in[0]) + " only strings have UTF-8 byte length");
  return static_cast<std::int64_t>(in[0].size());
}

Value join(Runtime& runtime, Arguments in) {
  if (!in[0].is_array()) return runtime.fail("Cannot iterate over " + describe(in[0]));
  if (in[0].empty()) return Value("");
  const Value& separator = in[1];
  if (!separator.is_string() && (in[0].size() > 1 || !separator.is_null())) {
    return runtime.fail(describe(Value("")) + " and " + describe(separator) + " cannot be added");
  }
  std::string out;
  bool first = true;
  for (const auto& item : in[0].items()) {
    if (!first) out += separator.as_string();
    first = false;
    if (item.is_string()) {
      out += item.as_string();
    } else if (item.is_number() || item.is_bool()) {
      append_json(runtime, out, item);
    } else if (!item.is_null()) {
      return runtime.fail(describe(Value(out)) + " and " + describe(item) + " cannot be added");
    }
    if (!runtime.reserve(item.size() + (separator.is_string() ? separator.size() : 0) + 8)) return {};
  }
  return Value(std::move(out));
}

constexpr Native kNatives[] = {
    {"tostring", 0, tostring},
    {"tojson", 0, tojson},
    {"fromjson", 0, fromjson},
    {"tonumber", 0, tonumber},
    {"toboolean", 0, toboolean},
    {"ascii_downcase", 0, ascii_downcase},
    {"ascii_upcase", 0, ascii_upcase},
    {"explode", 0, explode},
    {"implode", 0, implode},
    {"ascii", 0, ascii},
    {"ltrimstr", 1, ltrimstr},
    {"rtrimstr", 1, rtrimstr},
    {"trimstr", 1, trimstr},
    {"startswith", 1, startswith},
    {"endswith", 1, endswith},
    {"trim", 0, trim},
    {"ltrim", 0, ltrim},
    {"rtrim", 0, rtrim},
    {"split", 1, split},
    {"utf8bytelength", 0, utf8bytelength},
    {"join", 1, join},
};

}  // namespace

std::span<const Native> string_natives() { return kNatives; }

}  // namespace pawl::jq::detail
