/// The compiled form: a stack machine with forks. `vm.cpp` says how it runs.
///
/// Every expression consumes the value on top of the stack (its input `.`) and leaves a result there; `backtrack` asks the youngest fork
/// for another one. In the comments `[a b]` is the stack with its top on the right.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "json/value.hpp"

namespace pawl::jq::detail {

enum class Op : std::uint8_t {
  output,                 // [v] -> []: a result of the program
  backtrack,              //
  constant,               // [v] -> [constants[b]]
  under_constant,         // [v] -> [constants[b] v]
  load,                   // [v] -> [variable]: slot b, a frames up
  under_load,             // [v] -> [variable v]
  global,                 // [v] -> [free variable b]
  under_global,           // [v] -> [variable v]
  duplicate,              // [v] -> [v v]
  pop,                    // [v] -> []
  swap,                   // [u v] -> [v u]
  store,                  // [v] -> []: slot b
  store_constant,         // slot a = constants[b]
  take,                   // [v] -> [slot b], which becomes null
  push_take,              // [] -> [slot b], which becomes null
  index_constant,         // [v] -> [v[constants[b]]]; flag: nothing instead of an error
  index,                  // [key v] -> [v[key]]
  slice,                  // [from to v] -> [v[from:to]]
  each,                   // [v] -> [item], again for each item
  binary,                 // [right left] -> [left op right]; flag: which
  binary_constant,        // [left] -> [left op constants[b]]
  binary_load,            // [left] -> [left op variable]: slot b, a frames up
  negate,                 // [v] -> [-v]
  truth,                  // [v] -> [true or false]
  inside,                 // path tracking pauses
  outside,                // and goes on
  fork,                   // alternative at b
  jump,                   //
  jump_if_false,          // [v] -> []
  try_begin,              // errors go to b; slot a = height of the fork stack. Flag: kTryPush
  try_end,                // of the try whose height is in slot b (negative: of none)
  alternative_end,        // [v] -> [v]: backtracks where v is not true, else sets slot b to true
  backtrack_if,           // where slot b is true
  keep_if_true,           // [u v] -> [v] and a jump where v is true, else [u]
  mark,                   // slot b = height of the fork stack
  cut,                    // forks above slot b go away
  break_out,              // cut (slot b, a frames up), then backtrack
  path_begin,             // track paths from here; slots b .. b+2 hold what was tracked before
  path_end,               // [v] -> [path]
  call,                   // function b, whose home is a frames up; `argument_*` follow. Flag: kTail
  call_closure,           // closure in slot b, a frames up. Flag: kTail
  argument_closure,       // code b with the current frame
  argument_forward,       // the closure in slot b, a frames up
  finish,                 // end of a function
  native,                 // [an .. a1 v] -> [result]: native b with a arguments
  get_path,               // [path v] -> [v at path], seen by path tracking
  append,                 // [v] -> []: to the array in slot b
  make_array,             // [v1 .. vn] -> [array], n = b
  make_object,            // [v1 .. vn] -> [object]: keys are constants[b ..], n = a
  make_object_with_keys,  // [k1 v1 .. kn vn] -> [object], n = b
  text,                   // [vn .. v1] -> [string]: texts[b]
  range,                  // [from to v] -> [number], again until `to`
  range_by,               // [from to by v] -> [number]
  raise,                  // [v]: error
  assign,                 // slot b at path slot b+1 = slot a
  update_take,            // [] -> [value of slot b at path slot b+1]
  update_put,             // [v] -> []: into slot b at path slot b+1
  update_drop,            // path slot b+1 is to be deleted: remembered in slot b+2
  update_finish,          // [v] -> [slot b without the paths of slot b+2]
  count_down,             // slot a = slot a - 1; jumps where that makes it 0 or less
  now,                    // [v] -> [seconds since the epoch]
};

inline constexpr std::uint8_t kOptional = 1;
inline constexpr std::uint8_t kTail = 1;
inline constexpr std::uint8_t kTryPush = 1;  // the error replaces the input of the handler

struct Instruction {
  Op op = Op::backtrack;
  std::uint8_t flag = 0;
  std::uint16_t a = 0;
  std::int32_t b = 0;  // jumps: relative to this instruction
};

/// `"..\(v1)..\(v2).."`
struct TextPlan {
  std::vector<std::string> strings;  // one more than values
  int format = 0;
};

struct Proto {
  std::uint32_t entry = 0;
  std::uint32_t slots = 0;  // parameters first
  std::uint32_t parameters = 0;
};

/// What a program is when it needs no VM.
enum class Simple : std::uint8_t { no, path, constant, variable };

struct Code {
  std::vector<Instruction> instructions;
  std::vector<Proto> protos;  // the first is the program
  std::vector<json::Value> constants;
  std::vector<TextPlan> texts;
  Simple simple = Simple::no;
  std::vector<json::Value> simple_path;  // keys; also the constant
  std::uint32_t simple_variable = 0;
  std::vector<bool> used_variables;
  bool uses_now = false;
  bool constant = false;
};

}  // namespace pawl::jq::detail
