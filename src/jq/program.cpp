#include "jq/detail/compiler.hpp"
#include "jq/detail/ops.hpp"
#include "jq/detail/parser.hpp"
#include "jq/detail/vm.hpp"
#include "jq/jq.hpp"

namespace pawl::jq {

namespace {

constexpr std::size_t kLongestSource = 1U << 20U;

Error failure_of(const detail::Runtime& runtime) {
  switch (runtime.failure()) {
    case detail::Runtime::Failure::fuel:
      return Error(ErrorClass::limited, "jq.fuel", "the expression was stopped: it needs more steps than are allowed");
    case detail::Runtime::Failure::memory:
      return Error(ErrorClass::limited, "jq.memory", "the expression was stopped: it needs more memory than is allowed");
    default: break;
  }
  const json::Value& raised = runtime.error();
  std::string message = raised.is_string() ? std::string(raised.as_string()) : detail::describe(raised) + " (not a string)";
  return Error(ErrorClass::unprocessable, "jq.error", std::move(message));
}

/// Runs the programs that need no machine. `raised` gets the error's value.
Result<json::Value> run_simple(const detail::Code& code, json::Value input, std::span<const json::Value> variables, json::Value& raised) {
  switch (code.simple) {
    case detail::Simple::constant: return code.simple_path.front();
    case detail::Simple::variable: return code.simple_variable < variables.size() ? variables[code.simple_variable] : json::Value();
    default: break;
  }
  for (const auto& key : code.simple_path) {
    if (key.is_string() && (input.is_object() || input.is_null())) {
      json::Value next = input.get(key.as_string());
      input = std::move(next);
      continue;
    }
    detail::Runtime runtime(1'000'000, INT64_MAX, std::nullopt);
    json::Value next = detail::index(runtime, input, key);
    if (!runtime.ok()) {
      raised = runtime.error();
      return failure_of(runtime);
    }
    input = std::move(next);
  }
  return input;
}

}  // namespace

bool Program::uses_now() const noexcept { return code_->uses_now; }
bool Program::is_constant() const noexcept { return code_->constant; }
bool Program::uses_variable(std::size_t index) const noexcept {
  return index < code_->used_variables.size() && code_->used_variables[index];
}

Result<Program> compile(std::string_view source, std::span<const std::string_view> variables) {
  if (source.size() > kLongestSource) {
    return Error(ErrorClass::too_large, "jq.syntax", "the expression is longer than " + std::to_string(kLongestSource) + " bytes");
  }
  detail::Tree tree;
  PAWL_TRY(root, detail::Parser(source, tree).program());
  PAWL_TRY(code, detail::Compiler(source, variables).compile(*root));
  return Program(std::move(code));
}

Evaluation::Evaluation(Program program, json::Value input, const Context& context) : program_(std::move(program)) {
  variables_.assign(context.variables.begin(), context.variables.end());
  if (program_.code_->simple != detail::Simple::no) {
    input_ = std::move(input);
    return;
  }
  variables_.resize(std::max(variables_.size(), program_.code_->used_variables.size()));
  machine_ = std::make_unique<detail::Machine>(program_.code_, std::move(input), std::move(variables_), context.limits.fuel,
                                               context.limits.memory_bytes, context.now);
}

Evaluation::Evaluation(Evaluation&&) noexcept = default;
Evaluation& Evaluation::operator=(Evaluation&&) noexcept = default;
Evaluation::~Evaluation() = default;

Result<std::optional<json::Value>> Evaluation::next() {
  if (done_) return std::optional<json::Value>();
  if (!machine_) {
    done_ = true;
    PAWL_TRY(only, run_simple(*program_.code_, std::move(input_), variables_, error_value_));
    return std::optional<json::Value>(std::move(only));
  }
  json::Value result;
  if (machine_->next(result)) return std::optional<json::Value>(std::move(result));
  done_ = true;
  if (machine_->runtime().ok()) return std::optional<json::Value>();
  error_value_ = machine_->runtime().error();
  return failure_of(machine_->runtime());
}

Result<json::Value> first(const Program& program, json::Value input, const Context& context) {
  if (program.code_->simple != detail::Simple::no) {
    json::Value raised;
    return run_simple(*program.code_, std::move(input), context.variables, raised);
  }
  Evaluation evaluation(program, std::move(input), context);
  PAWL_TRY(result, evaluation.next());
  return result ? std::move(*result) : json::Value();
}

}  // namespace pawl::jq
