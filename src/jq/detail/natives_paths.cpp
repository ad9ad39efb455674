/// Paths, positions and streams.
#include "jq/detail/native.hpp"
#include "jq/detail/ops.hpp"

namespace pawl::jq::detail {
namespace {

using Arguments = std::span<Value>;

Value setpath(Runtime& runtime, Arguments in) { return set_path(runtime, std::move(in[0]), in[1], std::move(in[2])); }
Value delpaths(Runtime& runtime, Arguments in) { return delete_paths(runtime, std::move(in[0]), in[1]); }

Value indices_of(Runtime& runtime, Arguments in) { return indices(runtime, in[0], in[1]); }

Value string_indices(Runtime& runtime, Arguments in) {
  if (!in[0].is_string()) return runtime.fail(describe(in[0]) + " cannot be searched, as it is not a string");
  if (!in[1].is_string()) return runtime.fail(describe(in[1]) + " is not a string");
  return indices(runtime, in[0], in[1]);
}

Value first_index(Runtime& runtime, Arguments in) {
  const Value all = indices(runtime, in[0], in[1]);
  return all.is_array() && !all.empty() ? all.at(0) : Value();
}

Value last_index(Runtime& runtime, Arguments in) {
  const Value all = indices(runtime, in[0], in[1]);
  return all.is_array() && !all.empty() ? all.at(all.size() - 1) : Value();
}

/// All results of `tostream`, as one array.
Value stream_of(Runtime& runtime, Arguments in) {
  struct Level {
    Value container;
    std::size_t at = 0;
  };
  Value events = Value::array();
  Value path = Value::array();
  std::vector<Level> open;
  const auto leaf = [&](const Value& value) { events.push_back(Value::array({path, value})); };
  if (in[0].depth() == 0 || in[0].empty()) {
    leaf(in[0]);
    return events;
  }
  open.push_back({in[0]});
  while (!open.empty()) {
    Level& level = open.back();
    if (!runtime.reserve(96 + path.size() * sizeof(Value))) return {};
    if (level.at == level.container.size()) {
      events.push_back(Value::array({path}));  // the path still ends with the last key of this container
      open.pop_back();
      std::vector<Value> shorter(path.items().begin(), path.items().end() - 1);
      path = Value::array(std::move(shorter));
      continue;
    }
    Value key;
    Value child;
    if (level.container.is_array()) {
      key = static_cast<std::int64_t>(level.at);
      child = level.container.at(level.at);
    } else {
      key = level.container.members()[level.at].key;
      child = level.container.members()[level.at].value;
    }
    if (level.at++ == 0) {
      path.push_back(key);
    } else {
      path.set(path.size() - 1, key);
    }
    if (child.depth() == 0 || child.empty()) {
      leaf(child);
    } else {
      open.push_back({std::move(child)});
    }
  }
  return events;
}

constexpr Native kNatives[] = {
    {"setpath", 2, setpath},   {"delpaths", 1, delpaths}, {"indices", 1, indices_of}, {"_strindices", 1, string_indices},
    {"index", 1, first_index}, {"rindex", 1, last_index}, {"_stream", 0, stream_of},
};

}  // namespace

std::span<const Native> path_natives() { return kNatives; }

}  // namespace pawl::jq::detail
