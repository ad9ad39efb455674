/// What an expression sees: `$context $input $output $task $workflow $runtime $secrets $authorization` and the variables of loops and
/// catches. Everything is looked up when an expression asks for it; nothing is built in advance.
#pragma once

#include <string_view>

#include "dsl/expression.hpp"
#include "engine/machine/detail/state.hpp"

namespace pawl::engine::detail {

class Core;

/// A variable that is not (yet) in the tree of activations.
struct Binding {
  std::string_view name;
  json::Value value;
};

class TaskScope final : public dsl::Scope {
 public:
  /// `at` may be null (workflow level, before the root list exists). The references must outlive the scope.
  TaskScope(const Core& core, const Activation* at, const json::Value& input) : core_(core), at_(at), input_(input) {}
  TaskScope& with_output(const json::Value& output) {
    output_ = &output;
    return *this;
  }
  TaskScope& bind(std::string_view name, json::Value value) {
    (bindings_[0].name.empty() ? bindings_[0] : bindings_[1]) = Binding{name, std::move(value)};
    return *this;
  }

  /// Of the loops and handlers around `at`, as an object.
  [[nodiscard]] json::Value locals() const;
  [[nodiscard]] json::Value variable(std::string_view name) const override;
  [[nodiscard]] TimePoint now() const override;

 private:
  [[nodiscard]] bool find_local(std::string_view name, json::Value& value) const;
  [[nodiscard]] json::Value task_descriptor() const;
  [[nodiscard]] json::Value workflow_descriptor() const;

  const Core& core_;
  const Activation* at_;
  const json::Value& input_;
  const json::Value* output_ = nullptr;
  Binding bindings_[2];
};

}  // namespace pawl::engine::detail
