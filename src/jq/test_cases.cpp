#include "jq/test_cases.hpp"

#include "jq/detail/ops.hpp"
#include "jq/jq.hpp"

namespace pawl::jq {
namespace {

class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}
  [[nodiscard]] bool next(std::string_view& line) {
    if (at_ >= text_.size()) return false;
    const auto end = text_.find('\n', at_);
    line = text_.substr(at_, end == std::string_view::npos ? end : end - at_);
    at_ = end == std::string_view::npos ? text_.size() : end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number_;
    return true;
  }
  /// The next line, unless the case ends.
  [[nodiscard]] bool next_of_case(std::string_view& line) {
    while (next(line)) {
      if (is_comment(line)) continue;
      return !is_blank(line);
    }
    return false;
  }
  [[nodiscard]] std::size_t number() const { return number_; }

  static bool is_blank(std::string_view line) { return line.find_first_not_of(" \t") == std::string_view::npos; }
  static bool is_comment(std::string_view line) {
    const auto first = line.find_first_not_of(" \t");
    return first != std::string_view::npos && line[first] == '#';
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t number_ = 0;
};

/// Test files spell inputs that JSON does not have (nan, infinities).
std::optional<json::Value> read_value(std::string_view text) {
  detail::Runtime runtime(100'000'000, INT64_MAX, std::nullopt);
  json::Value value = detail::parse_json(runtime, text);
  if (!runtime.ok()) return std::nullopt;
  return value;
}

/// Empty when the case passes, else the reason.
std::string run_case(std::string_view source, std::string_view input_text, const std::vector<std::string_view>& expected) {
  auto program = compile(source);
  if (program.has_error()) return "does not compile: " + program.error().message;
  auto input = read_value(input_text);
  if (!input) return "the input is no JSON";
  detail::Runtime runtime(UINT64_MAX, INT64_MAX, std::nullopt);
  Evaluation evaluation(program.value(), std::move(*input), Context{});
  for (std::size_t i = 0;; ++i) {
    auto result = evaluation.next();
    if (result.has_error()) {
      if (i == expected.size()) return {};  // an error after the expected results is not looked at, as in jq's own runner
      return "expected " + std::string(expected[i]) + ", but got the error: " + result.error().message;
    }
    if (!result.value()) {
      return i == expected.size() ? std::string() : "expected " + std::string(expected[i]) + ", but there are no more results";
    }
    const std::string text = detail::to_json(runtime, *result.value()).substr(0, 300);
    if (i == expected.size()) return "unexpected result " + text;
    const auto wanted = read_value(expected[i]);
    if (!wanted) return "the expected result is no JSON: " + std::string(expected[i]);
    if (!detail::equal(runtime, *wanted, *result.value())) return "expected " + std::string(expected[i]) + ", but got " + text;
  }
}

std::string run_failing_case(std::string_view source) {
  return compile(source).has_error() ? std::string() : "compiles, though it must not";
}

}  // namespace

RunReport run_test_file(std::string_view text) {
  RunReport report;
  Lines lines(text);
  std::string_view line;
  while (lines.next(line)) {
    if (Lines::is_blank(line) || Lines::is_comment(line)) continue;
    std::string_view source = line;
    std::size_t number = lines.number();
    std::string reason;
    if (line.starts_with("%%FAIL")) {
      if (!lines.next(source)) break;
      number = lines.number();
      std::string_view ignored;
      while (lines.next(ignored) && !Lines::is_blank(ignored)) {
      }
      reason = run_failing_case(source);
    } else {
      std::string_view input;
      std::vector<std::string_view> expected;
      if (!lines.next_of_case(input)) {
        reason = "the input is missing";
      } else {
        std::string_view output;
        while (lines.next_of_case(output)) expected.push_back(output);
        reason = run_case(source, input, expected);
      }
    }
    if (reason.empty()) {
      ++report.passed;
    } else {
      ++report.failed;
      report.failures.push_back({number, std::string(source), std::move(reason)});
    }
  }
  return report;
}

}  // namespace pawl::jq
