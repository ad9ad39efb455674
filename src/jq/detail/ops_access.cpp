#include <algorithm>
#include <cmath>
#include <optional>

#include "jq/detail/ops.hpp"
#include "jq/detail/utf8.hpp"

namespace pawl::jq::detail {
namespace {

constexpr std::int64_t kMaxIndex = 536'870'911;  // as in jq: a larger array is a mistake, not data

Value cannot_index(Runtime& runtime, const Value& base, const Value& key) {
  std::string message = "Cannot index ";
  message += kind_name(base);
  message += " with ";
  message += key.is_string() || key.is_number() ? describe(key) : std::string(kind_name(key));
  return runtime.fail(std::move(message));
}

std::string dotted(std::string_view verb, const Value& key, std::string_view of, const Value& base) {
  std::string message(verb);
  message += kind_name(key);
  message += of;
  message += kind_name(base);
  return message;
}

struct Range {
  std::size_t from = 0;
  std::size_t to = 0;
};

/// The part of `length` items that a slice means: bounds count from the end when negative, and are rounded outwards.
std::optional<Range> slice_range(Runtime& runtime, const Value& from, const Value& to, std::size_t length) {
  if ((!from.is_null() && !from.is_number()) || (!to.is_null() && !to.is_number())) {
    runtime.fail("Start and end indices of an array slice must be numbers");
    return std::nullopt;
  }
  const auto size = static_cast<double>(length);
  double first = from.is_null() ? 0 : from.as_double();
  double last = to.is_null() ? size : to.as_double();
  if (std::isnan(first)) first = 0;
  if (std::isnan(last)) last = size;
  if (first < 0) first += size;
  if (last < 0) last += size;
  first = std::floor(std::clamp(first, 0.0, size));
  last = std::ceil(std::clamp(last, 0.0, size));
  last = std::max(last, first);
  return Range{static_cast<std::size_t>(first), static_cast<std::size_t>(last)};
}

/// Position in an array of `length` items; negative when it lies before the first.
std::int64_t position(const Value& key, std::size_t length) {
  const double number = key.as_double();
  constexpr double kFar = 4e18;
  const std::int64_t at = key.is_integer() ? key.as_integer() : static_cast<std::int64_t>(std::clamp(number, -kFar, kFar));
  return at < 0 ? at + static_cast<std::int64_t>(length) : at;
}

bool is_nan(const Value& key) { return key.kind() == json::Kind::number && std::isnan(key.as_double()); }

Value set_slice(Runtime& runtime, Value base, const Value& key, const Value& value) {
  if (base.is_null()) base = Value::array();
  if (!base.is_array()) return runtime.fail("Cannot update field at object index of " + std::string(kind_name(base)));
  const auto range = slice_range(runtime, key.get("start"), key.get("end"), base.size());
  if (!range) return {};
  if (!value.is_array()) return runtime.fail("A slice of an array can only be assigned another array");
  if (!runtime.reserve((base.size() + value.size()) * sizeof(Value))) return {};
  std::vector<Value> items;
  items.reserve(base.size() + value.size());
  const auto old = base.items();
  const auto begin = old.begin();
  items.insert(items.end(), begin, begin + static_cast<std::ptrdiff_t>(range->from));
  items.insert(items.end(), value.items().begin(), value.items().end());
  items.insert(items.end(), begin + static_cast<std::ptrdiff_t>(range->to), old.end());
  return Value::array(std::move(items));
}

Value set_item(Runtime& runtime, Value base, const Value& key, Value value) {
  if (is_nan(key)) return runtime.fail("Cannot set array element at NaN index");
  if (base.is_null()) base = Value::array();
  const std::int64_t at = position(key, base.size());
  if (at < 0) return runtime.fail("Out of bounds negative array index");
  if (at > kMaxIndex) return runtime.fail("Array index too large");
  const auto index = static_cast<std::size_t>(at);
  if (index < base.size()) {
    base.set(index, std::move(value));
    return base;
  }
  if (index > base.size() + 64 && !runtime.reserve((index - base.size()) * sizeof(Value) * 2)) return {};
  while (base.size() < index) base.push_back(Value());
  base.push_back(std::move(value));
  return base;
}

Value delete_items(Runtime& runtime, const Value& base, std::span<const Value> keys) {
  std::vector<bool> doomed(base.size(), false);
  for (const auto& key : keys) {
    if (key.is_number()) {
      const std::int64_t at = is_nan(key) ? -1 : position(key, base.size());
      if (at >= 0 && static_cast<std::size_t>(at) < doomed.size()) doomed[static_cast<std::size_t>(at)] = true;
    } else if (key.is_object()) {
      const auto range = slice_range(runtime, key.get("start"), key.get("end"), base.size());
      if (!range) return {};
      if (!runtime.spend(1 + (range->to - range->from) / 8)) return {};
      std::fill(doomed.begin() + static_cast<std::ptrdiff_t>(range->from), doomed.begin() + static_cast<std::ptrdiff_t>(range->to), true);
    } else {
      return runtime.fail(dotted("Cannot delete field at ", key, " index of ", base));
    }
  }
  if (!runtime.reserve(base.size() * sizeof(Value))) return {};
  std::vector<Value> kept;
  for (std::size_t i = 0; i < doomed.size(); ++i) {
    if (!doomed[i]) kept.push_back(base.at(i));
  }
  return Value::array(std::move(kept));
}

}  // namespace

Value slice_key(const Value& from, const Value& to) {
  Value key = Value::object();
  key.set("start", from);
  key.set("end", to);
  return key;
}

Value slice(Runtime& runtime, const Value& base, const Value& from, const Value& to) {
  if (base.is_null()) return {};
  if (base.is_array()) {
    const auto range = slice_range(runtime, from, to, base.size());
    if (!range) return {};
    if (range->from == 0 && range->to == base.size()) return base;
    if (!runtime.reserve((range->to - range->from) * sizeof(Value))) return {};
    const auto begin = base.items().begin();
    return Value::array(
        std::vector<Value>(begin + static_cast<std::ptrdiff_t>(range->from), begin + static_cast<std::ptrdiff_t>(range->to)));
  }
  if (base.is_string()) {
    const auto text = base.as_string();
    if (!runtime.reserve(text.size())) return {};
    const auto range = slice_range(runtime, from, to, count_code_points(text));
    if (!range) return {};
    const std::size_t begin = byte_offset(text, range->from);
    const std::size_t length = byte_offset(text.substr(begin), range->to - range->from);
    return Value(text.substr(begin, length));
  }
  return cannot_index(runtime, base, Value::object());
}

Value index(Runtime& runtime, const Value& base, const Value& key) {
  if (base.is_object() && key.is_string()) return base.get(key.as_string());
  if (base.is_array() && key.is_number()) {
    if (is_nan(key)) return {};
    const std::int64_t at = position(key, base.size());
    return at >= 0 && static_cast<std::size_t>(at) < base.size() ? base.at(static_cast<std::size_t>(at)) : Value();
  }
  if (key.is_object() && (base.is_array() || base.is_string() || base.is_null())) {
    return slice(runtime, base, key.get("start"), key.get("end"));
  }
  if (base.is_array() && key.is_array()) return indices(runtime, base, key);
  if (base.is_null() && (key.is_string() || key.is_number() || key.is_null())) return {};
  return cannot_index(runtime, base, key);
}

Value set_index(Runtime& runtime, Value base, const Value& key, Value value) {
  if (key.is_string() && (base.is_object() || base.is_null())) {
    if (base.is_null()) base = Value::object();
    base.set_shared(key, std::move(value));
    return base;
  }
  if (key.is_number() && (base.is_array() || base.is_null())) return set_item(runtime, std::move(base), key, std::move(value));
  if (key.is_object()) return set_slice(runtime, std::move(base), key, value);
  if (key.is_array()) return runtime.fail(dotted("Cannot update field at ", key, " index of ", base));
  return cannot_index(runtime, base, key);
}

Value take_index(Runtime& runtime, Value& base, const Value& key) {
  if (base.is_object() && key.is_string()) {
    return base.find(key.as_string()) ? base.take(key.as_string()) : Value();
  }
  if (base.is_array() && key.is_number() && !is_nan(key)) {
    const std::int64_t at = position(key, base.size());
    return at >= 0 && static_cast<std::size_t>(at) < base.size() ? base.take(static_cast<std::size_t>(at)) : Value();
  }
  return index(runtime, base, key);
}

Value delete_keys(Runtime& runtime, Value base, std::span<const Value> keys) {
  if (base.is_null()) return base;
  if (base.is_array()) return delete_items(runtime, base, keys);
  for (const auto& key : keys) {
    if (!base.is_object() || !key.is_string()) {
      if (key.is_object()) return runtime.fail("Cannot delete fields from " + std::string(kind_name(base)));
      return runtime.fail(dotted("Cannot delete ", key, " field of ", base));
    }
    if (!runtime.spend(1 + base.size() / 8)) return {};
    base.erase(key.as_string());
  }
  return base;
}

Value get_path(Runtime& runtime, const Value& root, const Value& path) {
  if (!path.is_array()) return runtime.fail("Path must be specified as an array");
  if (path.size() > kMaxDepth - 1) return runtime.fail("Path too deep");
  Value current = root;
  for (const auto& key : path.items()) {
    if (current.is_null()) return {};
    current = index(runtime, current, key);
    if (!runtime.spend(1) || !runtime.ok()) return {};
  }
  return current;
}

Value set_path(Runtime& runtime, Value root, const Value& path, Value value) {
  if (!path.is_array()) return runtime.fail("Path must be specified as an array");
  if (path.size() > kMaxDepth - 1) return runtime.fail("Path too deep");
  // Down with everything taken out of its container, so that each container has one owner and changes in place; then up again.
  const auto keys = path.items();
  std::vector<Value> containers;
  containers.reserve(keys.size());
  for (const auto& key : keys) {
    Value child = take_index(runtime, root, key);
    if (!runtime.spend(1) || !runtime.ok()) return {};
    containers.push_back(std::exchange(root, std::move(child)));
  }
  root = std::move(value);
  for (std::size_t i = keys.size(); i-- > 0;) {
    root = set_index(runtime, std::move(containers[i]), keys[i], std::move(root));
    if (!runtime.ok()) return {};
  }
  return root;
}

Value take_path(Runtime& runtime, Value& root, const Value& path) {
  Value found = get_path(runtime, root, path);
  if (!runtime.ok() || found.depth() == 0) return found;
  const auto keys = path.items();
  for (const auto& key : keys) {
    if (key.is_object()) return found;  // a slice is a copy
  }
  found = Value();
  std::vector<Value> containers;
  containers.reserve(keys.size());
  Value current = std::exchange(root, Value());
  for (const auto& key : keys) {
    Value child = take_index(runtime, current, key);
    containers.push_back(std::exchange(current, std::move(child)));
  }
  for (std::size_t i = keys.size(); i-- > 0;) {
    Value child = i + 1 == keys.size() ? Value() : std::exchange(root, Value());
    root = set_index(runtime, std::move(containers[i]), keys[i], std::move(child));
  }
  return current;
}

namespace {

/// Deletes `keys` below `parent`, a path that leads to their container. Nothing happens where the path leads to nothing.
Value delete_below(Runtime& runtime, Value root, std::span<const Value> parent, std::span<const Value> keys) {
  std::vector<Value> containers;
  for (const auto& key : parent) {
    if (!runtime.spend(1)) return {};
    if (root.is_null()) break;
    Value child = index(runtime, root, key);
    if (!runtime.ok()) return {};
    if (child.is_null()) break;
    // Slices are not taken out of their container: they are copies, put back as a whole.
    if (!key.is_object()) child = take_index(runtime, root, key);
    containers.push_back(std::exchange(root, std::move(child)));
  }
  if (containers.size() == parent.size()) {
    root = delete_keys(runtime, std::move(root), keys);
    if (!runtime.ok()) return {};
  }
  for (std::size_t i = containers.size(); i-- > 0;) {
    root = set_index(runtime, std::move(containers[i]), parent[i], std::move(root));
    if (!runtime.ok()) return {};
  }
  return root;
}

bool same_parent(Runtime& runtime, const Value& a, const Value& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i + 1 < a.size(); ++i) {
    if (!equal(runtime, a.at(i), b.at(i))) return false;
  }
  return true;
}

}  // namespace

Value delete_paths(Runtime& runtime, Value root, const Value& paths) {
  if (!paths.is_array()) return runtime.fail("Paths must be specified as an array");
  for (const auto& path : paths.items()) {
    if (!path.is_array()) return runtime.fail("Path must be specified as array, not " + std::string(kind_name(path)));
    if (path.size() > kMaxDepth - 1) return runtime.fail("Path too deep");
  }
  std::vector<std::uint32_t> order;
  if (!sort_order(runtime, paths.items(), order)) return {};
  // From the last to the first, so that what is deleted does not move what is still to be deleted; siblings at once.
  for (std::size_t end = order.size(); end > 0;) {
    const Value& last = paths.at(order[end - 1]);
    if (last.empty()) return {};
    std::size_t begin = end - 1;
    while (begin > 0 && same_parent(runtime, paths.at(order[begin - 1]), last)) --begin;
    std::vector<Value> keys;
    for (std::size_t i = begin; i < end; ++i) keys.push_back(paths.at(order[i]).items().back());
    root = delete_below(runtime, std::move(root), last.items().first(last.size() - 1), keys);
    if (!runtime.ok()) return {};
    end = begin;
  }
  return root;
}

Value indices(Runtime& runtime, const Value& whole, const Value& part) {
  if (whole.is_null()) return {};
  Value out = Value::array();
  if (whole.is_string() && part.is_string()) {
    const auto text = whole.as_string();
    const auto wanted = part.as_string();
    if (wanted.empty()) return {};
    if (!runtime.reserve(text.size())) return {};
    std::int64_t points = 0;
    std::size_t counted = 0;
    for (auto at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, at + 1)) {
      points += static_cast<std::int64_t>(count_code_points(text.substr(counted, at - counted)));
      counted = at;
      out.push_back(points);
      if (!runtime.spend(1 + wanted.size() / 64)) return {};
    }
    return out;
  }
  if (whole.is_array() && part.is_array()) {
    if (part.empty()) return {};
    for (std::size_t at = 0; at + part.size() <= whole.size(); ++at) {
      bool found = true;
      for (std::size_t i = 0; i < part.size() && found; ++i) {
        found = equal(runtime, whole.at(at + i), part.at(i));
        if (!runtime.spend(1) || !runtime.ok()) return {};
      }
      if (found) out.push_back(static_cast<std::int64_t>(at));
    }
    return out;
  }
  if (whole.is_array()) {
    for (std::size_t at = 0; at < whole.size(); ++at) {
      if (equal(runtime, whole.at(at), part)) out.push_back(static_cast<std::int64_t>(at));
      if (!runtime.spend(1) || !runtime.ok()) return {};
    }
    return out;
  }
  return index(runtime, whole, part);
}

}  // namespace pawl::jq::detail
