/// The operators of the language on values: arithmetic, comparison, access, text. All walk without recursion and pay the runtime for what
/// they touch.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "jq/detail/ast.hpp"
#include "jq/detail/runtime.hpp"

namespace pawl::jq::detail {

[[nodiscard]] std::string_view kind_name(const Value& value);
/// `number (1)`: the kind and the beginning of the text, as error messages show values.
[[nodiscard]] std::string describe(const Value& value);

/// The beginning of the JSON text of a value, at most 29 bytes.
[[nodiscard]] std::string shortened(const Value& value);

/// Writes compact JSON; what is nested too deeply is skipped with a remark, as jq does.
void append_json(Runtime& runtime, std::string& out, const Value& value);
[[nodiscard]] std::string to_json(Runtime& runtime, const Value& value);
/// A string is itself; everything else its JSON.
[[nodiscard]] Value to_string(Runtime& runtime, Value value);

[[nodiscard]] Value negated(const Value& number);
[[nodiscard]] Value integral(double number);  ///< as an integer where it is one that fits
[[nodiscard]] Value arithmetic(Runtime& runtime, Binary op, Value left, Value right);
[[nodiscard]] bool equal(Runtime& runtime, const Value& left, const Value& right);
[[nodiscard]] int compare(Runtime& runtime, const Value& left, const Value& right);
/// Any of the comparison operators.
[[nodiscard]] bool relation(Runtime& runtime, Binary op, const Value& left, const Value& right);

/// `base[key]` for every kind of key.
[[nodiscard]] Value index(Runtime& runtime, const Value& base, const Value& key);
[[nodiscard]] Value slice(Runtime& runtime, const Value& base, const Value& from, const Value& to);
/// The key that stands for a slice in a path.
[[nodiscard]] Value slice_key(const Value& from, const Value& to);
/// `base[key] = value`. Takes `base` by value: give it away and nothing is copied.
[[nodiscard]] Value set_index(Runtime& runtime, Value base, const Value& key, Value value);
/// The value at `key` of `base`, taken out where that is possible without changing what others see.
[[nodiscard]] Value take_index(Runtime& runtime, Value& base, const Value& key);
/// `base` without `keys` (all of them keys of `base` itself).
[[nodiscard]] Value delete_keys(Runtime& runtime, Value base, std::span<const Value> keys);

[[nodiscard]] Value get_path(Runtime& runtime, const Value& root, const Value& path);
[[nodiscard]] Value set_path(Runtime& runtime, Value root, const Value& path, Value value);
/// The value at `path`, for a `set_path` of the same path that follows: where that saves a copy it is taken out, leaving null.
[[nodiscard]] Value take_path(Runtime& runtime, Value& root, const Value& path);
[[nodiscard]] Value delete_paths(Runtime& runtime, Value root, const Value& paths);

/// Positions at which `part` occurs in `whole`.
[[nodiscard]] Value indices(Runtime& runtime, const Value& whole, const Value& part);
/// Stable sort by the language's order of `keys[i]`; gives the permutation. False when it failed.
[[nodiscard]] bool sort_order(Runtime& runtime, std::span<const Value> keys, std::vector<std::uint32_t>& order);

/// A number as `tonumber` reads it: no blanks around it, a sign of either kind.
[[nodiscard]] std::optional<Value> parse_number(std::string_view text);
[[nodiscard]] Value parse_json(Runtime& runtime, std::string_view text);

}  // namespace pawl::jq::detail
