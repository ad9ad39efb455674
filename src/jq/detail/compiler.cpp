#include "jq/detail/compiler.hpp"

#include <algorithm>

#include "jq/detail/lexer.hpp"
#include "jq/detail/names.hpp"
#include "jq/detail/native.hpp"
#include "jq/detail/parser.hpp"

namespace pawl::jq::detail {

namespace {
constexpr int kMaxEmitDepth = 1500;
constexpr std::size_t kMaxInstructions = 200'000;
constexpr std::size_t kMaxSlots = 60'000;
}  // namespace

Compiler::Compiler(std::string_view source, std::span<const std::string_view> variables)
    : source_(source), variables_(variables), code_(std::make_shared<Code>()) {}

Result<std::shared_ptr<const Code>> Compiler::compile(const Node& root) {
  code_->used_variables.assign(variables_.size(), false);
  now_ = &buffers_.emplace_back();
  pathless_ = 1;
  find_simple(root);
  PAWL_TRY_VOID(emit(root, nullptr));
  put(Op::output);
  return std::shared_ptr<const Code>(finish());
}

Error Compiler::error_at(const Node& node, std::string code, std::string message, std::string suggestion) const {
  return source_error(source_, in_prelude_ ? 0 : node.offset, std::move(code), std::move(message), std::move(suggestion));
}

std::size_t Compiler::put(Op op, std::int32_t b, std::size_t a, std::uint8_t flag) {
  now_->code.push_back({op, flag, static_cast<std::uint16_t>(a), b});
  return now_->code.size() - 1;
}

void Compiler::land(std::size_t jump) {
  const auto distance = here() - jump;
  now_->code[jump].b = static_cast<std::int32_t>(distance);
}

void Compiler::jump_back(Op op, std::size_t to) { put(op, -static_cast<std::int32_t>(here() - to)); }

std::int32_t Compiler::add_constant(json::Value value) {
  code_->constants.push_back(std::move(value));
  return static_cast<std::int32_t>(code_->constants.size() - 1);
}

const Binding* Compiler::bind(Binding binding, Scope next) {
  binding.next = next;
  return &bindings_.emplace_back(binding);
}

const Binding* Compiler::find_name(std::string_view name, Binding::Kind kind, Scope scope) const {
  for (; scope; scope = scope->next) {
    if (scope->kind == kind && scope->name == name) return scope;
  }
  return nullptr;
}

const Binding* Compiler::find_callable(std::string_view name, std::size_t arity, Scope scope) const {
  for (; scope; scope = scope->next) {
    if (scope->kind >= Binding::Kind::function && scope->arity == arity && scope->name == name) return scope;
  }
  return nullptr;
}

/// Literals, and arrays and objects of literals.
bool Compiler::constant_value(const Node& node, json::Value& value) const {
  switch (node.kind) {
    case NodeKind::constant: value = node.value; return true;
    case NodeKind::array: {
      value = json::Value::array();
      if (node.kids.empty()) return true;
      const auto add = [&](const Node& kid) {
        json::Value item;
        if (!constant_value(kid, item)) return false;
        value.push_back(std::move(item));
        return true;
      };
      if (node.kids[0]->kind != NodeKind::comma) return add(*node.kids[0]);
      return std::all_of(node.kids[0]->kids.begin(), node.kids[0]->kids.end(), [&](const Node* kid) { return add(*kid); });
    }
    case NodeKind::object: {
      value = json::Value::object();
      for (std::size_t i = 0; i < node.kids.size(); i += 2) {
        json::Value item;
        if (node.kids[i]->kind != NodeKind::constant || !constant_value(*node.kids[i + 1], item)) return false;
        value.set_shared(node.kids[i]->value, std::move(item));
      }
      return true;
    }
    default: return false;
  }
}

bool Compiler::is_single(const Node& node, Scope scope) const {
  const auto all_kids = [&] {
    return std::all_of(node.kids.begin(), node.kids.end(), [&](const Node* kid) { return !kid || is_single(*kid, scope); });
  };
  switch (node.kind) {
    case NodeKind::identity:
    case NodeKind::constant:
    case NodeKind::variable:
    case NodeKind::format:
    case NodeKind::array: return true;
    case NodeKind::index:
    case NodeKind::slice: return !node.optional && all_kids();
    case NodeKind::text:
    case NodeKind::negate:
    case NodeKind::binary:
    case NodeKind::logical_and:
    case NodeKind::logical_or:
    case NodeKind::alternative:
    case NodeKind::pipe:
    case NodeKind::object:
    case NodeKind::conditional: return all_kids();
    case NodeKind::bind: return node.patterns.size() == 1 && all_kids();
    case NodeKind::call: {
      const Binding* binding = find_callable(node.text, node.kids.size(), scope);
      if (binding) return binding->kind == Binding::Kind::inlined && is_single(*binding->argument, binding->argument_scope);
      return find_native(node.text, node.kids.size()) >= 0 && all_kids();
    }
    default: return false;
  }
}

Compiler::Done Compiler::emit_aside(const Node& node, Scope scope) {
  if (pathless_ > 0) return emit(node, scope);
  switch (node.kind) {
    case NodeKind::identity:
    case NodeKind::constant:
    case NodeKind::variable:
    case NodeKind::text:
    case NodeKind::format:
    case NodeKind::negate:
    case NodeKind::binary:
    case NodeKind::logical_and:
    case NodeKind::logical_or:
    case NodeKind::array:
    case NodeKind::object: return emit(node, scope);  // these look after their parts themselves
    default: break;
  }
  put(Op::inside);
  ++pathless_;
  Done done = emit(node, scope);
  --pathless_;
  put(Op::outside);
  return done;
}

Compiler::Done Compiler::emit_under(const Node& node, Scope scope) {
  json::Value value;
  if (constant_value(node, value)) {
    put(Op::under_constant, add_constant(std::move(value)));
    return {};
  }
  if (node.kind == NodeKind::variable) {
    PAWL_TRY_VOID(emit_variable(node, scope));
    Instruction& last = now_->code.back();
    last.op = last.op == Op::global ? Op::under_global : Op::under_load;
    return {};
  }
  put(Op::duplicate);
  PAWL_TRY_VOID(emit_aside(node, scope));
  put(Op::swap);
  return {};
}

Compiler::Done Compiler::emit(const Node& node, Scope scope) {
  if (depth_ > kMaxEmitDepth || now_->code.size() > kMaxInstructions || now_->slots > kMaxSlots || buffers_.size() > kMaxSlots) {
    return error_at(node, "jq.syntax", "the expression is too large");
  }
  struct Depth {
    int& count;
    explicit Depth(int& counter) : count(counter) { ++count; }
    ~Depth() { --count; }
  } const depth(depth_);
  switch (node.kind) {
    case NodeKind::identity: return {};
    case NodeKind::constant: put(Op::constant, add_constant(node.value)); return {};
    case NodeKind::variable: return emit_variable(node, scope);
    case NodeKind::index:
    case NodeKind::slice:
    case NodeKind::iterate: return emit_access(node, scope);
    case NodeKind::text: return emit_text(node, scope);
    case NodeKind::format: {
      const int format = find_format(node.text);
      if (format < 0) return error_at(node, "jq.unknown", node.text + " is not a valid format");
      TextPlan plan;
      plan.strings = {"", ""};
      plan.format = format;
      code_->texts.push_back(std::move(plan));
      put(Op::text, static_cast<std::int32_t>(code_->texts.size() - 1));
      return {};
    }
    case NodeKind::negate: {
      PAWL_TRY_VOID(emit_aside(*node.kids[0], scope));
      put(Op::negate);
      return {};
    }
    case NodeKind::binary: return emit_binary(node, scope);
    case NodeKind::logical_and:
    case NodeKind::logical_or: return emit_logical(node, scope);
    case NodeKind::alternative: return emit_alternative(node, scope);
    case NodeKind::update: return emit_update(*node.kids[0], *node.kids[1], scope);
    case NodeKind::assign: return emit_assign(*node.kids[0], *node.kids[1], scope);
    case NodeKind::arithmetic_update:
    case NodeKind::alternative_update: return emit_operator_update(node, scope);
    case NodeKind::comma: return emit_comma(node, scope);
    case NodeKind::pipe: {
      for (const auto* stage : node.kids) PAWL_TRY_VOID(emit(*stage, scope));
      return {};
    }
    case NodeKind::array: return emit_array(node, scope);
    case NodeKind::object: return emit_object(node, scope);
    case NodeKind::conditional: return emit_conditional(node, scope);
    case NodeKind::try_catch: return emit_try(node, scope);
    case NodeKind::reduce: return emit_reduce(node, scope);
    case NodeKind::foreach: return emit_foreach(node, scope);
    case NodeKind::label: return emit_label(node, scope);
    case NodeKind::break_out: return emit_break(node, scope);
    case NodeKind::call: return emit_call(node, scope);
    case NodeKind::bind: return emit_bind(node, scope);
    case NodeKind::define: return emit_define(node, scope);
  }
  return {};
}

Compiler::Done Compiler::emit_binary(const Node& node, Scope scope) {
  const auto which = static_cast<std::uint8_t>(node.binary);
  json::Value constant;
  if (constant_value(*node.kids[1], constant)) {
    PAWL_TRY_VOID(emit_aside(*node.kids[0], scope));
    put(Op::binary_constant, add_constant(std::move(constant)), 0, which);
    return {};
  }
  const Binding* variable =
      node.kids[1]->kind == NodeKind::variable ? find_name(node.kids[1]->text, Binding::Kind::variable, scope) : nullptr;
  if (variable) {
    PAWL_TRY_VOID(emit_aside(*node.kids[0], scope));
    put(Op::binary_load, static_cast<std::int32_t>(variable->slot), up(variable->level), which);
    return {};
  }
  PAWL_TRY_VOID(emit_under(*node.kids[1], scope));
  PAWL_TRY_VOID(emit_aside(*node.kids[0], scope));
  put(Op::binary, 0, 0, which);
  return {};
}

Compiler::Done Compiler::emit_variable(const Node& node, Scope scope) {
  if (const Binding* found = find_name(node.text, Binding::Kind::variable, scope)) {
    put(Op::load, static_cast<std::int32_t>(found->slot), up(found->level));
    return {};
  }
  for (std::size_t i = 0; i < variables_.size() && !in_prelude_; ++i) {
    if (variables_[i] != node.text) continue;
    code_->used_variables[i] = true;
    put(Op::global, static_cast<std::int32_t>(i));
    return {};
  }
  if (node.text == "ENV") return error_at(node, "jq.unknown", "$ENV is not available: expressions cannot read the environment");
  std::string suggestion;
  for (Scope at = scope; at; at = at->next) {
    if (at->kind == Binding::Kind::variable && near_name(at->name, node.text)) suggestion = "$" + std::string(at->name);
  }
  for (const auto name : variables_) {
    if (near_name(name, node.text)) suggestion = "$" + std::string(name);
  }
  return error_at(node, "jq.unknown", "$" + node.text + " is not defined", std::move(suggestion));
}

Compiler::Done Compiler::emit_access(const Node& node, Scope scope) {
  const std::uint8_t flag = node.optional ? kOptional : std::uint8_t{0};
  if (node.kind == NodeKind::iterate) {
    PAWL_TRY_VOID(emit(*node.kids[0], scope));
    put(Op::each, 0, 0, flag);
    return {};
  }
  if (node.kind == NodeKind::index) {
    json::Value key;
    if (constant_value(*node.kids[1], key)) {
      PAWL_TRY_VOID(emit(*node.kids[0], scope));
      put(Op::index_constant, add_constant(std::move(key)), 0, flag);
      return {};
    }
    PAWL_TRY_VOID(emit_under(*node.kids[1], scope));
    PAWL_TRY_VOID(emit(*node.kids[0], scope));
    put(Op::index, 0, 0, flag);
    return {};
  }
  for (std::size_t bound = 1; bound <= 2; ++bound) {
    if (node.kids[bound]) {
      PAWL_TRY_VOID(emit_under(*node.kids[bound], scope));
    } else {
      put(Op::under_constant, add_constant(json::Value()));
    }
  }
  PAWL_TRY_VOID(emit(*node.kids[0], scope));
  put(Op::slice, 0, 0, flag);
  return {};
}

Compiler::Done Compiler::emit_text(const Node& node, Scope scope) {
  TextPlan plan;
  plan.strings = node.strings;
  plan.format = node.text.empty() ? 0 : find_format(node.text);
  if (plan.format < 0) return error_at(node, "jq.unknown", node.text + " is not a valid format");
  for (std::size_t i = node.kids.size(); i-- > 1;) PAWL_TRY_VOID(emit_under(*node.kids[i], scope));
  PAWL_TRY_VOID(emit_aside(*node.kids[0], scope));
  code_->texts.push_back(std::move(plan));
  put(Op::text, static_cast<std::int32_t>(code_->texts.size() - 1));
  return {};
}

Compiler::Done Compiler::emit_logical(const Node& node, Scope scope) {
  const bool is_and = node.kind == NodeKind::logical_and;
  put(Op::duplicate);
  PAWL_TRY_VOID(emit_aside(*node.kids[0], scope));
  const std::size_t when_false = put(Op::jump_if_false);
  // `and` looks at the right side where the left is true, `or` where it is false.
  const auto right_side = [&]() -> Done {
    PAWL_TRY_VOID(emit_aside(*node.kids[1], scope));
    put(Op::truth);
    return {};
  };
  if (is_and) {
    PAWL_TRY_VOID(right_side());
  } else {
    put(Op::constant, add_constant(true));
  }
  const std::size_t end = put(Op::jump);
  land(when_false);
  if (is_and) {
    put(Op::constant, add_constant(false));
  } else {
    PAWL_TRY_VOID(right_side());
  }
  land(end);
  return {};
}

Compiler::Done Compiler::emit_alternative(const Node& node, Scope scope) {
  if (pathless_ > 0 && is_single(*node.kids[0], scope)) {
    put(Op::duplicate);
    PAWL_TRY_VOID(emit(*node.kids[0], scope));
    const std::size_t kept = put(Op::keep_if_true);
    PAWL_TRY_VOID(emit(*node.kids[1], scope));
    land(kept);
    return {};
  }
  const auto found = static_cast<std::int32_t>(new_slot());
  put(Op::store_constant, add_constant(false), static_cast<std::size_t>(found));
  const std::size_t otherwise = put(Op::fork);
  PAWL_TRY_VOID(emit(*node.kids[0], scope));
  put(Op::alternative_end, found);
  const std::size_t end = put(Op::jump);
  land(otherwise);
  put(Op::backtrack_if, found);
  PAWL_TRY_VOID(emit(*node.kids[1], scope));
  land(end);
  return {};
}

Compiler::Done Compiler::emit_comma(const Node& node, Scope scope) {
  std::vector<std::size_t> ends;
  for (std::size_t i = 0; i + 1 < node.kids.size(); ++i) {
    const std::size_t next = put(Op::fork);
    PAWL_TRY_VOID(emit(*node.kids[i], scope));
    ends.push_back(put(Op::jump));
    land(next);
  }
  PAWL_TRY_VOID(emit(*node.kids.back(), scope));
  for (const auto end : ends) land(end);
  return {};
}

Compiler::Done Compiler::emit_array(const Node& node, Scope scope) {
  json::Value constant;
  if (constant_value(node, constant)) {
    put(Op::constant, add_constant(std::move(constant)));
    return {};
  }
  const Node& inner = *node.kids[0];
  const std::span<const Node* const> items =
      inner.kind == NodeKind::comma ? std::span<const Node* const>(inner.kids) : std::span<const Node* const>(node.kids).first(1);
  if (items.size() < 1000 && std::all_of(items.begin(), items.end(), [&](const Node* item) { return is_single(*item, scope); })) {
    for (std::size_t i = 0; i + 1 < items.size(); ++i) PAWL_TRY_VOID(emit_under(*items[i], scope));
    PAWL_TRY_VOID(emit_aside(*items.back(), scope));
    put(Op::make_array, static_cast<std::int32_t>(items.size()));
    return {};
  }
  const auto collected = static_cast<std::int32_t>(new_slot());
  put(Op::store_constant, add_constant(json::Value::array()), static_cast<std::size_t>(collected));
  const std::size_t end = put(Op::fork);
  PAWL_TRY_VOID(emit_aside(inner, scope));
  put(Op::append, collected);
  put(Op::backtrack);
  land(end);
  put(Op::take, collected);
  return {};
}

Compiler::Done Compiler::emit_object(const Node& node, Scope scope) {
  json::Value constant;
  if (constant_value(node, constant)) {
    put(Op::constant, add_constant(std::move(constant)));
    return {};
  }
  const std::size_t count = node.kids.size() / 2;
  if (count > 60'000) return error_at(node, "jq.syntax", "the expression is too large");
  bool constant_keys = true;
  for (std::size_t i = 0; i < count; ++i) constant_keys = constant_keys && node.kids[2 * i]->kind == NodeKind::constant;
  for (std::size_t i = 0; i < count; ++i) {
    if (!constant_keys) PAWL_TRY_VOID(emit_under(*node.kids[2 * i], scope));
    if (i + 1 < count) {
      PAWL_TRY_VOID(emit_under(*node.kids[2 * i + 1], scope));
    } else {
      PAWL_TRY_VOID(emit_aside(*node.kids[2 * i + 1], scope));
    }
  }
  if (!constant_keys) {
    put(Op::make_object_with_keys, static_cast<std::int32_t>(count));
    return {};
  }
  const auto first = static_cast<std::int32_t>(code_->constants.size());
  for (std::size_t i = 0; i < count; ++i) add_constant(node.kids[2 * i]->value);
  put(Op::make_object, first, count);
  return {};
}

Compiler::Done Compiler::emit_conditional(const Node& node, Scope scope) {
  put(Op::duplicate);
  PAWL_TRY_VOID(emit_aside(*node.kids[0], scope));
  const std::size_t otherwise = put(Op::jump_if_false);
  PAWL_TRY_VOID(emit(*node.kids[1], scope));
  if (node.kids[2]->kind == NodeKind::identity) {
    land(otherwise);
    return {};
  }
  const std::size_t end = put(Op::jump);
  land(otherwise);
  PAWL_TRY_VOID(emit(*node.kids[2], scope));
  land(end);
  return {};
}

Compiler::Done Compiler::emit_try(const Node& node, Scope scope) {
  const std::uint32_t slot = new_slot();
  const std::size_t begin = put(Op::try_begin, 0, slot, node.kids[1] ? kTryPush : std::uint8_t{0});
  PAWL_TRY_VOID(emit(*node.kids[0], scope));
  put(Op::try_end, static_cast<std::int32_t>(slot));
  const std::size_t end = put(Op::jump);
  land(begin);
  if (node.kids[1]) {
    PAWL_TRY_VOID(emit(*node.kids[1], scope));
  } else {
    put(Op::backtrack);
  }
  land(end);
  return {};
}

Compiler::Done Compiler::emit_label(const Node& node, Scope scope) {
  const std::uint32_t slot = new_slot();
  put(Op::mark, static_cast<std::int32_t>(slot));
  Binding label;
  label.kind = Binding::Kind::label;
  label.name = node.text;
  label.level = now_->level;
  label.slot = slot;
  return emit(*node.kids[0], bind(label, scope));
}

Compiler::Done Compiler::emit_break(const Node& node, Scope scope) {
  const Binding* label = find_name(node.text, Binding::Kind::label, scope);
  if (!label) return error_at(node, "jq.unknown", "$*label-" + node.text + " is not defined");
  put(Op::break_out, static_cast<std::int32_t>(label->slot), up(label->level));
  return {};
}

std::shared_ptr<Code> Compiler::finish() {
  Code& code = *code_;
  for (auto& buffer : buffers_) {
    Proto proto;
    proto.entry = static_cast<std::uint32_t>(code.instructions.size());
    proto.slots = buffer.slots;
    proto.parameters = buffer.parameters;
    code.protos.push_back(proto);
    code.instructions.insert(code.instructions.end(), buffer.code.begin(), buffer.code.end());
  }
  // A call whose result is the result of the function takes the place of its frame, unless something refers to that frame.
  auto& all = code.instructions;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].op != Op::call && all[i].op != Op::call_closure) continue;
    bool leaves = all[i].op == Op::call_closure || all[i].a > 0;
    std::size_t next = i + 1;
    for (; all[next].op == Op::argument_closure || all[next].op == Op::argument_forward; ++next) {
      leaves = leaves && all[next].op == Op::argument_forward;
    }
    while (all[next].op == Op::jump) next += static_cast<std::size_t>(static_cast<std::ptrdiff_t>(all[next].b));
    if (leaves && all[next].op == Op::finish) all[i].flag = kTail;
  }
  return code_;
}

void Compiler::find_simple(const Node& root) {
  json::Value constant;
  Code& code = *code_;
  if (constant_value(root, constant)) {
    code.simple = Simple::constant;
    code.constant = true;
    code.simple_path = {std::move(constant)};
    return;
  }
  if (root.kind == NodeKind::variable) {
    for (std::size_t i = 0; i < variables_.size(); ++i) {
      if (variables_[i] != root.text) continue;
      code.simple = Simple::variable;
      code.simple_variable = static_cast<std::uint32_t>(i);
    }
    return;
  }
  const Node* node = &root;
  while (node->kind == NodeKind::index && !node->optional && node->kids[1]->kind == NodeKind::constant) {
    code.simple_path.push_back(node->kids[1]->value);
    node = node->kids[0];
  }
  std::reverse(code.simple_path.begin(), code.simple_path.end());
  if (node->kind == NodeKind::identity) code.simple = Simple::path;
}

}  // namespace pawl::jq::detail
