#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/time.hpp"
#include "dsl/detail/json_schema.hpp"
#include "dsl/detail/suggest.hpp"
#include "json/pointer.hpp"
#include "json/write.hpp"

namespace pawl::dsl::detail {
namespace {

using NodeId = JsonSchema::NodeId;
using Node = JsonSchema::Node;

constexpr std::uint32_t kMaxDepth = 256;        // calls within each other: values and the schemas that look at the same value
constexpr std::uint64_t kMaxSteps = 2'000'000;  // nodes applied to values

/// Where the check is, as a chain on the call stack; rendered for findings only.
struct Path {
  const Path* up = nullptr;
  std::string_view key{};
  std::size_t index = 0;
  bool is_index = false;

  [[nodiscard]] std::string text(std::string_view base) const {
    if (!up) return std::string(base);
    const std::string before = up->text(base);
    return is_index ? json::pointer_child(before, index) : json::pointer_child(before, key);
  }
};

std::string_view kind_name(json::Kind kind) {
  switch (kind) {
    case json::Kind::null: return "empty";
    case json::Kind::boolean: return "true or false";
    case json::Kind::integer: return "a whole number";
    case json::Kind::number: return "a number with a fraction";
    case json::Kind::string: return "text";
    case json::Kind::array: return "a list";
    case json::Kind::object: return "an object";
  }
  return "a value";
}

std::string types_text(std::uint8_t types) {
  std::string out;
  for (unsigned kind = 0; kind <= static_cast<unsigned>(json::Kind::object); ++kind) {
    if ((types & (1U << kind)) == 0) continue;
    const bool number_too =
        static_cast<json::Kind>(kind) == json::Kind::integer && (types & (1U << static_cast<unsigned>(json::Kind::number))) != 0;
    if (number_too) continue;
    if (!out.empty()) out += " or ";
    out += static_cast<json::Kind>(kind) == json::Kind::number ? "a number" : kind_name(static_cast<json::Kind>(kind));
  }
  return out.empty() ? "absent" : out;
}

std::string brief(const json::Value& value) {
  std::string text = json::to_text(value);
  if (text.size() > 60) {
    text.resize(57);
    text += "...";
  }
  return text;
}

bool valid_format(JsonSchema::Format format, std::string_view text) {
  switch (format) {
    case JsonSchema::Format::date_time: return parse_rfc3339(text).has_value();
    case JsonSchema::Format::date: return parse_rfc3339(std::string(text) + "T00:00:00Z").has_value();
    case JsonSchema::Format::time: return parse_rfc3339("2000-01-01T" + std::string(text)).has_value();
    case JsonSchema::Format::none: break;
  }
  return true;
}

class Check {
 public:
  Check(const std::vector<Node>& nodes, std::string_view base, const SchemaCheckOptions& options)
      : nodes_(nodes), base_(base), options_(options) {}

  /// Members of the object at hand that some schema has looked at: for `unevaluatedProperties`. Null where nobody asks.
  using Seen = std::vector<bool>;

  bool run(NodeId id, const json::Value& value, const Path& path, Findings* out, Seen* seen) {
    const Node& node = nodes_[id];
    if (node.always) return *node.always || fail(out, path, "invalid-value", "Nothing is allowed here.");
    if (value.is_string() && skipped(value.as_string())) return true;
    if (++steps_ > kMaxSteps || depth_ >= kMaxDepth) {
      if (!exhausted_) fail(out, path, "invalid-value", "The value is too large or too deep to be checked against the schema.");
      exhausted_ = true;
      return false;
    }
    ++depth_;
    Seen own;
    if (node.unevaluated_properties && value.is_object()) {
      own.resize(value.size());
      if (!seen) seen = &own;
    }
    bool good = simple(node, value, path, out);
    if (value.is_string()) good = text(node, value.as_string(), path, out) && good;
    if (value.is_number()) good = number(node, value, path, out) && good;
    if (value.is_array()) good = list(node, value, path, out) && good;
    if (value.is_object()) good = object(node, value, path, out, seen) && good;
    good = combined(node, value, path, out, seen) && good;
    if (node.unevaluated_properties && value.is_object()) good = unevaluated(node, value, path, out, *seen) && good;
    --depth_;
    return good;
  }

 private:
  [[nodiscard]] bool skipped(std::string_view text) const {
    return options_.skip_texts || (options_.skip_expressions && text.find("${") != std::string_view::npos);
  }
  bool fail(Findings* out, const Path& path, const char* rule, std::string message, std::string suggestion = {}) {
    if (out && out->size() < options_.max_findings) {
      // A member is called by its name.
      if (path.up && !path.is_index && message.starts_with("This ")) message.replace(0, 4, "`" + std::string(path.key.substr(0, 60)) + '`');
      out->push_back({Severity::error, path.text(base_), 0, 0, std::move(message), rule, std::move(suggestion)});
    }
    return false;
  }

  bool simple(const Node& node, const json::Value& value, const Path& path, Findings* out) {
    if (node.has_types) {
      bool fits = (node.types & (1U << static_cast<unsigned>(value.kind()))) != 0;
      // 1.0 is an integer.
      if (!fits && value.kind() == json::Kind::number && (node.types & (1U << static_cast<unsigned>(json::Kind::integer))) != 0) {
        fits = std::trunc(value.as_double()) == value.as_double();
      }
      if (!fits) {
        return fail(out, path, "wrong-type",
                    "This must be " + types_text(node.types) + ", but is " + std::string(kind_name(value.kind())) + '.');
      }
    }
    if (node.constant && !(*node.constant == value)) return fail(out, path, "invalid-value", "This must be " + brief(*node.constant) + '.');
    if (!node.choices.is_array()) return true;
    std::vector<std::string_view> texts;
    std::string listed;
    for (const json::Value& choice : node.choices.items()) {
      if (choice == value) return true;
      if (choice.is_string()) texts.push_back(choice.as_string());
      if (listed.size() < 300) listed += (listed.empty() ? "" : ", ") + brief(choice);
    }
    return fail(out, path, "invalid-value", brief(value) + " is not one of " + listed + '.',
                value.is_string() ? nearest(value.as_string(), std::span<const std::string_view>(texts)) : std::string());
  }

  bool text(const Node& node, std::string_view value, const Path& path, Findings* out) {
    bool good = true;
    if (node.min_length || node.max_length) {
      const std::size_t length = character_count(value);
      if (node.min_length && length < *node.min_length) {
        good = fail(out, path, "invalid-value", "This must have at least " + std::to_string(*node.min_length) + " characters.");
      }
      if (node.max_length && length > *node.max_length) {
        good = fail(out, path, "invalid-value", "This must have at most " + std::to_string(*node.max_length) + " characters.");
      }
    }
    if (node.pattern && !node.pattern->matches(value)) {
      good = fail(out, path, "invalid-value", "This does not match the pattern `" + node.pattern->text + "`.");
    }
    if (!valid_format(node.format, value)) {
      good = fail(out, path, "invalid-value",
                  brief(json::Value(value)) + " is not a valid " +
                      (node.format == JsonSchema::Format::date_time ? "date and time (RFC 3339)."
                       : node.format == JsonSchema::Format::date    ? "date."
                                                                    : "time."));
    }
    return good;
  }

  bool number(const Node& node, const json::Value& value, const Path& path, Findings* out) {
    const double figure = value.as_double();
    const auto limit = [&](bool broken, const char* words, double bound) {
      if (!broken) return true;
      std::string message = words;
      json::append_number(message, bound);
      return fail(out, path, "invalid-value", message + '.');
    };
    bool good = true;
    if (node.minimum) good = limit(!(figure >= *node.minimum), "This must be at least ", *node.minimum) && good;
    if (node.maximum) good = limit(!(figure <= *node.maximum), "This must be at most ", *node.maximum) && good;
    if (node.above) good = limit(!(figure > *node.above), "This must be greater than ", *node.above) && good;
    if (node.below) good = limit(!(figure < *node.below), "This must be less than ", *node.below) && good;
    if (node.multiple_of) {
      const double times = figure / *node.multiple_of;
      good = limit(std::abs(times - std::round(times)) > 1e-9 * std::max(1.0, std::abs(times)), "This must be a multiple of ",
                   *node.multiple_of) &&
             good;
    }
    return good;
  }

  bool list(const Node& node, const json::Value& value, const Path& path, Findings* out) {
    bool good = true;
    const std::size_t size = value.size();
    if (node.min_items && size < *node.min_items) {
      good = fail(out, path, "invalid-value", "This list must have at least " + std::to_string(*node.min_items) + " items.");
    }
    if (node.max_items && size > *node.max_items) {
      good = fail(out, path, "invalid-value", "This list must have at most " + std::to_string(*node.max_items) + " items.");
    }
    for (std::size_t i = 0; i < size && !exhausted_; ++i) {
      const Path below{&path, {}, i, true};
      if (i < node.prefix_items.size()) {
        good = run(node.prefix_items[i], value.at(i), below, out, nullptr) && good;
      } else if (node.items) {
        good = run(*node.items, value.at(i), below, out, nullptr) && good;
      }
    }
    if (node.contains) good = contains(node, value, path, out) && good;
    if (node.unique_items && size > 1) {
      std::vector<json::Value> sorted(value.items().begin(), value.items().end());
      std::sort(sorted.begin(), sorted.end(), [](const json::Value& a, const json::Value& b) { return json::compare(a, b) < 0; });
      if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
        good = fail(out, path, "invalid-value", "The items of this list must differ from each other.");
      }
    }
    return good;
  }
  bool contains(const Node& node, const json::Value& value, const Path& path, Findings* out) {
    std::size_t matching = 0;
    for (std::size_t i = 0; i < value.size() && !exhausted_; ++i) {
      if (run(*node.contains, value.at(i), Path{&path, {}, i, true}, nullptr, nullptr)) ++matching;
    }
    if (matching < node.min_contains.value_or(1)) return fail(out, path, "invalid-value", "This list lacks an item that it must contain.");
    if (node.max_contains && matching > *node.max_contains) {
      return fail(out, path, "invalid-value",
                  "This list has too many items of one sort: at most " + std::to_string(*node.max_contains) + " may match.");
    }
    return true;
  }

  bool object(const Node& node, const json::Value& value, const Path& path, Findings* out, Seen* seen) {
    bool good = true;
    for (const std::string& name : node.required) {
      if (!value.find(name)) good = fail(out, path, "missing-property", "`" + name + "` is missing.");
    }
    if (node.min_properties && value.size() < *node.min_properties) {
      good = fail(out, path, "invalid-value", "This object must have at least " + std::to_string(*node.min_properties) + " properties.");
    }
    if (node.max_properties && value.size() > *node.max_properties) {
      good = fail(out, path, "invalid-value", "This object must have at most " + std::to_string(*node.max_properties) + " properties.");
    }
    for (const auto& [trigger, needed] : node.dependent_required) {
      if (!value.find(trigger)) continue;
      for (const std::string& name : needed) {
        if (!value.find(name)) good = fail(out, path, "missing-property", "`" + name + "` is missing: `" + trigger + "` needs it.");
      }
    }
    std::size_t position = 0;
    for (const json::Member& member : value.members()) {
      if (exhausted_) return false;
      good = property(node, member, Path{&path, member.name()}, out, seen, position++) && good;
    }
    return good;
  }
  bool property(const Node& node, const json::Member& member, const Path& path, Findings* out, Seen* seen, std::size_t position) {
    bool good = true;
    bool known = false;
    for (const auto& [name, id] : node.properties) {
      if (name != member.name()) continue;
      known = true;
      good = run(id, member.value, path, out, nullptr) && good;
    }
    for (const auto& [pattern, id] : node.pattern_properties) {
      if (!pattern.matches(member.name())) continue;
      known = true;
      good = run(id, member.value, path, out, nullptr) && good;
    }
    if (node.property_names) good = run(*node.property_names, member.key, path, out, nullptr) && good;
    if (!known && node.additional_properties) {
      const Node& rest = nodes_[*node.additional_properties];
      if (rest.always && !*rest.always) {
        good = unknown(node, member.name(), path, out);
      } else {
        good = run(*node.additional_properties, member.value, path, out, nullptr) && good;
      }
      known = true;
    }
    if (known && seen) (*seen)[position] = true;
    return good;
  }
  bool unknown(const Node& node, std::string_view name, const Path& path, Findings* out) {
    std::vector<std::string_view> names;
    for (const auto& [known, id] : node.properties) names.push_back(known);
    std::string message = "`" + std::string(name) + "` is not known here";
    if (!names.empty() && names.size() <= 12) message += "; allowed: " + list_names(names);
    return fail(out, path, "unknown-property", message + '.', nearest(name, std::span<const std::string_view>(names)));
  }
  bool unevaluated(const Node& node, const json::Value& value, const Path& path, Findings* out, Seen& seen) {
    bool good = true;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (seen[i]) continue;
      seen[i] = true;
      const json::Member& member = value.members()[i];
      const Path below{&path, member.name()};
      const Node& rest = nodes_[*node.unevaluated_properties];
      if (rest.always && !*rest.always) {
        good = unknown(node, member.name(), below, out);
      } else {
        good = run(*node.unevaluated_properties, member.value, below, out, nullptr) && good;
      }
    }
    return good;
  }

  bool combined(const Node& node, const json::Value& value, const Path& path, Findings* out, Seen* seen) {
    bool good = true;
    if (node.ref) good = run(*node.ref, value, path, out, seen) && good;
    for (const NodeId id : node.all_of) good = run(id, value, path, out, seen) && good;
    if (!node.any_of.empty()) good = alternatives(node.any_of, false, value, path, out, seen) && good;
    if (!node.one_of.empty()) good = alternatives(node.one_of, true, value, path, out, seen) && good;
    if (node.negated && run(*node.negated, value, path, nullptr, nullptr) && !exhausted_) {
      good = fail(out, path, "invalid-value", "This value is of a form that is not allowed here.");
    }
    if (node.condition) {
      const bool holds = run(*node.condition, value, path, nullptr, seen);
      if (holds && node.then) good = run(*node.then, value, path, out, seen) && good;
      if (!holds && node.otherwise) good = run(*node.otherwise, value, path, out, seen) && good;
    }
    for (const auto& [name, id] : node.dependent_schemas) {
      if (value.find(name)) good = run(id, value, path, out, seen) && good;
    }
    return good;
  }

  bool alternatives(const std::vector<NodeId>& ids, bool exactly_one, const json::Value& value, const Path& path, Findings* out,
                    Seen* seen) {
    std::size_t matching = 0;
    for (const NodeId id : ids) {
      if (exhausted_) return false;
      Seen local;
      if (seen) local.resize(seen->size());
      if (!run(id, value, path, nullptr, seen ? &local : nullptr)) continue;
      ++matching;
      for (std::size_t i = 0; i < local.size(); ++i) {
        if (local[i]) (*seen)[i] = true;
      }
      if (!exactly_one && !seen) return true;
    }
    if (matching == 1 || (matching > 1 && !exactly_one)) return true;
    // With expressions still to be filled in, several forms may fit.
    if (matching > 1 && (options_.skip_expressions || options_.skip_texts)) return true;
    if (matching > 1) return fail(out, path, "invalid-value", "This matches more than one of the forms that exclude each other.");
    if (!out || exhausted_) return false;
    explain(ids, value, path, *out);
    return false;
  }
  /// Says what is wrong from the point of view of the form that fits best: the one whose first problem lies deepest.
  void explain(const std::vector<NodeId>& ids, const json::Value& value, const Path& path, Findings& out) {
    const std::string here = path.text(base_);
    Findings best;
    std::uint8_t types = 0;
    for (const NodeId id : ids) {
      Findings found;
      run(id, value, path, &found, nullptr);
      if (found.empty()) continue;
      if (found[0].rule == "wrong-type" && found[0].pointer == here) {
        types = static_cast<std::uint8_t>(types | nodes_[id].types);
        continue;
      }
      if (best.empty() || found[0].pointer.size() > best[0].pointer.size()) best = std::move(found);
    }
    if (best.empty()) {
      const std::string expected = types == 0 || types == 0xFF ? "of one of the allowed forms" : types_text(types);
      fail(&out, path, "wrong-type", "This must be " + expected + ", but is " + std::string(kind_name(value.kind())) + '.');
      return;
    }
    for (Finding& finding : best) {
      if (out.size() < options_.max_findings) out.push_back(std::move(finding));
    }
  }

  const std::vector<Node>& nodes_;
  std::string_view base_;
  const SchemaCheckOptions& options_;
  std::uint64_t steps_ = 0;
  std::uint32_t depth_ = 0;
  bool exhausted_ = false;
};

}  // namespace

std::size_t character_count(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

bool JsonSchema::Pattern::matches(std::string_view subject) const {
  const auto result = jq::first(program, json::Value(subject), {});
  return result.has_value() && result.value().truthy();
}

void JsonSchema::check(const json::Value& value, std::string_view pointer, const SchemaCheckOptions& options, Findings& findings) const {
  Findings own;
  (void)Check(nodes_, pointer, options).run(0, value, Path{}, &own, nullptr);
  findings.insert(findings.end(), std::make_move_iterator(own.begin()), std::make_move_iterator(own.end()));
}

}  // namespace pawl::dsl::detail
