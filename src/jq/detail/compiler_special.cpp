/// Functions that get code of their own instead of a call: loops, generators, paths and updates.
#include <algorithm>

#include "jq/detail/compiler.hpp"
#include "jq/detail/native.hpp"

namespace pawl::jq::detail {

/// True where the code of `node` keeps nothing in slots. Only such code may stand in a loop: a fork made in one round must not see its
/// variables overwritten by the next.
bool Compiler::slot_free(const Node& node, Scope scope) const {
  const auto all_kids = [&] {
    return std::all_of(node.kids.begin(), node.kids.end(), [&](const Node* kid) { return !kid || slot_free(*kid, scope); });
  };
  switch (node.kind) {
    case NodeKind::identity:
    case NodeKind::constant:
    case NodeKind::variable:
    case NodeKind::format: return true;
    case NodeKind::index:
    case NodeKind::slice:
    case NodeKind::iterate:
    case NodeKind::text:
    case NodeKind::negate:
    case NodeKind::binary:
    case NodeKind::logical_and:
    case NodeKind::logical_or:
    case NodeKind::comma:
    case NodeKind::pipe:
    case NodeKind::object:
    case NodeKind::conditional: return all_kids();
    case NodeKind::call:
      if (find_callable(node.text, node.kids.size(), scope)) return false;
      return (node.text == "empty" || node.text == "select" || find_native(node.text, node.kids.size()) >= 0) && all_kids();
    default: return false;
  }
}

Compiler::Done Compiler::emit_loop_body(const Node& body, Scope scope) {
  if (slot_free(body, scope)) return emit(body, scope);
  auto proto = closure_proto(body, scope);
  if (proto.has_error()) return std::move(proto).error();
  put(Op::call, static_cast<std::int32_t>(proto.value()));
  return {};
}

/// `def r: ., (step | r); r`
Compiler::Done Compiler::emit_recurse(const Node& step, Scope scope) {
  const std::size_t again = here();
  const std::size_t next = put(Op::fork);
  const std::size_t out = put(Op::jump);
  land(next);
  PAWL_TRY_VOID(emit_loop_body(step, scope));
  jump_back(Op::jump, again);
  land(out);
  return {};
}

/// `def r: body, r; r`. The next round begins when nothing of the last is left, so the body may use slots.
Compiler::Done Compiler::emit_repeat(const Node& body, Scope scope) {
  const std::size_t again = here();
  const std::size_t next = put(Op::fork);
  PAWL_TRY_VOID(emit(body, scope));
  const std::size_t out = put(Op::jump);
  land(next);
  jump_back(Op::jump, again);
  land(out);
  return {};
}

Compiler::Done Compiler::emit_while(const Node& node, Scope scope) {
  const std::size_t again = here();
  put(Op::duplicate);
  {
    if (pathless_ == 0) put(Op::inside);
    PAWL_TRY_VOID(emit_loop_body(*node.kids[0], scope));
    if (pathless_ == 0) put(Op::outside);
  }
  const std::size_t stop = put(Op::jump_if_false);
  const std::size_t next = put(Op::fork);
  const std::size_t out = put(Op::jump);
  land(next);
  PAWL_TRY_VOID(emit_loop_body(*node.kids[1], scope));
  jump_back(Op::jump, again);
  land(stop);
  put(Op::backtrack);
  land(out);
  return {};
}

Compiler::Done Compiler::emit_until(const Node& node, Scope scope) {
  const std::size_t again = here();
  put(Op::duplicate);
  if (pathless_ == 0) put(Op::inside);
  PAWL_TRY_VOID(emit_loop_body(*node.kids[0], scope));
  if (pathless_ == 0) put(Op::outside);
  const std::size_t go_on = put(Op::jump_if_false);
  const std::size_t end = put(Op::jump);
  land(go_on);
  PAWL_TRY_VOID(emit_loop_body(*node.kids[1], scope));
  jump_back(Op::jump, again);
  land(end);
  return {};
}

Compiler::Done Compiler::emit_first(const Node& generator, Scope scope) {
  const auto mark = static_cast<std::int32_t>(new_slot());
  put(Op::mark, mark);
  PAWL_TRY_VOID(emit(generator, scope));
  put(Op::cut, mark);
  return {};
}

Compiler::Done Compiler::emit_last(const Node& generator, Scope scope) {
  const auto last = static_cast<std::int32_t>(new_slot());
  const auto missing = new_slot();
  put(Op::store_constant, add_constant(true), missing);
  const std::size_t done = put(Op::fork);
  PAWL_TRY_VOID(emit(generator, scope));
  put(Op::store, last);
  put(Op::store_constant, add_constant(false), missing);
  put(Op::backtrack);
  land(done);
  put(Op::backtrack_if, static_cast<std::int32_t>(missing));
  put(Op::take, last);
  return {};
}

/// `_limit(count; generator)`, for a count above 0.
Compiler::Done Compiler::emit_limit(const Node& node, Scope scope) {
  const auto count = new_slot();
  const auto mark = static_cast<std::int32_t>(new_slot());
  put(Op::duplicate);
  PAWL_TRY_VOID(emit_aside(*node.kids[0], scope));
  put(Op::store, static_cast<std::int32_t>(count));
  put(Op::mark, mark);
  PAWL_TRY_VOID(emit(*node.kids[1], scope));
  const std::size_t last = put(Op::count_down, 0, count);
  const std::size_t end = put(Op::jump);
  land(last);
  put(Op::cut, mark);
  land(end);
  return {};
}

/// `_skip(count; generator)`: the count is one more than what is skipped.
Compiler::Done Compiler::emit_skip(const Node& node, Scope scope) {
  const auto count = new_slot();
  put(Op::duplicate);
  PAWL_TRY_VOID(emit_aside(*node.kids[0], scope));
  put(Op::store, static_cast<std::int32_t>(count));
  PAWL_TRY_VOID(emit(*node.kids[1], scope));
  const std::size_t end = put(Op::count_down, 0, count);
  put(Op::backtrack);
  land(end);
  return {};
}

Compiler::Done Compiler::emit_is_empty(const Node& generator, Scope scope) {
  const auto mark = static_cast<std::int32_t>(new_slot());
  put(Op::mark, mark);
  const std::size_t none = put(Op::fork);
  PAWL_TRY_VOID(emit_aside(generator, scope));
  put(Op::constant, add_constant(false));
  put(Op::cut, mark);
  const std::size_t end = put(Op::jump);
  land(none);
  put(Op::constant, add_constant(true));
  land(end);
  return {};
}

/// Stops at the first result that decides: a true one for `any`, a false one for `all`.
Compiler::Done Compiler::emit_any(const Node& generator, const Node& condition, Scope scope, bool all) {
  const auto mark = static_cast<std::int32_t>(new_slot());
  put(Op::mark, mark);
  const std::size_t none = put(Op::fork);
  PAWL_TRY_VOID(emit_aside(generator, scope));
  PAWL_TRY_VOID(emit_aside(condition, scope));
  put(Op::duplicate);
  const std::size_t is_false = put(Op::jump_if_false);
  if (all) {
    put(Op::backtrack);
    land(is_false);
  }
  put(Op::constant, add_constant(!all));
  put(Op::cut, mark);
  const std::size_t end = put(Op::jump);
  if (!all) {
    land(is_false);
    put(Op::backtrack);
  }
  land(none);
  put(Op::constant, add_constant(all));
  land(end);
  return {};
}

Compiler::Done Compiler::emit_range(const Node& node, Scope scope) {
  if (node.kids.size() == 1) put(Op::under_constant, add_constant(0));
  for (const auto* bound : node.kids) PAWL_TRY_VOID(emit_under(*bound, scope));
  put(node.kids.size() == 3 ? Op::range_by : Op::range);
  return {};
}

Compiler::Done Compiler::emit_path(const Node& node, Scope scope) {
  const auto saved = static_cast<std::int32_t>(now_->slots);
  now_->slots += 3;
  put(Op::path_begin, saved);
  const int pathless = std::exchange(pathless_, 0);
  Done done = emit(node, scope);
  pathless_ = pathless;
  put(Op::path_end, saved);
  return done;
}

/// A target such as `.a[$i].b`, which is exactly one path.
bool Compiler::is_single_path(const Node& node, Scope scope) const {
  switch (node.kind) {
    case NodeKind::identity: return true;
    case NodeKind::index:
    case NodeKind::slice:
      return !node.optional && is_single_path(*node.kids[0], scope) &&
             std::all_of(node.kids.begin() + 1, node.kids.end(), [&](const Node* key) { return !key || is_single(*key, scope); });
    case NodeKind::pipe:
      return std::all_of(node.kids.begin(), node.kids.end(), [&](const Node* stage) { return is_single_path(*stage, scope); });
    default: return false;
  }
}

/// [v] -> []: slot `state` = v, slot `state + 1` = the one path of `target`. Nothing else holds on to v, so it can be changed in place.
Compiler::Done Compiler::emit_single_path(const Node& target, std::int32_t state, Scope scope) {
  json::Value path = json::Value::array();
  const auto constant = [&](const auto& self, const Node& node) -> bool {
    if (node.kind == NodeKind::identity) return true;
    if (node.kind == NodeKind::pipe)
      return std::all_of(node.kids.begin(), node.kids.end(), [&](const Node* kid) { return self(self, *kid); });
    if (node.kind != NodeKind::index || node.kids[1]->kind != NodeKind::constant || !self(self, *node.kids[0])) return false;
    path.push_back(node.kids[1]->value);
    return true;
  };
  if (constant(constant, target)) {
    put(Op::store, state);
    put(Op::store_constant, add_constant(std::move(path)), static_cast<std::size_t>(state) + 1);
    return {};
  }
  put(Op::duplicate);
  PAWL_TRY_VOID(emit_path(target, scope));
  put(Op::store, state + 1);
  put(Op::store, state);
  return {};
}

Compiler::Done Compiler::emit_assign(const Node& target, const Node& value, Scope scope) {
  const auto state = static_cast<std::int32_t>(now_->slots);
  now_->slots += 2;  // the changing value, the path
  const auto assigned = new_slot();
  json::Value constant;
  if (constant_value(value, constant)) {
    put(Op::store_constant, add_constant(std::move(constant)), assigned);
  } else {
    put(Op::duplicate);
    PAWL_TRY_VOID(emit_aside(value, scope));
    put(Op::store, static_cast<std::int32_t>(assigned));
  }
  if (is_single_path(target, scope)) {
    PAWL_TRY_VOID(emit_single_path(target, state, scope));
    put(Op::assign, state, assigned);
    put(Op::push_take, state);
    return {};
  }
  put(Op::duplicate);
  put(Op::store, state);
  const std::size_t done = put(Op::fork);
  PAWL_TRY_VOID(emit_path(target, scope));
  put(Op::store, state + 1);
  put(Op::assign, state, assigned);
  put(Op::backtrack);
  land(done);
  put(Op::take, state);
  return {};
}

template <class EmitChange>
Compiler::Done Compiler::emit_update_with(const Node& target, Scope scope, bool single_change, const EmitChange& change) {
  const auto state = static_cast<std::int32_t>(now_->slots);
  now_->slots += 3;  // the changing value, the path, the paths to delete
  const auto mark = static_cast<std::int32_t>(new_slot());
  const auto emit_change = [&]() -> Done {
    if (pathless_ == 0) put(Op::inside);
    ++pathless_;
    Done changed = change();
    --pathless_;
    if (pathless_ == 0) put(Op::outside);
    return changed;
  };
  if (single_change && is_single_path(target, scope)) {
    PAWL_TRY_VOID(emit_single_path(target, state, scope));
    put(Op::update_take, state);
    PAWL_TRY_VOID(emit_change());
    put(Op::update_put, state);
    put(Op::push_take, state);
    return {};
  }
  put(Op::duplicate);
  put(Op::store, state);
  put(Op::store_constant, add_constant(json::Value()), static_cast<std::size_t>(state) + 2);
  const std::size_t done = put(Op::fork);
  PAWL_TRY_VOID(emit_path(target, scope));
  put(Op::store, state + 1);
  put(Op::mark, mark);
  const std::size_t none = put(Op::fork);
  put(Op::update_take, state);
  PAWL_TRY_VOID(emit_change());
  put(Op::cut, mark);
  put(Op::update_put, state);
  put(Op::backtrack);
  land(none);
  put(Op::update_drop, state);
  put(Op::backtrack);
  land(done);
  put(Op::update_finish, state);
  return {};
}

Compiler::Done Compiler::emit_update(const Node& target, const Node& change, Scope scope) {
  return emit_update_with(target, scope, is_single(change, scope), [&] { return emit(change, scope); });
}

/// `target op= value`: `value` is evaluated once, on the whole input.
Compiler::Done Compiler::emit_operator_update(const Node& node, Scope scope) {
  const auto operand = new_slot();
  json::Value constant;
  if (constant_value(*node.kids[1], constant)) {
    put(Op::store_constant, add_constant(std::move(constant)), operand);
  } else {
    put(Op::duplicate);
    PAWL_TRY_VOID(emit_aside(*node.kids[1], scope));
    put(Op::store, static_cast<std::int32_t>(operand));
  }
  return emit_update_with(*node.kids[0], scope, true, [&]() -> Done {
    if (node.kind == NodeKind::arithmetic_update) {
      put(Op::binary_load, static_cast<std::int32_t>(operand), 0, static_cast<std::uint8_t>(node.binary));
      return {};
    }
    put(Op::duplicate);
    const std::size_t kept = put(Op::keep_if_true);
    put(Op::load, static_cast<std::int32_t>(operand));
    land(kept);
    return {};
  });
}

}  // namespace pawl::jq::detail
