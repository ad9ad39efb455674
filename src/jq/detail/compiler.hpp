/// Syntax tree to bytecode.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/error.hpp"
#include "jq/detail/ast.hpp"
#include "jq/detail/bytecode.hpp"

namespace pawl::jq::detail {

/// What a name means at one place of the source. Scopes are lists that share their tails, so an argument can be compiled later in the scope
/// it was written in.
struct Binding {
  enum class Kind : std::uint8_t { variable, label, function, parameter, inlined };
  Kind kind = Kind::variable;
  std::string_view name;
  std::size_t arity = 0;
  int level = 0;                            // of the frame that holds the slot, or that the function is defined in
  std::uint32_t slot = 0;                   // variable, label, parameter; function: number of its proto
  const Node* argument = nullptr;           // inlined: the expression that the name stands for,
  const Binding* argument_scope = nullptr;  // and where it was written
  bool in_prelude = false;                  // whether that was one of our own functions
  const Binding* next = nullptr;
};

class Compiler {
 public:
  Compiler(std::string_view source, std::span<const std::string_view> variables);
  [[nodiscard]] Result<std::shared_ptr<const Code>> compile(const Node& root);

 private:
  using Scope = const Binding*;
  using Done = Result<void>;
  struct Buffer {
    std::vector<Instruction> code;
    std::uint32_t slots = 0;
    std::uint32_t parameters = 0;
    int level = 0;
  };
  class Position;

  // Expressions: each consumes its input on the stack and leaves its result.
  Done emit(const Node& node, Scope scope);
  Done emit_under(const Node& node, Scope scope);  // keeps the input, puts the result below it
  Done emit_aside(const Node& node, Scope scope);  // like emit, without path tracking
  Done emit_access(const Node& node, Scope scope);
  Done emit_binary(const Node& node, Scope scope);
  Done emit_text(const Node& node, Scope scope);
  Done emit_logical(const Node& node, Scope scope);
  Done emit_alternative(const Node& node, Scope scope);
  Done emit_comma(const Node& node, Scope scope);
  Done emit_array(const Node& node, Scope scope);
  Done emit_object(const Node& node, Scope scope);
  Done emit_conditional(const Node& node, Scope scope);
  Done emit_try(const Node& node, Scope scope);
  Done emit_reduce(const Node& node, Scope scope);
  Done emit_foreach(const Node& node, Scope scope);
  Done emit_label(const Node& node, Scope scope);
  Done emit_break(const Node& node, Scope scope);
  Done emit_variable(const Node& node, Scope scope);
  Done emit_define(const Node& node, Scope scope);
  Done emit_bind(const Node& node, Scope scope);

  // Patterns.
  Done declare(const Pattern& pattern, Scope& scope);
  Done emit_patterns(std::span<const Pattern* const> patterns, Scope outer, Scope& inner, std::optional<std::uint32_t>& attempt);
  Done emit_pattern(const Pattern& pattern, Scope outer, Scope inner);

  // Calls.
  Done emit_call(const Node& node, Scope scope);
  Done emit_proto_call(const Node& node, Scope scope, const Binding& function);
  Done emit_argument(const Node& argument, Scope scope);
  Done emit_native(const Node& node, Scope scope, int native);
  Done emit_inlined(const Node& node, Scope scope, const Function& function);
  Done emit_prelude(const Node& node, Scope scope, const Function& function);
  std::optional<Done> emit_special(const Node& node, Scope scope);
  Done unknown_function(const Node& node, Scope scope);
  Done compile_function(const Function& function, std::uint32_t proto, int level, Scope scope);
  Result<std::uint32_t> closure_proto(const Node& body, Scope scope);

  // Functions with code of their own (compiler_special.cpp).
  Done emit_recurse(const Node& step, Scope scope);
  Done emit_repeat(const Node& body, Scope scope);
  Done emit_loop_body(const Node& body, Scope scope);
  bool slot_free(const Node& node, Scope scope) const;
  Done emit_while(const Node& node, Scope scope);
  Done emit_until(const Node& node, Scope scope);
  Done emit_first(const Node& generator, Scope scope);
  Done emit_last(const Node& generator, Scope scope);
  Done emit_limit(const Node& node, Scope scope);
  Done emit_skip(const Node& node, Scope scope);
  Done emit_is_empty(const Node& generator, Scope scope);
  Done emit_any(const Node& generator, const Node& condition, Scope scope, bool all);
  Done emit_range(const Node& node, Scope scope);
  Done emit_path(const Node& node, Scope scope);  // [v] -> [path]
  bool is_single_path(const Node& node, Scope scope) const;
  Done emit_single_path(const Node& target, std::int32_t state, Scope scope);
  Done emit_assign(const Node& target, const Node& value, Scope scope);
  Done emit_update(const Node& target, const Node& change, Scope scope);
  Done emit_operator_update(const Node& node, Scope scope);
  template <class EmitChange>
  Done emit_update_with(const Node& target, Scope scope, bool single_change, const EmitChange& change);

  // Helpers.
  std::size_t put(Op op, std::int32_t b = 0, std::size_t a = 0, std::uint8_t flag = 0);
  std::size_t here() const { return now_->code.size(); }
  void land(std::size_t jump);  // the jump at this place leads here
  void jump_back(Op op, std::size_t to);
  std::int32_t add_constant(json::Value value);
  std::uint32_t new_slot() { return now_->slots++; }
  const Binding* bind(Binding binding, Scope next);
  const Binding* find_name(std::string_view name, Binding::Kind kind, Scope scope) const;
  const Binding* find_callable(std::string_view name, std::size_t arity, Scope scope) const;
  bool constant_value(const Node& node, json::Value& value) const;
  bool is_single(const Node& node, Scope scope) const;  // exactly one result, or an error; leaves no fork behind
  std::size_t up(int level) const { return static_cast<std::size_t>(now_->level - level); }
  [[nodiscard]] Error error_at(const Node& node, std::string code, std::string message, std::string suggestion = {}) const;
  std::shared_ptr<Code> finish();
  void find_simple(const Node& root);

  std::string_view source_;
  std::span<const std::string_view> variables_;
  std::shared_ptr<Code> code_;
  std::deque<Binding> bindings_;
  std::deque<Buffer> buffers_;
  Buffer* now_ = nullptr;
  std::map<const Function*, std::uint32_t> prelude_protos_;
  int pathless_ = 0;  // > 0: no path tracking can be on here
  bool in_prelude_ = false;
  int depth_ = 0;  // inlining makes the recursion of the compiler deeper than the tree
};

}  // namespace pawl::jq::detail
