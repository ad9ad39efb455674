/// What binds names: `as` with its patterns, `reduce`, `foreach`, `def`.
#include "jq/detail/compiler.hpp"

namespace pawl::jq::detail {

/// Pauses path tracking for the code emitted in its lifetime.
class Compiler::Position {
 public:
  explicit Position(Compiler& compiler) : compiler_(compiler), needed_(compiler.pathless_ == 0) {
    if (needed_) compiler_.put(Op::inside);
    ++compiler_.pathless_;
  }
  Position(const Position&) = delete;
  Position& operator=(const Position&) = delete;
  ~Position() {
    --compiler_.pathless_;
    if (needed_) compiler_.put(Op::outside);
  }

 private:
  Compiler& compiler_;
  bool needed_;
};

Compiler::Done Compiler::declare(const Pattern& pattern, Scope& scope) {
  const auto add = [&](std::string_view name) {
    Binding variable;
    variable.kind = Binding::Kind::variable;
    variable.name = name;
    variable.level = now_->level;
    variable.slot = new_slot();
    scope = bind(variable, scope);
  };
  switch (pattern.kind) {
    case Pattern::Kind::variable: add(pattern.name); break;
    case Pattern::Kind::array:
      for (const auto* item : pattern.items) PAWL_TRY_VOID(declare(*item, scope));
      break;
    case Pattern::Kind::object:
      for (const auto& entry : pattern.entries) {
        if (!entry.variable.empty()) add(entry.variable);
        if (entry.value) PAWL_TRY_VOID(declare(*entry.value, scope));
      }
      break;
  }
  return {};
}

Compiler::Done Compiler::emit_pattern(const Pattern& pattern, Scope outer, Scope inner) {
  const auto store = [&](std::string_view name) {
    put(Op::store, static_cast<std::int32_t>(find_name(name, Binding::Kind::variable, inner)->slot));
  };
  switch (pattern.kind) {
    case Pattern::Kind::variable: store(pattern.name); return {};
    case Pattern::Kind::array:
      for (std::size_t i = 0; i < pattern.items.size(); ++i) {
        if (i + 1 < pattern.items.size()) put(Op::duplicate);
        put(Op::index_constant, add_constant(static_cast<std::int64_t>(i)));
        PAWL_TRY_VOID(emit_pattern(*pattern.items[i], outer, inner));
      }
      return {};
    case Pattern::Kind::object: break;
  }
  for (const auto& entry : pattern.entries) {
    put(Op::duplicate);
    if (!entry.key) {
      put(Op::index_constant, add_constant(entry.variable));
    } else if (entry.key->kind == NodeKind::constant) {
      put(Op::index_constant, add_constant(entry.key->value));
    } else {
      PAWL_TRY_VOID(emit_under(*entry.key, outer));
      put(Op::index);
    }
    if (!entry.variable.empty()) {
      if (entry.value) put(Op::duplicate);
      store(entry.variable);
    }
    if (entry.value) PAWL_TRY_VOID(emit_pattern(*entry.value, outer, inner));
  }
  put(Op::pop);
  return {};
}

/// Takes the value on the stack apart. With several patterns (`?//`) each but the last is tried: an error in it, or in what
/// follows up to the `try_end` of `attempt`, leads to the next.
Compiler::Done Compiler::emit_patterns(std::span<const Pattern* const> patterns, Scope outer, Scope& inner,
                                       std::optional<std::uint32_t>& attempt) {
  inner = outer;
  if (patterns.size() == 1) {
    PAWL_TRY_VOID(declare(*patterns[0], inner));
    if (patterns[0]->kind == Pattern::Kind::variable) return emit_pattern(*patterns[0], outer, inner);
    const Position inside(*this);
    return emit_pattern(*patterns[0], outer, inner);
  }
  const std::uint32_t first = now_->slots;
  for (const auto* pattern : patterns) PAWL_TRY_VOID(declare(*pattern, inner));
  // A name of several patterns is one variable: the binding found first.
  const std::uint32_t end = now_->slots;
  const std::int32_t null = add_constant(json::Value());
  attempt = new_slot();
  std::vector<std::size_t> bodies;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    for (std::uint32_t slot = first; slot < end; ++slot) put(Op::store_constant, null, slot);
    const bool last = i + 1 == patterns.size();
    std::size_t next = 0;
    if (last) {
      put(Op::store_constant, add_constant(-1), *attempt);
    } else {
      next = put(Op::try_begin, 0, *attempt);
    }
    {
      const Position inside(*this);
      PAWL_TRY_VOID(emit_pattern(*patterns[i], outer, inner));
    }
    if (last) break;
    bodies.push_back(put(Op::jump));
    land(next);
  }
  for (const auto body : bodies) land(body);
  return {};
}

Compiler::Done Compiler::emit_bind(const Node& node, Scope scope) {
  Scope inner = scope;
  std::optional<std::uint32_t> attempt;
  json::Value constant;
  if (node.patterns.size() == 1 && node.patterns[0]->kind == Pattern::Kind::variable && constant_value(*node.kids[0], constant)) {
    PAWL_TRY_VOID(declare(*node.patterns[0], inner));
    put(Op::store_constant, add_constant(std::move(constant)), inner->slot);
  } else {
    put(Op::duplicate);
    PAWL_TRY_VOID(emit_aside(*node.kids[0], scope));
    PAWL_TRY_VOID(emit_patterns(node.patterns, scope, inner, attempt));
  }
  PAWL_TRY_VOID(emit(*node.kids[1], inner));
  if (attempt) put(Op::try_end, static_cast<std::int32_t>(*attempt));
  return {};
}

Compiler::Done Compiler::emit_reduce(const Node& node, Scope scope) {
  const auto state = static_cast<std::int32_t>(new_slot());
  put(Op::duplicate);
  PAWL_TRY_VOID(emit(*node.kids[1], scope));
  put(Op::store, state);
  const std::size_t done = put(Op::fork);
  PAWL_TRY_VOID(emit(*node.kids[0], scope));
  Scope inner = scope;
  std::optional<std::uint32_t> attempt;
  PAWL_TRY_VOID(emit_patterns(node.patterns, scope, inner, attempt));
  put(Op::push_take, state);
  PAWL_TRY_VOID(emit(*node.kids[2], inner));
  if (attempt) put(Op::try_end, static_cast<std::int32_t>(*attempt));
  put(Op::store, state);
  put(Op::backtrack);
  land(done);
  put(Op::take, state);
  return {};
}

Compiler::Done Compiler::emit_foreach(const Node& node, Scope scope) {
  const auto state = static_cast<std::int32_t>(new_slot());
  put(Op::duplicate);
  PAWL_TRY_VOID(emit(*node.kids[1], scope));
  put(Op::store, state);
  PAWL_TRY_VOID(emit(*node.kids[0], scope));
  Scope inner = scope;
  std::optional<std::uint32_t> attempt;
  PAWL_TRY_VOID(emit_patterns(node.patterns, scope, inner, attempt));
  put(Op::push_take, state);
  PAWL_TRY_VOID(emit(*node.kids[2], inner));
  put(Op::duplicate);
  put(Op::store, state);
  if (node.kids[3]) PAWL_TRY_VOID(emit(*node.kids[3], inner));
  if (attempt) put(Op::try_end, static_cast<std::int32_t>(*attempt));
  return {};
}

Compiler::Done Compiler::emit_define(const Node& node, Scope scope) {
  Binding function;
  function.kind = Binding::Kind::function;
  function.name = node.function->name;
  function.arity = node.function->parameters.size();
  function.level = now_->level;
  function.slot = static_cast<std::uint32_t>(buffers_.size());
  buffers_.emplace_back();
  const Scope inner = bind(function, scope);
  PAWL_TRY_VOID(compile_function(*node.function, function.slot, now_->level + 1, inner));
  return emit(*node.kids[0], inner);
}

Compiler::Done Compiler::compile_function(const Function& function, std::uint32_t proto, int level, Scope scope) {
  Buffer* const caller = now_;
  const int pathless = std::exchange(pathless_, 0);
  now_ = &buffers_[proto];
  now_->level = level;
  now_->parameters = static_cast<std::uint32_t>(function.parameters.size());
  now_->slots = now_->parameters;
  for (std::uint32_t i = 0; i < now_->parameters; ++i) {
    Binding parameter;
    parameter.kind = Binding::Kind::parameter;
    parameter.name = function.parameters[i].name;
    parameter.level = level;
    parameter.slot = i;
    scope = bind(parameter, scope);
  }
  // `$name`: its value is taken at the start, once for each result of the argument.
  for (std::uint32_t i = 0; i < now_->parameters; ++i) {
    if (!function.parameters[i].is_value) continue;
    Binding variable;
    variable.kind = Binding::Kind::variable;
    variable.name = function.parameters[i].name;
    variable.level = level;
    variable.slot = new_slot();
    put(Op::duplicate);
    put(Op::inside);
    put(Op::call_closure, static_cast<std::int32_t>(i));
    put(Op::outside);
    put(Op::store, static_cast<std::int32_t>(variable.slot));
    scope = bind(variable, scope);
  }
  Done done = emit(*function.body, scope);
  put(Op::finish);
  now_ = caller;
  pathless_ = pathless;
  return done;
}

Result<std::uint32_t> Compiler::closure_proto(const Node& body, Scope scope) {
  const auto proto = static_cast<std::uint32_t>(buffers_.size());
  buffers_.emplace_back();
  Buffer* const outer = now_;
  const int pathless = std::exchange(pathless_, 0);
  now_ = &buffers_.back();
  now_->level = outer->level + 1;
  Done done = emit(body, scope);
  put(Op::finish);
  now_ = outer;
  pathless_ = pathless;
  if (done.has_error()) return std::move(done).error();
  return proto;
}

}  // namespace pawl::jq::detail
