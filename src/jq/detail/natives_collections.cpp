/// Arrays and objects as wholes: length, keys, sorting, grouping, searching.
#include <algorithm>
#include <cmath>

#include "jq/detail/native.hpp"
#include "jq/detail/ops.hpp"
#include "jq/detail/utf8.hpp"

namespace pawl::jq::detail {
namespace {

using Arguments = std::span<Value>;

Value length(Runtime& runtime, Arguments in) {
  const Value& value = in[0];
  switch (value.kind()) {
    case json::Kind::null: return 0;
    case json::Kind::boolean: return runtime.fail(describe(value) + " has no length");
    case json::Kind::integer: return value.as_integer() < 0 ? negated(value) : value;
    case json::Kind::number: return std::fabs(value.as_double());
    case json::Kind::string: return static_cast<std::int64_t>(count_code_points(value.as_string()));
    case json::Kind::array:
    case json::Kind::object: return static_cast<std::int64_t>(value.size());
  }
  return {};
}

Value logical_not(Runtime&, Arguments in) { return !in[0].truthy(); }
Value type(Runtime&, Arguments in) { return Value(kind_name(in[0])); }

Value keys_in_order(Runtime& runtime, const Value& value, bool sorted) {
  if (!runtime.reserve(value.size() * sizeof(Value))) return {};
  std::vector<Value> keys;
  keys.reserve(value.size());
  if (value.is_object()) {
    for (const auto& member : value.members()) keys.push_back(member.key);
    if (sorted) std::sort(keys.begin(), keys.end(), [](const Value& a, const Value& b) { return a.as_string() < b.as_string(); });
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) keys.emplace_back(static_cast<std::int64_t>(i));
  } else {
    return runtime.fail(describe(value) + " has no keys");
  }
  return Value::array(std::move(keys));
}

Value keys(Runtime& runtime, Arguments in) { return keys_in_order(runtime, in[0], true); }
Value keys_unsorted(Runtime& runtime, Arguments in) { return keys_in_order(runtime, in[0], false); }

Value has(Runtime& runtime, Arguments in) {
  const Value& value = in[0];
  const Value& key = in[1];
  if (value.is_object() && key.is_string()) return value.find(key.as_string()) != nullptr;
  if (value.is_array() && key.is_number()) {
    return key.as_double() >= 0 && key.as_double() < static_cast<double>(value.size());
  }
  return runtime.fail("Cannot check whether " + std::string(kind_name(value)) + " has a " + std::string(kind_name(key)) + " key");
}

/// jq's containment: substrings, all members, some item for each item.
bool contains_value(Runtime& runtime, const Value& whole, const Value& part, int depth) {
  if (!runtime.spend(1)) return false;
  if (depth > 1000) {
    runtime.fail("Containment check too deep");
    return false;
  }
  if (whole.is_object() && part.is_object()) {
    return std::all_of(part.members().begin(), part.members().end(), [&](const json::Member& member) {
      const Value* found = whole.find(member.name());
      return found && contains_value(runtime, *found, member.value, depth + 1);
    });
  }
  if (whole.is_array() && part.is_array()) {
    return std::all_of(part.items().begin(), part.items().end(), [&](const Value& wanted) {
      return std::any_of(whole.items().begin(), whole.items().end(),
                         [&](const Value& item) { return contains_value(runtime, item, wanted, depth + 1); });
    });
  }
  if (whole.is_string() && part.is_string()) {
    return runtime.reserve(whole.size()) && whole.as_string().find(part.as_string()) != std::string_view::npos;
  }
  return equal(runtime, whole, part);
}

Value contains(Runtime& runtime, Arguments in) {
  if (kind_name(in[0]) != kind_name(in[1])) {
    return runtime.fail(describe(in[0]) + " and " + describe(in[1]) + " cannot have their containment checked");
  }
  return contains_value(runtime, in[0], in[1], 0);
}

Value inside(Runtime& runtime, Arguments in) {
  std::swap(in[0], in[1]);
  return contains(runtime, in);
}

Value add(Runtime& runtime, Arguments in) {
  if (!in[0].is_array() && !in[0].is_object()) return runtime.fail("Cannot iterate over " + describe(in[0]));
  std::vector<Value> items;
  if (in[0].is_array()) {
    items.assign(in[0].items().begin(), in[0].items().end());
  } else {
    for (const auto& member : in[0].members()) items.push_back(member.value);
  }
  in[0] = Value();
  const bool strings = items.size() > 2 && std::all_of(items.begin(), items.end(), [](const Value& item) { return item.is_string(); });
  if (strings) {
    std::string joined;
    for (const auto& item : items) {
      if (!runtime.reserve(item.size())) return {};
      joined += item.as_string();
    }
    return Value(std::move(joined));
  }
  Value sum;
  for (auto& item : items) {
    sum = arithmetic(runtime, Binary::add, std::move(sum), std::move(item));
    if (!runtime.spend(1) || !runtime.ok()) return {};
  }
  return sum;
}

bool sortable(Runtime& runtime, const Value& value, const Value& keys, std::string_view what) {
  if (!value.is_array()) {
    runtime.fail(describe(value) + " cannot be " + std::string(what) + ", as it is not an array");
    return false;
  }
  return keys.is_array() && keys.size() == value.size();
}

Value in_order(const Value& array, const std::vector<std::uint32_t>& order) {
  std::vector<Value> items;
  items.reserve(order.size());
  for (const auto at : order) items.push_back(array.at(at));
  return Value::array(std::move(items));
}

Value sort_with(Runtime& runtime, const Value& array, const Value& keys) {
  std::vector<std::uint32_t> order;
  if (!sortable(runtime, array, keys, "sorted") || !sort_order(runtime, keys.items(), order)) return {};
  return in_order(array, order);
}

/// Runs of items with equal keys, in the order of the keys.
template <class Visit>
void each_group(Runtime& runtime, const Value& keys, const std::vector<std::uint32_t>& order, const Visit& visit) {
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && equal(runtime, keys.at(order[begin]), keys.at(order[end]))) ++end;
    if (!runtime.spend(1) || !runtime.ok()) return;
    visit(begin, end);
    begin = end;
  }
}

Value group_with(Runtime& runtime, Arguments in) {
  std::vector<std::uint32_t> order;
  if (!sortable(runtime, in[0], in[1], "grouped") || !sort_order(runtime, in[1].items(), order)) return {};
  Value groups = Value::array();
  each_group(runtime, in[1], order, [&](std::size_t begin, std::size_t end) {
    groups.push_back(in_order(in[0], std::vector<std::uint32_t>(order.begin() + static_cast<std::ptrdiff_t>(begin),
                                                                order.begin() + static_cast<std::ptrdiff_t>(end))));
  });
  return groups;
}

Value unique_with(Runtime& runtime, const Value& array, const Value& keys) {
  std::vector<std::uint32_t> order;
  if (!sortable(runtime, array, keys, "grouped") || !sort_order(runtime, keys.items(), order)) return {};
  Value first = Value::array();
  each_group(runtime, keys, order, [&](std::size_t begin, std::size_t) { first.push_back(array.at(order[begin])); });
  return first;
}

Value extreme(Runtime& runtime, const Value& array, const Value& keys, bool greatest) {
  if (!array.is_array()) return runtime.fail(describe(array) + " cannot be searched for its extremes, as it is not an array");
  if (array.empty()) return {};
  std::size_t best = 0;
  for (std::size_t i = 1; i < array.size(); ++i) {
    const int order = compare(runtime, keys.at(i), keys.at(best));
    if (!runtime.spend(1) || !runtime.ok()) return {};
    if (greatest ? order >= 0 : order < 0) best = i;
  }
  return array.at(best);
}

Value sort(Runtime& runtime, Arguments in) { return sort_with(runtime, in[0], in[0]); }
Value sort_by(Runtime& runtime, Arguments in) { return sort_with(runtime, in[0], in[1]); }
Value unique(Runtime& runtime, Arguments in) { return unique_with(runtime, in[0], in[0]); }
Value unique_by(Runtime& runtime, Arguments in) { return unique_with(runtime, in[0], in[1]); }
Value min(Runtime& runtime, Arguments in) { return extreme(runtime, in[0], in[0], false); }
Value max(Runtime& runtime, Arguments in) { return extreme(runtime, in[0], in[0], true); }
Value min_by(Runtime& runtime, Arguments in) { return extreme(runtime, in[0], in[1], false); }
Value max_by(Runtime& runtime, Arguments in) { return extreme(runtime, in[0], in[1], true); }

Value reverse(Runtime& runtime, Arguments in) {
  if (in[0].is_null()) return Value::array();
  if (!runtime.reserve(in[0].size() * 16)) return {};
  if (in[0].is_string()) {
    const auto text = in[0].as_string();
    std::string out;
    out.reserve(text.size());
    for (std::size_t end = text.size(); end > 0;) {
      std::size_t begin = end - 1;
      while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80) --begin;
      out += text.substr(begin, end - begin);
      end = begin;
    }
    return Value(std::move(out));
  }
  if (!in[0].is_array()) return runtime.fail("Cannot reverse " + describe(in[0]));
  return Value::array(std::vector<Value>(in[0].items().rbegin(), in[0].items().rend()));
}

Value flatten_to(Runtime& runtime, const Value& value, double levels) {
  if (levels < 0) return runtime.fail("flatten depth must not be negative");
  if (!value.is_array() && !value.is_object()) return runtime.fail("Cannot iterate over " + describe(value));
  struct Level {
    const Value* array;
    std::size_t at = 0;
  };
  Value values = value;
  if (value.is_object()) {
    values = Value::array();
    for (const auto& member : value.members()) values.push_back(member.value);
  }
  Value out = Value::array();
  std::vector<Level> open{{&values}};
  while (!open.empty()) {
    Level& level = open.back();
    if (level.at == level.array->size()) {
      open.pop_back();
      continue;
    }
    const Value& item = level.array->at(level.at++);
    if (!runtime.reserve(sizeof(Value)) || !runtime.spend(1)) return {};
    if (item.is_array() && static_cast<double>(open.size()) <= levels) {
      open.push_back({&item});
    } else {
      out.push_back(item);
    }
  }
  return out;
}

Value flatten(Runtime& runtime, Arguments in) { return flatten_to(runtime, in[0], 1e9); }
Value flatten_levels(Runtime& runtime, Arguments in) {
  if (!in[1].is_number()) return runtime.fail("flatten depth must be a number");
  return flatten_to(runtime, in[0], in[1].as_double());
}

Value to_entries(Runtime& runtime, Arguments in) {
  const Value& whole = in[0];
  if (!whole.is_object() && !whole.is_array()) return runtime.fail(describe(whole) + " has no keys");
  if (!runtime.reserve(whole.size() * 200)) return {};
  std::vector<Value> entries;
  entries.reserve(whole.size());
  static const Value kKey("key");
  static const Value kValue("value");
  const auto add_entry = [&](const Value& key, const Value& value) {
    Value entry = Value::object();
    entry.set_shared(kKey, key);
    entry.set_shared(kValue, value);
    entries.push_back(std::move(entry));
  };
  if (whole.is_object()) {
    for (const auto& member : whole.members()) add_entry(member.key, member.value);
  } else {
    for (std::size_t i = 0; i < whole.size(); ++i) add_entry(static_cast<std::int64_t>(i), whole.at(i));
  }
  return Value::array(std::move(entries));
}

/// `key`, else the first of its other names that is true; what is no string is written as JSON.
Value entry_key(Runtime& runtime, const Value& entry) {
  Value key = entry.get("key");
  if (key.is_null()) {
    for (const auto* name : {"k", "name", "Name", "K", "Key"}) {
      key = entry.get(name);
      if (key.truthy()) break;
    }
  }
  return to_string(runtime, std::move(key));
}

Value from_entries(Runtime& runtime, Arguments in) {
  if (!in[0].is_array() && !in[0].is_object()) return runtime.fail("Cannot iterate over " + describe(in[0]));
  Value object = Value::object();
  const auto add_entry = [&](const Value& entry) {
    if (!entry.is_object() && !entry.is_null()) {
      runtime.fail("Cannot index " + std::string(kind_name(entry)) + " with string (\"key\")");
      return false;
    }
    const Value key = entry_key(runtime, entry);
    if (!runtime.ok() || !runtime.reserve(sizeof(json::Member))) return false;
    const Value* value = nullptr;
    for (const auto* name : {"value", "v", "Value", "V"}) {
      value = entry.find(name);
      if (value) break;
    }
    object.set_shared(key, value ? *value : Value());
    return true;
  };
  if (in[0].is_array()) {
    for (const auto& entry : in[0].items()) {
      if (!add_entry(entry)) return {};
    }
  } else {
    for (const auto& member : in[0].members()) {
      if (!add_entry(member.value)) return {};
    }
  }
  return object;
}

Value transpose(Runtime& runtime, Arguments in) {
  if (!in[0].is_array()) return runtime.fail("Cannot iterate over " + describe(in[0]));
  std::size_t width = 0;
  for (const auto& row : in[0].items()) {
    if (!row.is_array()) return runtime.fail("Cannot index " + std::string(kind_name(row)) + " with number (0)");
    width = std::max(width, row.size());
  }
  if (!runtime.reserve(width * in[0].size() * sizeof(Value))) return {};
  Value out = Value::array();
  for (std::size_t column = 0; column < width; ++column) {
    std::vector<Value> cells;
    cells.reserve(in[0].size());
    for (const auto& row : in[0].items()) cells.push_back(column < row.size() ? row.at(column) : Value());
    out.push_back(Value::array(std::move(cells)));
  }
  return out;
}

Value bsearch(Runtime& runtime, Arguments in) {
  if (!in[0].is_array()) return runtime.fail(describe(in[0]) + " cannot be searched from");
  std::size_t low = 0;
  std::size_t high = in[0].size();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const int order = compare(runtime, in[0].at(middle), in[1]);
    if (!runtime.ok()) return {};
    if (order == 0) return static_cast<std::int64_t>(middle);
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return -1 - static_cast<std::int64_t>(low);
}

Value to_array(Runtime&, Arguments in) { return in[0].is_array() ? in[0] : Value::array({in[0]}); }

constexpr Native kNatives[] = {
    {"length", 0, length},
    {"not", 0, logical_not},
    {"type", 0, type},
    {"keys", 0, keys},
    {"keys_unsorted", 0, keys_unsorted},
    {"has", 1, has},
    {"contains", 1, contains},
    {"inside", 1, inside},
    {"add", 0, add},
    {"sort", 0, sort},
    {"_sort_by", 1, sort_by},
    {"_group_by", 1, group_with},
    {"unique", 0, unique},
    {"_unique_by", 1, unique_by},
    {"min", 0, min},
    {"max", 0, max},
    {"_min_by", 1, min_by},
    {"_max_by", 1, max_by},
    {"reverse", 0, reverse},
    {"flatten", 0, flatten},
    {"flatten", 1, flatten_levels},
    {"to_entries", 0, to_entries},
    {"from_entries", 0, from_entries},
    {"transpose", 0, transpose},
    {"bsearch", 1, bsearch},
    {"toarray", 0, to_array},
};

}  // namespace

std::span<const Native> collection_natives() { return kNatives; }

}  // namespace pawl::jq::detail
