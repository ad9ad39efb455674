/// The machine that runs compiled expressions.
///
/// Results come one at a time: where an expression has several, a *fork* remembers how to go on, and `backtrack` resumes the youngest.
/// Values, frames and slots live in three stacks that forks freeze: what lies below a fork is never overwritten, only shadowed, so a
/// fork costs the same whatever it protects. What is not frozen is moved instead of copied, so that `. + [$x]` in a `reduce` changes the
/// accumulator in place.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "jq/detail/ast.hpp"
#include "jq/detail/bytecode.hpp"
#include "jq/detail/runtime.hpp"

namespace pawl::jq::detail {

class Machine {
 public:
  Machine(std::shared_ptr<const Code> code, Value input, std::vector<Value> variables, std::uint64_t fuel, std::int64_t memory,
          std::optional<TimePoint> now);

  /// True: a result in `result`. False: the end, or a failure that `runtime()` tells.
  bool next(Value& result);
  [[nodiscard]] Runtime& runtime() { return runtime_; }

 private:
  using Index = std::uint32_t;
  static constexpr std::uint32_t kSlice = 64;  // instructions between two payments

  struct Block {
    Value value;
    Index below = 0;
  };
  struct Frame {
    Index caller = 0;
    Index outer = 0;  // frame of the function around this one
    Index slots = 0;  // first of its slots
    Index slots_end = 0;
    Index return_to = 0;
  };
  /// What `path(..)` follows: the path so far and the value it leads to.
  struct Tracking {
    Value path;
    Value at;
    std::int32_t paused = 0;
    bool active = false;
  };
  struct Fork {
    enum class Kind : std::uint8_t { plain, attempt, attempt_end, each, range };
    Kind kind = Kind::plain;
    bool push_error = false;
    Index resume = 0;
    Index top = 0;
    Index frame = 0;
    Index value_limit = 0;  // the limits before this fork
    Index frame_limit = 0;
    Index slot_limit = 0;
    Index begin = 0;  // attempt_end: height of the fork stack where the attempt began
    std::int32_t position = 0;
    Value current;  // each: the container; range: the next number
    Value end;
    Value step;
    Tracking tracking;
  };

  bool run(Value& result);
  [[nodiscard]] bool pay();

  // The stack of values.
  void push(Value value);
  [[nodiscard]] Value pop();
  [[nodiscard]] const Value& top() const { return values_[top_].value; }
  void set_top(Value value);

  // Frames and slots.
  [[nodiscard]] Value& slot(std::int32_t number) { return slots_[frames_[frame_].slots + static_cast<Index>(number)]; }
  [[nodiscard]] Index frame_up(std::uint32_t levels) const;
  void enter(Index pc, const Instruction& call, const Proto& proto, Index outer, Index after);
  Index leave();

  // Forks.
  Fork& fork(Fork::Kind kind, Index resume);
  void drop_forks(std::size_t height);
  void restore(const Fork& fork, bool keep);
  [[nodiscard]] bool backtrack(Index& pc);
  [[nodiscard]] bool unwind(Index& pc);

  // Instructions that are more than a line.
  [[nodiscard]] bool access(const Value& key, bool optional);
  [[nodiscard]] bool begin_each(Index after, bool optional);
  [[nodiscard]] bool yield_each(Fork& fork);
  [[nodiscard]] bool begin_range(Index after, bool with_step);
  void binary(Binary op, Value right);
  void call_native(const Instruction& instruction);
  void make_text(const TextPlan& plan);
  void make_array(std::size_t count);
  void make_object(const Value* keys, std::size_t count);
  void begin_path(std::int32_t saved);
  void end_path(std::int32_t saved);
  void get_path();
  void update_take(std::int32_t state);
  void update_put(std::int32_t state);

  [[nodiscard]] bool tracking() const { return tracking_.active && tracking_.paused == 0; }
  [[nodiscard]] bool on_path(const Value& value) const;
  void follow(const Value& key, const Value& value);

  std::shared_ptr<const Code> code_;
  Runtime runtime_;
  std::vector<Value> variables_;
  std::vector<Block> values_;
  std::vector<Frame> frames_;
  std::vector<Value> slots_;
  std::vector<Fork> forks_;
  std::vector<Value> scratch_;
  Tracking tracking_;
  Index top_ = 0;
  Index frame_ = 0;
  Index value_limit_ = 0;  // blocks up to here are frozen
  Index frame_limit_ = 0;
  Index slot_limit_ = 0;  // slots below this are frozen
  std::uint32_t slice_ = 0;
  bool started_ = false;
  bool finished_ = false;
};

}  // namespace pawl::jq::detail
