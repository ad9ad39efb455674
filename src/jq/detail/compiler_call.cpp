/// Calls: of functions in the program, of native ones, of those written in the language, and inlining.
#include <algorithm>
#include <array>

#include "jq/detail/compiler.hpp"
#include "jq/detail/names.hpp"
#include "jq/detail/native.hpp"
#include "jq/detail/prelude.hpp"

namespace pawl::jq::detail {

namespace {

struct Absent {
  std::string_view name;
  std::string_view why;
};

constexpr Absent kAbsent[] = {
    {"env", "expressions cannot read the environment"},
    {"halt", "expressions cannot end the program"},
    {"halt_error", "expressions cannot end the program"},
    {"input_filename", "expressions have one input and no files"},
    {"input_line_number", "expressions have one input and no files"},
    {"get_search_list", "modules are not available"},
    {"modulemeta", "modules are not available"},
};

// What `emit_special` knows; for suggestions and `builtins`.
constexpr std::array<std::string_view, 27> kSpecial = {
    "empty/0", "error/0",  "error/1",   "path/1",    "recurse/0", "recurse/1",  "first/1", "last/1", "until/2",
    "while/2", "repeat/1", "isempty/1", "any/0",     "any/1",     "any/2",      "all/0",   "all/1",  "all/2",
    "range/1", "range/2",  "range/3",   "getpath/1", "now/0",     "builtins/0", "limit/2", "skip/2", "nth/2"};

}  // namespace

Compiler::Done Compiler::emit_call(const Node& node, Scope scope) {
  if (const Binding* found = find_callable(node.text, node.kids.size(), scope)) {
    switch (found->kind) {
      case Binding::Kind::function: return emit_proto_call(node, scope, *found);
      case Binding::Kind::parameter: put(Op::call_closure, static_cast<std::int32_t>(found->slot), up(found->level)); return {};
      default: break;
    }
    const bool in_prelude = std::exchange(in_prelude_, found->in_prelude);
    Done done = emit(*found->argument, found->argument_scope);
    in_prelude_ = in_prelude;
    return done;
  }
  if (auto done = emit_special(node, scope)) return std::move(*done);
  if (const int native = find_native(node.text, node.kids.size()); native >= 0) return emit_native(node, scope, native);
  const PreludeFunction prelude = find_prelude(node.text, node.kids.size());
  if (!prelude.function) return unknown_function(node, scope);
  return prelude.inlined ? emit_inlined(node, scope, *prelude.function) : emit_prelude(node, scope, *prelude.function);
}

Compiler::Done Compiler::unknown_function(const Node& node, Scope scope) {
  for (const auto& absent : kAbsent) {
    if (absent.name == node.text) {
      return error_at(node, "jq.unknown", node.text + " is not available: " + std::string(absent.why));
    }
  }
  const std::string wanted = node.text + "/" + std::to_string(node.kids.size());
  struct Search {
    std::string_view name;
    std::string_view wanted;
    std::string best;
    void offer(std::string_view candidate, std::size_t arity) {
      if (candidate.front() == '_') return;
      if (candidate != name && (!best.empty() || !near_name(candidate, name))) return;
      best = std::string(candidate) + "/" + std::to_string(arity);
    }
  } search{node.text, wanted, {}};
  for (Scope at = scope; at; at = at->next) {
    if (at->kind >= Binding::Kind::function) search.offer(at->name, at->arity);
  }
  for (const auto& native : natives()) search.offer(native.name, native.arity);
  for (const auto special : kSpecial) search.offer(special.substr(0, special.size() - 2), static_cast<std::size_t>(special.back() - '0'));
  list_prelude([](void* context, std::string_view name, std::size_t arity) { static_cast<Search*>(context)->offer(name, arity); }, &search);
  return error_at(node, "jq.unknown", wanted + " is not defined", std::move(search.best));
}

Compiler::Done Compiler::emit_argument(const Node& argument, Scope scope) {
  const Node* node = &argument;
  const bool in_prelude = in_prelude_;
  // A parameter handed on needs no code of its own.
  while (node->kind == NodeKind::call && node->kids.empty()) {
    const Binding* found = find_callable(node->text, 0, scope);
    if (found && found->kind == Binding::Kind::parameter) {
      put(Op::argument_forward, static_cast<std::int32_t>(found->slot), up(found->level));
      in_prelude_ = in_prelude;
      return {};
    }
    if (!found || found->kind != Binding::Kind::inlined) break;
    node = found->argument;
    scope = found->argument_scope;
    in_prelude_ = found->in_prelude;
  }
  auto proto = closure_proto(*node, scope);
  in_prelude_ = in_prelude;
  if (proto.has_error()) return std::move(proto).error();
  put(Op::argument_closure, static_cast<std::int32_t>(proto.value()));
  return {};
}

Compiler::Done Compiler::emit_proto_call(const Node& node, Scope scope, const Binding& function) {
  put(Op::call, static_cast<std::int32_t>(function.slot), up(function.level));
  for (const auto* argument : node.kids) PAWL_TRY_VOID(emit_argument(*argument, scope));
  return {};
}

Compiler::Done Compiler::emit_native(const Node& node, Scope scope, int native) {
  for (std::size_t i = node.kids.size(); i-- > 0;) PAWL_TRY_VOID(emit_under(*node.kids[i], scope));
  put(Op::native, native, node.kids.size());
  return {};
}

Compiler::Done Compiler::emit_inlined(const Node& node, Scope scope, const Function& function) {
  Scope inner = nullptr;
  for (std::size_t i = 0; i < node.kids.size(); ++i) {
    Binding argument;
    argument.kind = Binding::Kind::inlined;
    argument.name = function.parameters[i].name;
    argument.argument = node.kids[i];
    argument.argument_scope = scope;
    argument.in_prelude = in_prelude_;
    inner = bind(argument, inner);
    if (!function.parameters[i].is_value) continue;
    Binding variable;
    variable.kind = Binding::Kind::variable;
    variable.name = function.parameters[i].name;
    variable.level = now_->level;
    variable.slot = new_slot();
    json::Value constant;
    if (constant_value(*node.kids[i], constant)) {
      put(Op::store_constant, add_constant(std::move(constant)), variable.slot);
    } else {
      put(Op::duplicate);
      PAWL_TRY_VOID(emit_aside(*node.kids[i], scope));
      put(Op::store, static_cast<std::int32_t>(variable.slot));
    }
    inner = bind(variable, inner);
  }
  const bool in_prelude = std::exchange(in_prelude_, true);
  Done done = emit(*function.body, inner);
  in_prelude_ = in_prelude;
  return done;
}

/// Each function of the prelude that is used is compiled once into the program.
Compiler::Done Compiler::emit_prelude(const Node& node, Scope scope, const Function& function) {
  Binding binding;
  binding.kind = Binding::Kind::function;
  binding.name = function.name;
  binding.arity = function.parameters.size();
  const auto [known, fresh] = prelude_protos_.try_emplace(&function, static_cast<std::uint32_t>(buffers_.size()));
  binding.slot = known->second;
  if (fresh) {
    buffers_.emplace_back();
    const bool in_prelude = std::exchange(in_prelude_, true);
    Done done = compile_function(function, binding.slot, 1, nullptr);
    in_prelude_ = in_prelude;
    if (done.has_error()) return done;
  }
  return emit_proto_call(node, scope, binding);
}

std::optional<Compiler::Done> Compiler::emit_special(const Node& node, Scope scope) {
  const std::string_view name = node.text;
  const auto& arguments = node.kids;
  static const Node kEach = [] {
    static const Node self;
    Node each;
    each.kind = NodeKind::iterate;
    each.kids = {&self};
    return each;
  }();
  static const Node kEachMaybe = [] {
    Node each = kEach;
    each.optional = true;
    return each;
  }();
  static const Node kSelf;
  switch (arguments.size()) {
    case 0:
      if (name == "empty") return put(Op::backtrack), Done();
      if (name == "error") return put(Op::raise), Done();
      if (name == "recurse") return emit_recurse(kEachMaybe, scope);
      if (name == "any" || name == "all") return emit_any(kEach, kSelf, scope, name == "all");
      if (name == "now") {
        code_->uses_now = true;
        return put(Op::now), Done();
      }
      if (name == "builtins") {
        json::Value list = json::Value::array();
        for (const auto& native : natives()) {
          if (native.name.front() != '_') list.push_back(std::string(native.name) + "/" + std::to_string(native.arity));
        }
        for (const auto special : kSpecial) list.push_back(special);
        list_prelude(
            [](void* context, std::string_view function, std::size_t arity) {
              if (function.front() != '_')
                static_cast<json::Value*>(context)->push_back(std::string(function) + "/" + std::to_string(arity));
            },
            &list);
        return put(Op::constant, add_constant(std::move(list))), Done();
      }
      return std::nullopt;
    case 1:
      if (name == "error") {
        if (Done done = emit_aside(*arguments[0], scope); done.has_error()) return done;
        return put(Op::raise), Done();
      }
      if (name == "path") return emit_path(*arguments[0], scope);
      if (name == "recurse") return emit_recurse(*arguments[0], scope);
      if (name == "repeat") return emit_repeat(*arguments[0], scope);
      if (name == "first") return emit_first(*arguments[0], scope);
      if (name == "last") return emit_last(*arguments[0], scope);
      if (name == "isempty") return emit_is_empty(*arguments[0], scope);
      if (name == "any" || name == "all") return emit_any(kEach, *arguments[0], scope, name == "all");
      if (name == "range") return emit_range(node, scope);
      if (name == "getpath") {
        if (Done done = emit_under(*arguments[0], scope); done.has_error()) return done;
        return put(Op::get_path), Done();
      }
      return std::nullopt;
    case 2:
      if (name == "any" || name == "all") return emit_any(*arguments[0], *arguments[1], scope, name == "all");
      if (name == "range") return emit_range(node, scope);
      if (name == "while") return emit_while(node, scope);
      if (name == "until") return emit_until(node, scope);
      if (name == "_limit") return emit_limit(node, scope);
      if (name == "_skip") return emit_skip(node, scope);
      return std::nullopt;
    case 3:
      if (name == "range") return emit_range(node, scope);
      return std::nullopt;
    default: return std::nullopt;
  }
}

}  // namespace pawl::jq::detail
