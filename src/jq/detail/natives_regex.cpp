#include <oniguruma.h>

#include "jq/detail/native.hpp"
#include "jq/detail/ops.hpp"
#include "jq/detail/regex.hpp"
#include "jq/detail/utf8.hpp"

namespace pawl::jq::detail {

Regex::~Regex() {
  if (compiled) onig_free(compiled);
}

namespace {

using Arguments = std::span<Value>;

constexpr std::size_t kLongestPattern = 8192;
// A search is tried with few retries first and with more as long as that can be paid for: what it costs is not known before.
constexpr unsigned long kFirstRetries = 1024;
constexpr unsigned long kMostRetries = 16UL << 20U;
constexpr unsigned kStackEntries = 200'000;
constexpr unsigned kParseDepth = 250;

const OnigUChar* bytes(const char* text) { return reinterpret_cast<const OnigUChar*>(text); }

/// Sets the library up, once.
void prepare() {
  [[maybe_unused]] static const bool kReady = [] {
    OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
    onig_initialize(encodings, 1);
    onig_set_parse_depth_limit(kParseDepth);
    return true;
  }();
}

bool read_flags(Runtime& runtime, std::string_view flags, OnigOptionType& options, bool& global) {
  options = ONIG_OPTION_CAPTURE_GROUP;
  for (const char c : flags) {
    switch (c) {
      case 'g': global = true; break;
      case 'i': options |= ONIG_OPTION_IGNORECASE; break;
      case 'x': options |= ONIG_OPTION_EXTEND; break;
      case 's': options |= ONIG_OPTION_SINGLELINE; break;
      case 'p': options |= ONIG_OPTION_MULTILINE | ONIG_OPTION_SINGLELINE; break;
      case 'l': options |= ONIG_OPTION_FIND_LONGEST; break;
      case 'n': options |= ONIG_OPTION_FIND_NOT_EMPTY; break;
      default: runtime.fail(std::string(flags) + " is not a valid modifier string"); return false;
    }
  }
  return true;
}

int remember_name(const OnigUChar* name, const OnigUChar* end, int count, int* groups, OnigRegex, void* context) {
  auto& names = *static_cast<std::vector<std::string>*>(context);
  for (int i = 0; i < count; ++i) {
    const auto group = static_cast<std::size_t>(groups[i]);
    if (group >= 1 && group <= names.size())
      names[group - 1].assign(reinterpret_cast<const char*>(name), static_cast<std::size_t>(end - name));
  }
  return 0;
}

struct RegionFree {
  void operator()(OnigRegion* region) const { onig_region_free(region, 1); }
};
struct ParamFree {
  void operator()(OnigMatchParam* param) const { onig_free_match_param(param); }
};

/// Searches from byte `start`. False when nothing is found or it failed.
bool search(Runtime& runtime, const Regex& regex, std::string_view text, std::size_t start, OnigRegion* region) {
  const std::unique_ptr<OnigMatchParam, ParamFree> param(onig_new_match_param());
  const OnigUChar* const begin = bytes(text.data());
  const OnigUChar* const end = begin + text.size();
  for (unsigned long retries = kFirstRetries; retries <= kMostRetries; retries *= 8) {
    if (!runtime.spend(retries / 16)) return false;
    onig_initialize_match_param(param.get());
    onig_set_match_stack_limit_size_of_match_param(param.get(), kStackEntries);
    onig_set_retry_limit_in_match_of_match_param(param.get(), retries);
    onig_set_retry_limit_in_search_of_match_param(param.get(), retries);
    const int found = onig_search_with_param(regex.compiled, begin, end, begin + start, end, region, ONIG_OPTION_NONE, param.get());
    if (found >= 0) return true;
    if (found == ONIG_MISMATCH) return false;
    if (found == ONIGERR_RETRY_LIMIT_IN_MATCH_OVER || found == ONIGERR_RETRY_LIMIT_IN_SEARCH_OVER) continue;
    OnigUChar message[ONIG_MAX_ERROR_MESSAGE_LEN];
    const int length = onig_error_code_to_str(message, found);
    runtime.fail("Regex failure: " + std::string(reinterpret_cast<const char*>(message), static_cast<std::size_t>(length)));
    return false;
  }
  runtime.fail("Regex failure: the pattern needs too many steps on this text");
  return false;
}

/// Turns byte offsets into code point offsets; cheap for offsets that mostly grow.
class Offsets {
 public:
  explicit Offsets(std::string_view text) : text_(text) {}
  std::int64_t of(std::size_t byte) {
    if (byte < at_) {
      at_ = 0;
      points_ = 0;
    }
    points_ += static_cast<std::int64_t>(count_code_points(text_.substr(at_, byte - at_)));
    at_ = byte;
    return points_;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  std::int64_t points_ = 0;
};

Value match_object(std::string_view text, const OnigRegion& region, const Regex& regex, Offsets& offsets) {
  static const Value kOffset("offset");
  static const Value kLength("length");
  static const Value kString("string");
  static const Value kCaptures("captures");
  static const Value kName("name");
  const auto describe_group = [&](std::size_t group) {
    Value out = Value::object();
    const bool took_part = region.beg[group] >= 0;
    const auto begin = took_part ? static_cast<std::size_t>(region.beg[group]) : 0;
    const auto end = took_part ? static_cast<std::size_t>(region.end[group]) : 0;
    const auto part = text.substr(begin, end - begin);
    out.set_shared(kOffset, took_part ? offsets.of(begin) : std::int64_t{-1});
    out.set_shared(kLength, static_cast<std::int64_t>(count_code_points(part)));
    out.set_shared(kString, took_part ? Value(part) : Value());
    return out;
  };
  Value whole = describe_group(0);
  Value captures = Value::array();
  for (std::size_t group = 1; group < static_cast<std::size_t>(region.num_regs); ++group) {
    Value capture = describe_group(group);
    const auto& name = regex.names[group - 1];
    capture.set_shared(kName, name.empty() ? Value() : Value(name));
    captures.push_back(std::move(capture));
  }
  whole.set_shared(kCaptures, std::move(captures));
  return whole;
}

/// Calls `visit(region)` for each match until it gives false.
template <class Visit>
void each_match(Runtime& runtime, const Value& input, const Value& pattern, const Value& flags, bool always_global, const Visit& visit) {
  if (!input.is_string()) {
    runtime.fail(describe(input) + " cannot be matched, as it is not a string");
    return;
  }
  if (!pattern.is_string()) {
    runtime.fail(describe(pattern) + " cannot be matched, as it is not a string");
    return;
  }
  if (!flags.is_string() && !flags.is_null()) {
    runtime.fail(describe(flags) + " is not a string");
    return;
  }
  const Regex* regex = runtime.regexes().find(runtime, pattern.as_string(), flags.is_string() ? flags.as_string() : "");
  if (!regex) return;
  const auto text = input.as_string();
  const std::unique_ptr<OnigRegion, RegionFree> region(onig_region_new());
  for (std::size_t start = 0; start <= text.size();) {
    if (!search(runtime, *regex, text, start, region.get())) return;
    if (!visit(*regex, *region)) return;
    if (!regex->global && !always_global) return;
    const auto begin = static_cast<std::size_t>(region->beg[0]);
    start = static_cast<std::size_t>(region->end[0]);
    if (start == begin) {
      if (start >= text.size()) return;
      static_cast<void>(next_code_point(text, start));
    }
    if (!runtime.reserve(64 * static_cast<std::size_t>(region->num_regs))) return;
  }
}

Value matches(Runtime& runtime, const Value& input, const Value& pattern, const Value& flags) {
  Value all = Value::array();
  std::optional<Offsets> offsets;
  each_match(runtime, input, pattern, flags, false, [&](const Regex& regex, const OnigRegion& region) {
    if (!offsets) offsets.emplace(input.as_string());
    all.push_back(match_object(input.as_string(), region, regex, *offsets));
    return runtime.reserve(static_cast<std::size_t>(region.num_regs) * 400);
  });
  return all;
}

Value tested(Runtime& runtime, const Value& input, const Value& pattern, const Value& flags) {
  bool found = false;
  each_match(runtime, input, pattern, flags, false, [&](const Regex&, const OnigRegion&) {
    found = true;
    return false;
  });
  return found;
}

/// The forms with one argument also take `[pattern, flags]`.
bool unpack(Runtime& runtime, const Value& argument, Value& pattern, Value& flags) {
  if (argument.is_string()) {
    pattern = argument;
    return true;
  }
  if (argument.is_array() && !argument.empty()) {
    pattern = argument.at(0);
    if (argument.size() > 1) flags = argument.at(1);
    return true;
  }
  runtime.fail(std::string(kind_name(argument)) + " not a string or array");
  return false;
}

Value match_1(Runtime& runtime, Arguments in) {
  Value pattern;
  Value flags;
  return unpack(runtime, in[1], pattern, flags) ? matches(runtime, in[0], pattern, flags) : Value();
}
Value match_2(Runtime& runtime, Arguments in) { return matches(runtime, in[0], in[1], in[2]); }
Value test_1(Runtime& runtime, Arguments in) {
  Value pattern;
  Value flags;
  return unpack(runtime, in[1], pattern, flags) ? tested(runtime, in[0], pattern, flags) : Value();
}
Value test_2(Runtime& runtime, Arguments in) { return tested(runtime, in[0], in[1], in[2]); }

/// `{name: string}` of the named groups of a match.
Value capture_object(Runtime&, Arguments in) {
  Value object = Value::object();
  const Value& captures = in[0].get("captures");
  if (!captures.is_array()) return object;
  for (const auto& capture : captures.items()) {
    if (capture.get("name").is_string()) object.set_shared(capture.get("name"), capture.get("string"));
  }
  return object;
}

Value split_2(Runtime& runtime, Arguments in) {
  Value parts = Value::array();
  std::size_t begin = 0;
  each_match(runtime, in[0], in[1], in[2], true, [&](const Regex&, const OnigRegion& region) {
    const auto text = in[0].as_string();
    parts.push_back(Value(text.substr(begin, static_cast<std::size_t>(region.beg[0]) - begin)));
    begin = static_cast<std::size_t>(region.end[0]);
    return runtime.reserve(64);
  });
  if (!runtime.ok()) return {};
  parts.push_back(Value(in[0].as_string().substr(begin)));
  return parts;
}

/// `_substitute(matches; inserts)`: the input with each match replaced. `inserts[m]` are the results for match m; result i of the whole
/// takes the i-th of each.
Value substitute(Runtime& runtime, Arguments in) {
  const auto text = in[0].as_string();
  const Value& found = in[1];
  const Value& inserts = in[2];
  std::size_t results = 0;
  for (const auto& choices : inserts.items()) results = std::max(results, choices.size());
  if (results == 0) return Value::array({in[0]});
  Value out = Value::array();
  for (std::size_t i = 0; i < results; ++i) {
    std::string built;
    std::size_t begin = 0;    // byte after the previous match
    std::int64_t points = 0;  // and the same in code points
    for (std::size_t m = 0; m < found.size(); ++m) {
      const Value& match = found.at(m);
      const std::int64_t offset = match.get("offset").as_integer();
      const std::size_t gap = byte_offset(text.substr(begin), static_cast<std::size_t>(offset - points));
      if (i < inserts.at(m).size()) {
        const Value& insert = inserts.at(m).at(i);
        if (!insert.is_string()) {
          return runtime.fail(describe(Value(std::string(text.substr(begin, gap)))) + " and " + describe(insert) + " cannot be added");
        }
        if (!runtime.reserve(gap + insert.size())) return {};
        built += text.substr(begin, gap);
        built += insert.as_string();
      }
      begin += gap + match.get("string").size();
      points = offset + match.get("length").as_integer();
    }
    if (!runtime.reserve(text.size() - begin)) return {};
    built += text.substr(begin);
    out.push_back(Value(std::move(built)));
  }
  return out;
}

constexpr Native kNatives[] = {
    {"_match", 1, match_1},
    {"_match", 2, match_2},
    {"test", 1, test_1},
    {"test", 2, test_2},
    {"_capture_object", 0, capture_object},
    {"split", 2, split_2},
    {"_substitute", 2, substitute},
};

}  // namespace

const Regex* RegexCache::find(Runtime& runtime, std::string_view pattern, std::string_view flags) {
  const auto key = std::make_pair(std::string(pattern), std::string(flags));
  if (const auto known = patterns_.find(key); known != patterns_.end()) return known->second.get();
  if (pattern.size() > kLongestPattern) {
    runtime.fail("Regex failure: the pattern is too long");
    return nullptr;
  }
  prepare();
  if (!runtime.spend(200 + pattern.size() * 4)) return nullptr;
  auto regex = std::make_unique<Regex>();
  OnigOptionType options = ONIG_OPTION_NONE;
  if (!read_flags(runtime, flags, options, regex->global)) return nullptr;
  OnigErrorInfo info;
  const OnigUChar* const begin = bytes(pattern.data());
  const int status = onig_new(&regex->compiled, begin, begin + pattern.size(), options, ONIG_ENCODING_UTF8, ONIG_SYNTAX_PERL_NG, &info);
  if (status != ONIG_NORMAL) {
    regex->compiled = nullptr;
    OnigUChar message[ONIG_MAX_ERROR_MESSAGE_LEN];
    const int length = onig_error_code_to_str(message, status, &info);
    runtime.fail(std::string(pattern.substr(0, 200)) + " (at offset 0) is not a valid regex: " +
                 std::string(reinterpret_cast<const char*>(message), static_cast<std::size_t>(length)));
    return nullptr;
  }
  regex->names.resize(static_cast<std::size_t>(onig_number_of_captures(regex->compiled)));
  onig_foreach_name(regex->compiled, remember_name, &regex->names);
  if (patterns_.size() >= kMostPatterns) patterns_.clear();
  return patterns_.emplace(key, std::move(regex)).first->second.get();
}

std::span<const Native> regex_natives() { return kNatives; }

}  // namespace pawl::jq::detail
