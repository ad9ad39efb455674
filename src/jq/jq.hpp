/// The expression language: jq 1.7, without what reads streams, files, the environment or the clock.
///
///     PAWL_TRY(program, jq::compile(".items | map(.price) | add"));
///     PAWL_TRY(total, jq::first(program, order, {}));
///
/// `compile` makes an immutable `Program`; an `Evaluation` runs it on one input and hands out its results one at a time. Nothing an
/// expression does can hang, exhaust memory or overflow the stack: each ends with an error once its limits are reached.
///
/// Differences from jq 1.7 that matter to users are listed in `docs/jq.md`: integers keep 64 bits, there are no modules, `now` is given.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/error.hpp"
#include "base/time.hpp"
#include "json/value.hpp"

namespace pawl::jq {

namespace detail {
struct Code;
class Machine;
}  // namespace detail

/// A compiled expression. Immutable, cheap to copy (shared), and safe to run from several threads at once.
class Program {
 public:
  /// What is known without running it, for callers that want to skip work.
  [[nodiscard]] bool uses_now() const noexcept;
  /// Gives the same results whatever the input and the variables are, and cannot use `now`. It may still be an error.
  [[nodiscard]] bool is_constant() const noexcept;
  /// Whether the expression mentions the variable at `index` of the list that `compile` got.
  [[nodiscard]] bool uses_variable(std::size_t index) const noexcept;

 private:
  friend Result<Program> compile(std::string_view, std::span<const std::string_view>);
  friend class Evaluation;
  friend Result<json::Value> first(const Program&, json::Value, const struct Context&);
  explicit Program(std::shared_ptr<const detail::Code> code) : code_(std::move(code)) {}
  std::shared_ptr<const detail::Code> code_;
};

/// Compiles `source`. `variables` are the names (without `$`) that the expression may use without binding them, in the order in
/// which `Context::variables` gives their values.
///
/// Errors: `jq.syntax`; `jq.unknown` for a function or variable that does not exist (the finding carries a suggestion where a name is near)
/// or that is not available here (modules, environment, files). Each has one finding with line, column and message; both count from 1.
[[nodiscard]] Result<Program> compile(std::string_view source, std::span<const std::string_view> variables = {});

struct Limits {
  std::uint64_t fuel = 10'000'000;           ///< VM instructions; built-in functions also spend by the size of what they work on
  std::int64_t memory_bytes = 256LL << 20U;  ///< bytes that the evaluation may hold, beyond its input
};

struct Context {
  std::span<const json::Value> variables{};  ///< one for each name given to `compile`; missing ones are null
  std::optional<TimePoint> now{};            ///< what `now` returns; without it `now` is an error
  Limits limits{};
};

/// One run of a program: a generator of results. Not thread-safe. Keeps copies of all it needs: nothing of the caller's is
/// referenced after construction.
class Evaluation {
 public:
  Evaluation(Program program, json::Value input, const Context& context);
  Evaluation(Evaluation&&) noexcept;
  Evaluation& operator=(Evaluation&&) noexcept;
  ~Evaluation();

  /// The next result; nothing at the end; or the error that ended it. After the end or an error it stays at the end.
  /// Codes: `jq.error` (raised by the expression; the message is the one that `catch` would see), `jq.fuel`, `jq.memory`.
  [[nodiscard]] Result<std::optional<json::Value>> next();
  /// The value that was raised, when `next` has returned `jq.error`: `error({a: 1})` raises an object. Null otherwise.
  [[nodiscard]] const json::Value& error_value() const noexcept { return error_value_; }

 private:
  Program program_;
  std::unique_ptr<detail::Machine> machine_;  // nothing for the simple programs that need no VM
  json::Value input_;
  json::Value error_value_;
  std::vector<json::Value> variables_;
  bool done_ = false;
};

/// The first result; null if there is none. Skips the VM for simple programs (paths, constants, variables).
[[nodiscard]] Result<json::Value> first(const Program& program, json::Value input, const Context& context);

}  // namespace pawl::jq
