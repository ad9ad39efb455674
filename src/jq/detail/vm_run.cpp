/// The instructions.
#include <cmath>

#include "jq/detail/native.hpp"
#include "jq/detail/ops.hpp"
#include "jq/detail/vm.hpp"

namespace pawl::jq::detail {

// --- path tracking ---

/// A path is followed by identity, as in jq: the value at hand must be the one that the path leads to.
bool Machine::on_path(const Value& value) const {
  const Value& at = tracking_.at;
  if (value.kind() != at.kind()) return false;
  if (value.is_array() || value.is_object()) return value.same_storage(at);
  if (value.kind() == json::Kind::number && std::isnan(value.as_double())) return std::isnan(at.as_double());
  return value == at;
}

void Machine::follow(const Value& key, const Value& value) {
  tracking_.path.push_back(key);
  tracking_.at = value;
}

void Machine::begin_path(std::int32_t saved) {
  slot(saved) = std::exchange(tracking_.path, Value::array());
  slot(saved + 1) = std::exchange(tracking_.at, top());
  slot(saved + 2) = tracking_.paused * 2 + (tracking_.active ? 1 : 0);
  tracking_.active = true;
  tracking_.paused = 0;
}

void Machine::end_path(std::int32_t saved) {
  if (tracking() && !on_path(top())) {
    runtime_.fail("Invalid path expression with result " + shortened(top()));
    return;
  }
  set_top(std::move(tracking_.path));
  tracking_.path = slot(saved);  // copied: the body may come here again
  tracking_.at = slot(saved + 1);
  const std::int64_t state = slot(saved + 2).as_integer();
  tracking_.active = (state & 1) != 0;
  tracking_.paused = static_cast<std::int32_t>(state >> 1);
}

void Machine::get_path() {
  Value root = pop();
  const Value path = pop();
  if (tracking() && !on_path(root)) {
    runtime_.fail("Invalid path expression near attempt to access element " + shortened(path) + " of " + shortened(root));
    return;
  }
  Value found = detail::get_path(runtime_, root, path);
  if (!runtime_.ok()) return;
  if (tracking()) {
    for (const auto& key : path.items()) tracking_.path.push_back(key);
    tracking_.at = found;
  }
  push(std::move(found));
}

// --- single instructions ---

bool Machine::access(const Value& key, bool optional) {
  if (tracking() && !on_path(top())) {
    runtime_.fail("Invalid path expression near attempt to access element " + shortened(key) + " of " + shortened(top()));
    return true;
  }
  Value found = index(runtime_, top(), key);
  if (!runtime_.ok()) {
    if (!optional || runtime_.failure() != Runtime::Failure::raised) return true;
    static_cast<void>(runtime_.take_error());
    return false;
  }
  if (tracking()) follow(key, found);
  set_top(std::move(found));
  return true;
}

void Machine::binary(Binary op, Value right) {
  Value left = pop();
  if (left.is_integer() && right.is_integer()) {
    const std::int64_t a = left.as_integer();
    const std::int64_t b = right.as_integer();
    std::int64_t result = 0;
    switch (op) {
      case Binary::add:
        if (!__builtin_add_overflow(a, b, &result)) return push(result);
        break;
      case Binary::subtract:
        if (!__builtin_sub_overflow(a, b, &result)) return push(result);
        break;
      case Binary::equal: return push(a == b);
      case Binary::less: return push(a < b);
      case Binary::greater: return push(a > b);
      default: break;
    }
  }
  if (op < Binary::equal) {
    push(arithmetic(runtime_, op, std::move(left), std::move(right)));
  } else {
    push(relation(runtime_, op, left, right));
  }
}

void Machine::call_native(const Instruction& instruction) {
  constexpr std::size_t kMost = 8;
  Value arguments[kMost];
  const std::size_t count = instruction.a + 1U;
  for (std::size_t i = 0; i < count; ++i) arguments[i] = pop();
  push(natives()[static_cast<std::size_t>(instruction.b)].function(runtime_, std::span<Value>(arguments, count)));
}

void Machine::make_text(const TextPlan& plan) {
  const std::size_t count = plan.strings.size() - 1;
  if (count == 1 && plan.strings[0].empty() && plan.strings[1].empty()) {
    Value value = pop();
    push(apply_format(runtime_, plan.format, std::move(value)));
    return;
  }
  std::string out = plan.strings[0];
  for (std::size_t i = 0; i < count; ++i) {
    const Value part = apply_format(runtime_, plan.format, pop());
    if (!runtime_.ok() || !runtime_.reserve(part.size())) break;
    out += part.as_string();
    out += plan.strings[i + 1];
  }
  push(Value(std::move(out)));
}

void Machine::make_array(std::size_t count) {
  std::vector<Value> items(count);
  for (std::size_t i = count; i-- > 0;) items[i] = pop();
  push(Value::array(std::move(items)));
}

/// `keys`: nullptr where they lie on the stack, each below its value.
void Machine::make_object(const Value* keys, std::size_t count) {
  scratch_.resize(count * 2);
  for (std::size_t i = count; i-- > 0;) {
    scratch_[2 * i + 1] = pop();
    if (!keys) scratch_[2 * i] = pop();
  }
  Value object = Value::object();
  object.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Value& key = keys ? keys[i] : scratch_[2 * i];
    if (!key.is_string()) {
      runtime_.fail("Object keys must be strings");
      break;
    }
    object.set_shared(key, std::move(scratch_[2 * i + 1]));
  }
  scratch_.clear();
  push(std::move(object));
}

void Machine::update_take(std::int32_t state) {
  Value& root = slot(state);
  const Value& path = slot(state + 1);
  if (path.size() == 1 && root.depth() > 0) {
    Value found = index(runtime_, root, path.at(0));
    if (runtime_.ok() && found.depth() > 0) {
      found = Value();
      found = take_index(runtime_, root, path.at(0));
    }
    push(std::move(found));
    return;
  }
  push(take_path(runtime_, root, path));
}

void Machine::update_put(std::int32_t state) {
  Value value = pop();
  Value root = std::move(slot(state));
  const Value& path = slot(state + 1);
  if (path.size() == 1) {
    slot(state) = set_index(runtime_, std::move(root), path.at(0), std::move(value));
  } else {
    slot(state) = set_path(runtime_, std::move(root), path, std::move(value));
  }
}

bool Machine::run(Value& result) {
  const Instruction* const code = code_->instructions.data();
  const Value* const constants = code_->constants.data();
  Index pc = 0;
  if (!started_) {
    started_ = true;
    pc = code_->protos[0].entry;
  } else if (!backtrack(pc)) {
    return false;
  }
  while (true) {
    const Instruction& now = code[pc];
    bool goes_on = true;  // false: backtrack
    if (++slice_ >= kSlice && !pay()) return false;
    ++pc;
    switch (now.op) {
      case Op::output: result = pop(); return true;
      case Op::backtrack: goes_on = false; break;
      case Op::constant: set_top(constants[now.b]); break;
      case Op::under_constant: {
        Value value = pop();
        push(constants[now.b]);
        push(std::move(value));
        break;
      }
      case Op::load: set_top(slots_[frames_[frame_up(now.a)].slots + static_cast<Index>(now.b)]); break;
      case Op::under_load: {
        Value value = pop();
        push(slots_[frames_[frame_up(now.a)].slots + static_cast<Index>(now.b)]);
        push(std::move(value));
        break;
      }
      case Op::global: set_top(variables_[static_cast<std::size_t>(now.b)]); break;
      case Op::under_global: {
        Value value = pop();
        push(variables_[static_cast<std::size_t>(now.b)]);
        push(std::move(value));
        break;
      }
      case Op::duplicate: push(Value(top())); break;
      case Op::pop: static_cast<void>(pop()); break;
      case Op::swap: {
        Value upper = pop();
        Value lower = pop();
        push(std::move(upper));
        push(std::move(lower));
        break;
      }
      case Op::store: slot(now.b) = pop(); break;
      case Op::store_constant: slot(now.a) = constants[now.b]; break;
      case Op::take: set_top(std::exchange(slot(now.b), Value())); break;
      case Op::push_take: push(std::exchange(slot(now.b), Value())); break;
      case Op::index_constant: goes_on = access(constants[now.b], now.flag == kOptional); break;
      case Op::index: {
        Value base = pop();
        const Value key = pop();
        push(std::move(base));
        goes_on = access(key, now.flag == kOptional);
        break;
      }
      case Op::slice: {
        Value base = pop();
        const Value to = pop();
        const Value from = pop();
        push(std::move(base));
        goes_on = access(slice_key(from, to), now.flag == kOptional);
        break;
      }
      case Op::each: goes_on = begin_each(pc, now.flag == kOptional); break;
      case Op::binary: {
        Value left = pop();
        Value right = pop();
        push(std::move(left));
        binary(static_cast<Binary>(now.flag), std::move(right));
        break;
      }
      case Op::binary_constant: binary(static_cast<Binary>(now.flag), constants[now.b]); break;
      case Op::binary_load:
        binary(static_cast<Binary>(now.flag), slots_[frames_[frame_up(now.a)].slots + static_cast<Index>(now.b)]);
        break;
      case Op::negate:
        if (top().is_number()) {
          set_top(negated(top()));
        } else {
          runtime_.fail(describe(top()) + " cannot be negated");
        }
        break;
      case Op::truth: set_top(top().truthy()); break;
      case Op::inside: ++tracking_.paused; break;
      case Op::outside: --tracking_.paused; break;
      case Op::fork: fork(Fork::Kind::plain, pc - 1 + static_cast<Index>(now.b)); break;
      case Op::jump: pc += static_cast<Index>(now.b) - 1; break;
      case Op::jump_if_false:
        if (!pop().truthy()) pc += static_cast<Index>(now.b) - 1;
        break;
      case Op::try_begin: {
        slot(now.a) = static_cast<std::int64_t>(forks_.size());
        fork(Fork::Kind::attempt, pc - 1 + static_cast<Index>(now.b)).push_error = now.flag == kTryPush;
        break;
      }
      case Op::try_end: {
        const std::int64_t begin = slot(now.b).as_integer();
        if (begin < 0) break;
        if (forks_.size() == static_cast<std::size_t>(begin) + 1) {
          drop_forks(static_cast<std::size_t>(begin));  // no more results: the attempt is over for good
        } else {
          fork(Fork::Kind::attempt_end, 0).begin = static_cast<Index>(begin);
        }
        break;
      }
      case Op::alternative_end:
        goes_on = top().truthy();
        if (goes_on) slot(now.b) = true;
        break;
      case Op::backtrack_if: goes_on = !slot(now.b).truthy(); break;
      case Op::keep_if_true: {
        Value upper = pop();
        if (upper.truthy()) {
          set_top(std::move(upper));
          pc += static_cast<Index>(now.b) - 1;
        }
        break;
      }
      case Op::mark: slot(now.b) = static_cast<std::int64_t>(forks_.size()); break;
      case Op::cut: drop_forks(static_cast<std::size_t>(slot(now.b).as_integer())); break;
      case Op::break_out:
        drop_forks(static_cast<std::size_t>(slots_[frames_[frame_up(now.a)].slots + static_cast<Index>(now.b)].as_integer()));
        goes_on = false;
        break;
      case Op::path_begin: begin_path(now.b); break;
      case Op::path_end: end_path(now.b); break;
      case Op::call: {
        const Proto& proto = code_->protos[static_cast<std::size_t>(now.b)];
        enter(pc, now, proto, frame_up(now.a), pc + proto.parameters);
        pc = proto.entry;
        break;
      }
      case Op::call_closure: {
        const auto packed = static_cast<std::uint64_t>(slots_[frames_[frame_up(now.a)].slots + static_cast<Index>(now.b)].as_integer());
        const Proto& proto = code_->protos[packed >> 32U];
        enter(pc, now, proto, static_cast<Index>(packed & 0xFFFFFFFFU), pc);
        pc = proto.entry;
        break;
      }
      case Op::argument_closure:
      case Op::argument_forward: break;  // read by the call before them
      case Op::finish: pc = leave(); break;
      case Op::native: call_native(now); break;
      case Op::get_path: get_path(); break;
      case Op::append: {
        Value item = pop();
        slot(now.b).push_back(std::move(item));
        break;
      }
      case Op::make_array: make_array(static_cast<std::size_t>(now.b)); break;
      case Op::make_object: make_object(constants + now.b, now.a); break;
      case Op::make_object_with_keys: make_object(nullptr, static_cast<std::size_t>(now.b)); break;
      case Op::text: make_text(code_->texts[static_cast<std::size_t>(now.b)]); break;
      case Op::range: goes_on = begin_range(pc, false); break;
      case Op::range_by: goes_on = begin_range(pc, true); break;
      case Op::raise: runtime_.raise(pop()); break;
      case Op::assign: {
        Value root = std::move(slot(now.b));
        slot(now.b) = set_path(runtime_, std::move(root), slot(now.b + 1), slot(now.a));
        break;
      }
      case Op::update_take: update_take(now.b); break;
      case Op::update_put: update_put(now.b); break;
      case Op::update_drop:
        if (slot(now.b + 2).is_null()) slot(now.b + 2) = Value::array();
        slot(now.b + 2).push_back(slot(now.b + 1));
        break;
      case Op::update_finish: {
        Value updated = std::move(slot(now.b));
        if (slot(now.b + 2).is_array()) updated = delete_paths(runtime_, std::move(updated), slot(now.b + 2));
        set_top(std::move(updated));
        break;
      }
      case Op::count_down: {
        const Value left = arithmetic(runtime_, Binary::subtract, slot(now.a), 1);
        slot(now.a) = left;
        if (left.is_number() && left.as_double() <= 0) pc += static_cast<Index>(now.b) - 1;
        break;
      }
      case Op::now:
        if (runtime_.now()) {
          set_top(static_cast<double>(runtime_.now()->time_since_epoch().count()) / 1000.0);
        } else {
          runtime_.fail("now is not available here");
        }
        break;
    }
    if (!runtime_.ok()) {
      if (!unwind(pc)) return false;
    } else if (!goes_on && !backtrack(pc)) {
      return false;
    }
  }
}

}  // namespace pawl::jq::detail
