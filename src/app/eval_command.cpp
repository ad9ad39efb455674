#include <fmt/core.h>

#include <cstdio>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/files.hpp"
#include "base/time.hpp"
#include "jq/jq.hpp"
#include "jq/test_cases.hpp"
#include "json/write.hpp"

namespace pawl::app {
namespace {

int run_tests(const std::string& file) {
  const auto text = read_file(file);
  if (text.has_error()) {
    fmt::print(stderr, "pawl: {}\n", text.error().message);
    return kUsage;
  }
  const auto report = jq::run_test_file(*text);
  for (const auto& failure : report.failures) fmt::print(stderr, "{}:{}: {}\n  {}\n", file, failure.line, failure.program, failure.reason);
  fmt::print("{} passed, {} failed\n", report.passed, report.failed);
  return report.failed == 0 ? kOk : kFailed;
}

struct Arguments {
  std::vector<std::string> names;
  std::vector<json::Value> values;
};

Result<Arguments> read_arguments(const std::string& text) {
  Arguments arguments;
  if (text.empty()) return arguments;
  PAWL_TRY(object, read_json_argument(text, "--args"));
  if (!object.is_object())
    return Error(ErrorClass::invalid, "eval.arguments", "--args must be a JSON object: each member becomes a variable");
  for (const auto& member : object.members()) {
    arguments.names.emplace_back(member.name());
    arguments.values.push_back(member.value);
  }
  return arguments;
}

void print_compile_error(const Error& error) {
  fmt::print(stderr, "pawl: {}\n", error.message);
  for (const auto& finding : error.findings) {
    const auto hint = finding.suggestion.empty() ? std::string() : fmt::format(" (did you mean `{}`?)", finding.suggestion);
    fmt::print(stderr, "  {}:{}: {}{}\n", finding.line, finding.column, finding.message, hint);
  }
}

}  // namespace

int run_eval(const EvalOptions& options) {
  if (!options.test_file.empty()) return run_tests(options.test_file);
  auto input = options.input.empty() ? Result<json::Value>(json::Value()) : read_json_argument(options.input, "--input");
  const auto arguments = read_arguments(options.arguments);
  if (input.has_error() || arguments.has_error()) {
    fmt::print(stderr, "pawl: {}\n", input.has_error() ? input.error().message : arguments.error().message);
    return kUsage;
  }
  const std::vector<std::string_view> names(arguments->names.begin(), arguments->names.end());
  const auto program = jq::compile(options.expression, names);
  if (program.has_error()) {
    print_compile_error(program.error());
    return kEvalCompile;
  }
  jq::Context context;
  context.variables = arguments->values;
  context.now = SystemClock().now();
  jq::Evaluation evaluation(*program, std::move(*input), context);
  std::string line;
  for (;;) {
    const auto result = evaluation.next();
    if (result.has_error()) {
      std::fflush(stdout);
      fmt::print(stderr, "pawl: {}\n", result.error().message);
      return kEvalRuntime;
    }
    if (!*result) return kOk;
    line.clear();
    json::append_text(line, **result);
    line += '\n';
    std::fwrite(line.data(), 1, line.size(), stdout);
  }
}

}  // namespace pawl::app
