#include "json/parse.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <vector>

namespace pawl::json {
namespace {

/// Builds values from the parser's events. Containers under construction live on a stack, so nesting costs no call stack here.
class Builder {
 public:
  static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_string_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_key_size = std::numeric_limits<std::size_t>::max();
  using Code = boost::system::error_code;
  using Text = boost::json::string_view;

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code&) {
    open_.push_back({Value::object(), {}});
    return true;
  }
  bool on_object_end(std::size_t, Code&) { return close(); }
  bool on_array_begin(Code&) {
    open_.push_back({Value::array(), {}});
    return true;
  }
  bool on_array_end(std::size_t, Code&) { return close(); }
  bool on_key_part(Text part, std::size_t, Code&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_key(Text part, std::size_t, Code&) {
    text_.append(part.data(), part.size());
    open_.back().key = Value(std::exchange(text_, {}));
    return true;
  }
  bool on_string_part(Text part, std::size_t, Code&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_string(Text part, std::size_t, Code&) {
    text_.append(part.data(), part.size());
    return add(Value(std::exchange(text_, {})));
  }
  bool on_number_part(Text part, Code&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_int64(std::int64_t value, Text, Code&) {
    text_.clear();
    return add(value);
  }
  bool on_uint64(std::uint64_t value, Text, Code&) {
    text_.clear();
    return add(value);
  }
  bool on_double(double approximate, Text part, Code&) {
    // Boost 1.81 rounds some doubles wrongly in the last place; the text is read again, exactly.
    text_.append(part.data(), part.size());
    double exact = approximate;
    const auto [end, failure] = std::from_chars(text_.data(), text_.data() + text_.size(), exact);
    if (failure == std::errc::result_out_of_range) exact = approximate;
    text_.clear();
    return add(exact);
  }
  bool on_bool(bool value, Code&) { return add(value); }
  bool on_null(Code&) { return add(nullptr); }
  bool on_comment_part(Text, Code&) { return true; }
  bool on_comment(Text, Code&) { return true; }

  Value take() { return std::move(root_); }

 private:
  struct Open {
    Value container;
    Value key;  // of the member being read
  };

  bool add(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().container.is_array()) {
      open_.back().container.push_back(std::move(value));
    } else {
      open_.back().container.set_shared(open_.back().key, std::move(value));
    }
    return true;
  }
  bool close() {
    Value done = std::move(open_.back().container);
    open_.pop_back();
    return add(std::move(done));
  }

  std::vector<Open> open_;
  std::string text_;
  Value root_;
};

Error syntax_error(std::string_view text, std::size_t offset, const std::string& what) {
  Finding finding;
  finding.line = 1;
  finding.column = 1;
  for (std::size_t i = 0; i < offset && i < text.size(); ++i) {
    if (text[i] == '\n') {
      ++finding.line;
      finding.column = 1;
    } else {
      ++finding.column;
    }
  }
  finding.message = what;
  finding.rule = "json-syntax";
  auto message = "not valid JSON at line " + std::to_string(finding.line) + ", column " + std::to_string(finding.column) + ": " + what;
  return Error(ErrorClass::invalid, "json.syntax", std::move(message), {std::move(finding)});
}

}  // namespace

Result<Value> parse(std::string_view text, const ParseLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return Error(ErrorClass::too_large, "json.too_large", "the JSON text is larger than " + std::to_string(limits.max_bytes) + " bytes");
  }
  boost::json::parse_options options;
  options.max_depth = limits.max_depth;
  boost::json::basic_parser<Builder> parser(options);
  boost::system::error_code failure;
  const auto used = parser.write_some(false, text.data(), text.size(), failure);
  if (!failure && used < text.size()) return syntax_error(text, used, "text after the end of the value");
  if (failure == boost::json::error::too_deep) {
    return Error(ErrorClass::invalid, "json.too_deep", "the JSON text is nested deeper than " + std::to_string(limits.max_depth));
  }
  if (failure) return syntax_error(text, used, failure.message());
  return parser.handler().take();
}

}  // namespace pawl::json
