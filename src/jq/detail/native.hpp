/// The table of functions that are written in C++.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "jq/detail/runtime.hpp"

namespace pawl::jq::detail {

/// `arguments[0]` is the input, the others follow in order. They belong to the function: moving from them saves copies.
using NativeFunction = Value (*)(Runtime& runtime, std::span<Value> arguments);

struct Native {
  std::string_view name;
  std::uint8_t arity;  // without the input
  NativeFunction function;
};

/// All of them; an index into this span is what the bytecode holds.
[[nodiscard]] std::span<const Native> natives();
/// Index of `name/arity`, negative if there is none.
[[nodiscard]] int find_native(std::string_view name, std::size_t arity);

// Each theme lists its own.
[[nodiscard]] std::span<const Native> collection_natives();
[[nodiscard]] std::span<const Native> date_natives();
[[nodiscard]] std::span<const Native> math_natives();
[[nodiscard]] std::span<const Native> path_natives();
[[nodiscard]] std::span<const Native> regex_natives();
[[nodiscard]] std::span<const Native> string_natives();

/// `@name` by number; 0 is `@text`. Negative for a name that is none.
[[nodiscard]] int find_format(std::string_view name);
[[nodiscard]] Value apply_format(Runtime& runtime, int format, Value value);

}  // namespace pawl::jq::detail
