/// Runtime expressions and data templates, compiled once per plan and evaluated by the machine.
///
/// An `Expression` is a jq program plus the names of the variables that it really uses; a `Template` is data in which text may be an
/// expression (`${ ... }`) or contain some ("interpolation"). Both are immutable and shared between runs and threads. Evaluation is pure.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "jq/jq.hpp"
#include "json/value.hpp"

namespace pawl::dsl {

/// Where an expression finds the values of its variables (`$context`, `$input`, loop variables ...). Names come without `$`.
class Scope {
 public:
  Scope() = default;
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  virtual ~Scope() = default;
  /// Called only for variables that were declared when the expression was compiled.
  [[nodiscard]] virtual json::Value variable(std::string_view name) const = 0;
  /// The recorded time that `now` yields.
  [[nodiscard]] virtual TimePoint now() const = 0;
};

/// A compiled jq expression.
class Expression {
 public:
  /// `visible`: names of the variables in scope. Error as `jq::compile`; findings are relative to `source`.
  [[nodiscard]] static Result<Expression> compile(std::string_view source, const std::vector<std::string>& visible);

  /// First result, or null. Error: code, message of jq.
  [[nodiscard]] Result<json::Value> evaluate(const json::Value& input, const Scope& scope) const;
  /// jq's truth of the first result.
  [[nodiscard]] Result<bool> test(const json::Value& input, const Scope& scope) const;
  [[nodiscard]] const std::string& source() const { return source_; }

  [[nodiscard]] const jq::Program& program() const { return program_; }

 private:
  Expression(std::string source, jq::Program program, std::vector<std::string> variables)
      : source_(std::move(source)), program_(std::move(program)), variables_(std::move(variables)) {}
  std::string source_;
  jq::Program program_;
  std::vector<std::string> variables_;  // those that the source mentions, in the program's order
};

/// Data with expressions in it.
class Template {
 public:
  struct Part {  // of an interpolated text: literal, or an expression whose result is appended (text as it is, the rest as JSON)
    std::string literal;
    std::optional<Expression> expression;
  };
  struct ArrayOf {
    std::vector<Template> items;
  };
  struct ObjectOf {
    std::vector<std::pair<std::string, Template>> members;
  };
  struct Loose {  // of `evaluate.mode: loose`: the text itself where the expression fails
    Expression expression;
    std::string text;
  };
  using Node =
      std::variant<json::Value, Expression, std::vector<Part>, std::shared_ptr<const ArrayOf>, std::shared_ptr<const ObjectOf>, Loose>;

  Template() = default;  ///< the constant null
  explicit Template(Node node) : node_(std::move(node)) {}

  [[nodiscard]] Result<json::Value> evaluate(const json::Value& input, const Scope& scope) const;
  /// True where evaluation cannot depend on anything: `constant()` is the value.
  [[nodiscard]] bool is_constant() const { return std::holds_alternative<json::Value>(node_); }
  [[nodiscard]] const json::Value& constant() const { return std::get<json::Value>(node_); }
  [[nodiscard]] const Node& node() const { return node_; }

 private:
  Node node_;
};

/// A duration as a document writes it, evaluated: an object of days ... milliseconds, ISO 8601 or short text (`30s`, `1h30m`, `500ms`),
/// or a number of seconds. Error `dsl.duration`. Negative and absurd values (> 100 years) are errors.
[[nodiscard]] Result<Millis> to_duration(const json::Value& value);

}  // namespace pawl::dsl
