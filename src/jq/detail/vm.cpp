#include "jq/detail/vm.hpp"

#include <algorithm>
#include <bit>
#include <new>
#include <stdexcept>

#include "jq/detail/ops.hpp"

namespace pawl::jq::detail {
namespace {

std::int64_t pack_closure(std::uint32_t proto, std::uint32_t frame) {
  return std::bit_cast<std::int64_t>((static_cast<std::uint64_t>(proto) << 32U) | frame);
}

}  // namespace

Machine::Machine(std::shared_ptr<const Code> code, Value input, std::vector<Value> variables, std::uint64_t fuel, std::int64_t memory,
                 std::optional<TimePoint> now)
    : code_(std::move(code)), runtime_(fuel, memory, now), variables_(std::move(variables)) {
  values_.reserve(16);
  values_.emplace_back();
  Frame main;
  main.slots_end = code_->protos[0].slots;
  frames_.push_back(main);
  slots_.resize(main.slots_end);
  push(std::move(input));
}

bool Machine::pay() {
  slice_ = 0;
  runtime_.set_overhead(values_.capacity() * sizeof(Block) + frames_.capacity() * sizeof(Frame) + slots_.capacity() * sizeof(Value) +
                        forks_.capacity() * sizeof(Fork));
  return runtime_.spend(kSlice) && runtime_.check_memory();
}

bool Machine::next(Value& result) {
  if (finished_) return false;
  runtime_.enter();
  bool got = false;
  try {
    got = run(result);
  } catch (const std::bad_alloc&) {
    runtime_.out_of_memory();
  } catch (const std::length_error&) {
    runtime_.out_of_memory();
  }
  if (got && result.depth() > kMaxDepth) {
    runtime_.fail("The result is nested too deeply");
    got = false;
  }
  finished_ = !got;
  runtime_.leave();
  return got;
}

// --- stack of values ---

void Machine::push(Value value) {
  const Index at = std::max(top_, value_limit_) + 1;
  if (at < values_.size()) {
    values_[at].value = std::move(value);
    values_[at].below = top_;
  } else {
    values_.push_back({std::move(value), top_});
  }
  top_ = at;
}

Value Machine::pop() {
  Block& block = values_[top_];
  const bool frozen = top_ <= value_limit_;
  top_ = block.below;
  return frozen ? Value(block.value) : std::move(block.value);
}

void Machine::set_top(Value value) {
  if (top_ > value_limit_) {
    values_[top_].value = std::move(value);
  } else {
    top_ = values_[top_].below;
    push(std::move(value));
  }
}

// --- frames ---

Machine::Index Machine::frame_up(std::uint32_t levels) const {
  Index at = frame_;
  while (levels-- > 0) at = frames_[at].outer;
  return at;
}

/// Makes the frame of a called function. `pc` is the first of its `argument_*` instructions; `after` where the caller goes on.
void Machine::enter(Index pc, const Instruction& call, const Proto& proto, Index outer, Index after) {
  scratch_.clear();
  for (Index i = 0; i < proto.parameters; ++i) {
    const Instruction& argument = code_->instructions[pc + i];
    if (argument.op == Op::argument_closure) {
      scratch_.emplace_back(pack_closure(static_cast<std::uint32_t>(argument.b), frame_));
    } else {
      scratch_.push_back(slots_[frames_[frame_up(argument.a)].slots + static_cast<Index>(argument.b)]);
    }
  }
  Frame made;
  made.caller = frame_;
  made.outer = outer;
  made.return_to = after;
  if (call.flag == kTail) {
    made.caller = frames_[frame_].caller;
    made.return_to = frames_[frame_].return_to;
    if (frame_ > frame_limit_) {
      slots_.resize(frames_[frame_].slots);
      frame_ = made.caller;
    }
  }
  const Index at = std::max(frame_, frame_limit_) + 1;
  made.slots = std::max(frames_[frame_].slots_end, slot_limit_);
  made.slots_end = made.slots + proto.slots;
  frames_.resize(at);
  frames_.push_back(made);
  slots_.resize(made.slots);
  for (auto& value : scratch_) slots_.push_back(std::move(value));
  slots_.resize(made.slots_end);
  frame_ = at;
}

Machine::Index Machine::leave() {
  const Frame left = frames_[frame_];
  if (frame_ > frame_limit_) {
    slots_.resize(left.slots);
    frames_.resize(frame_);
  }
  frame_ = left.caller;
  return left.return_to;
}

// --- forks ---

Machine::Fork& Machine::fork(Fork::Kind kind, Index resume) {
  Fork& made = forks_.emplace_back();
  made.kind = kind;
  made.resume = resume;
  made.top = top_;
  made.frame = frame_;
  made.value_limit = value_limit_;
  made.frame_limit = frame_limit_;
  made.slot_limit = slot_limit_;
  if (tracking_.active) made.tracking = tracking_;
  value_limit_ = std::max(value_limit_, top_);
  frame_limit_ = std::max(frame_limit_, frame_);
  slot_limit_ = std::max(slot_limit_, frames_[frame_].slots_end);
  return made;
}

void Machine::drop_forks(std::size_t height) {
  if (forks_.size() <= height) return;
  const Fork& lowest = forks_[height];
  value_limit_ = lowest.value_limit;
  frame_limit_ = lowest.frame_limit;
  slot_limit_ = lowest.slot_limit;
  forks_.resize(height);
}

/// Puts the machine where it was when `fork` was made. `keep`: the fork stays and what it protects stays frozen.
void Machine::restore(const Fork& fork, bool keep) {
  top_ = fork.top;
  frame_ = fork.frame;
  value_limit_ = keep ? std::max(fork.value_limit, top_) : fork.value_limit;
  frame_limit_ = keep ? std::max(fork.frame_limit, frame_) : fork.frame_limit;
  slot_limit_ = keep ? std::max(fork.slot_limit, frames_[frame_].slots_end) : fork.slot_limit;
  if (tracking_.active || fork.tracking.active) tracking_ = fork.tracking;
  values_.resize(std::max(top_, value_limit_) + 1);
  frames_.resize(std::max(frame_, frame_limit_) + 1);
  slots_.resize(std::max(frames_[frame_].slots_end, slot_limit_));
}

bool Machine::backtrack(Index& pc) {
  while (!forks_.empty()) {
    Fork& last = forks_.back();
    switch (last.kind) {
      case Fork::Kind::plain:
        pc = last.resume;
        restore(last, false);
        forks_.pop_back();
        return true;
      case Fork::Kind::each: pc = last.resume; return yield_each(last);
      case Fork::Kind::range: {
        pc = last.resume;
        Value number = last.current;
        Value following = arithmetic(runtime_, Binary::add, last.current, last.step);
        const bool rising = last.step.as_double() > 0;
        const bool more = relation(runtime_, rising ? Binary::less : Binary::greater, following, last.end);
        last.current = std::move(following);
        restore(last, more);
        if (!more) forks_.pop_back();
        push(std::move(number));
        return true;
      }
      case Fork::Kind::attempt:
      case Fork::Kind::attempt_end:
        value_limit_ = last.value_limit;
        frame_limit_ = last.frame_limit;
        slot_limit_ = last.slot_limit;
        forks_.pop_back();
        break;
    }
  }
  return false;
}

/// Finds the `try` that an error is for. False when there is none or the error cannot be caught.
bool Machine::unwind(Index& pc) {
  if (runtime_.failure() != Runtime::Failure::raised) return false;
  while (!forks_.empty()) {
    Fork& last = forks_.back();
    if (last.kind == Fork::Kind::attempt) {
      pc = last.resume;
      const bool push_error = last.push_error;
      restore(last, false);
      forks_.pop_back();
      Value error = runtime_.take_error();
      if (push_error) set_top(std::move(error));
      return true;
    }
    // An attempt that has ended is not responsible any more.
    if (last.kind == Fork::Kind::attempt_end) {
      drop_forks(last.begin);
    } else {
      forks_.pop_back();
    }
  }
  return false;
}

// --- generators ---

bool Machine::begin_each(Index after, bool optional) {
  if (!top().is_array() && !top().is_object()) {
    if (optional) return false;
    if (tracking() && !on_path(top())) {
      runtime_.fail("Invalid path expression near attempt to iterate through " + shortened(top()));
    } else {
      runtime_.fail("Cannot iterate over " + describe(top()));
    }
    return true;
  }
  if (tracking() && !on_path(top())) {
    runtime_.fail("Invalid path expression near attempt to iterate through " + shortened(top()));
    return true;
  }
  Value container = pop();
  if (container.empty()) return false;
  Fork& made = fork(Fork::Kind::each, after);
  made.current = std::move(container);
  return yield_each(made);
}

bool Machine::yield_each(Fork& each) {
  const auto position = static_cast<std::size_t>(each.position++);
  const Value& container = each.current;
  Value key;
  Value item;
  if (container.is_array()) {
    item = container.at(position);
    if (each.tracking.active) key = static_cast<std::int64_t>(position);
  } else {
    item = container.members()[position].value;
    if (each.tracking.active) key = container.members()[position].key;
  }
  const bool more = position + 1 < container.size();
  restore(each, more);
  if (!more) forks_.pop_back();
  if (tracking()) follow(key, item);
  push(std::move(item));
  return true;
}

bool Machine::begin_range(Index after, bool with_step) {
  static_cast<void>(pop());
  Value step = with_step ? pop() : Value(1);
  Value end = pop();
  Value from = pop();
  if (!from.is_number() || !end.is_number() || !step.is_number()) {
    runtime_.fail("Range bounds must be numeric");
    return true;
  }
  const double by = step.as_double();
  if (!(by > 0) && !(by < 0)) return false;
  if (!relation(runtime_, by > 0 ? Binary::less : Binary::greater, from, end)) return false;
  Value following = arithmetic(runtime_, Binary::add, from, step);
  if (relation(runtime_, by > 0 ? Binary::less : Binary::greater, following, end)) {
    Fork& made = fork(Fork::Kind::range, after);
    made.current = std::move(following);
    made.end = std::move(end);
    made.step = std::move(step);
  }
  push(std::move(from));
  return true;
}

}  // namespace pawl::jq::detail
