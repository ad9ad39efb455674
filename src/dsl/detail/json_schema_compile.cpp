#include <charconv>
#include <cmath>
#include <deque>
#include <unordered_map>

#include "dsl/detail/json_schema.hpp"
#include "json/pointer.hpp"
#include "json/write.hpp"

namespace pawl::dsl::detail {
namespace {

constexpr std::uint32_t kMaxDepth = 64;
constexpr std::size_t kMaxNodes = 20'000;

using NodeId = JsonSchema::NodeId;
using Node = JsonSchema::Node;

std::uint8_t bit(json::Kind kind) { return static_cast<std::uint8_t>(1U << static_cast<unsigned>(kind)); }

bool is_true(const json::Value& value) { return value.is_bool() && value.as_bool(); }

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, code, 16).ptr == text.data() + i + 3) {
      out += static_cast<char>(static_cast<unsigned char>(code));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

/// Subschemas become nodes by a work list: nothing recurses, and a reference to a place that is known already is the same node.
class Compiler {
 public:
  explicit Compiler(const json::Value& document) : document_(document) {}

  Result<std::vector<Node>> run() {
    if (document_.depth() > kMaxDepth) return problem("", "The schema is nested more than " + std::to_string(kMaxDepth) + " levels deep.");
    (void)node("");
    while (!work_.empty() && !error_) {
      const NodeId id = work_.front();
      work_.pop_front();
      compile(id);
    }
    if (!error_) find_loop();
    if (error_) return std::move(*error_);
    return std::move(nodes_);
  }

 private:
  static Error problem(std::string pointer, std::string message) {
    Findings findings;
    findings.push_back({Severity::error, std::move(pointer), 0, 0, message, "invalid-schema", ""});
    return {ErrorClass::invalid, "dsl.schema", std::move(message), std::move(findings)};
  }
  void fail(const std::string& pointer, std::string message) {
    if (!error_) error_ = problem(pointer, std::move(message));
  }

  NodeId node(const std::string& pointer) {
    const auto [found, is_new] = ids_.try_emplace(pointer, static_cast<NodeId>(nodes_.size()));
    if (is_new) {
      if (nodes_.size() >= kMaxNodes) fail(pointer, "The schema has more than " + std::to_string(kMaxNodes) + " parts.");
      nodes_.emplace_back().pointer = pointer;
      work_.push_back(found->second);
    }
    return found->second;
  }
  NodeId child(const std::string& pointer, std::string_view keyword) { return node(json::pointer_child(pointer, keyword)); }

  void compile(NodeId id) {
    const std::string pointer = nodes_[id].pointer;
    const json::Value* schema = json::resolve(document_, pointer);
    if (!schema) return fail(pointer, "The schema refers to `#" + pointer + "`, which does not exist.");
    Node made;
    made.pointer = pointer;
    if (schema->is_bool()) {
      made.always = schema->as_bool();
    } else if (schema->is_object()) {
      for (const json::Member& member : schema->members()) {
        keyword(made, *schema, member);
        if (error_) return;
      }
    } else {
      return fail(pointer, "A schema must be an object, or true or false.");
    }
    nodes_[id] = std::move(made);
  }

  void keyword(Node& made, const json::Value& schema, const json::Member& member) {
    const std::string_view name = member.name();
    const json::Value& value = member.value;
    const std::string at = json::pointer_child(made.pointer, name);
    if (name == "$ref") return reference(made, value, at);
    if (name == "$dynamicRef" || name == "$recursiveRef" || name == "unevaluatedItems") {
      return fail(at, "`" + std::string(name) + "` is not supported in schemas.");
    }
    if (assertion(made, schema, name, value, at) || objects(made, name, value, at) || lists(made, name, value, at)) return;
    if (name == "allOf") return many(made.all_of, value, at);
    if (name == "anyOf") return many(made.any_of, value, at);
    if (name == "oneOf") return many(made.one_of, value, at);
    if (name == "not") made.negated = node(at);
    if (name == "if") made.condition = node(at);
    if (name == "then" && schema.find("if")) made.then = node(at);
    if (name == "else" && schema.find("if")) made.otherwise = node(at);
  }

  void reference(Node& made, const json::Value& value, const std::string& at) {
    if (!value.is_string()) return fail(at, "`$ref` must be text.");
    const std::string_view text = value.as_string();
    if (!text.starts_with('#')) {
      return fail(at, "Schemas must not refer to other documents: `" + std::string(text.substr(0, 100)) + "` is outside.");
    }
    if (text.size() > 1 && text[1] != '/') return fail(at, "`$ref` must be a JSON pointer such as `#/$defs/name`.");
    const std::string pointer = percent_decoded(text.substr(1));
    if (!json::resolve(document_, pointer)) return fail(at, "`" + std::string(text) + "` refers to nothing in the schema.");
    made.ref = node(pointer);
  }

  bool assertion(Node& made, const json::Value& schema, std::string_view name, const json::Value& value, const std::string& at) {
    if (name == "type") {
      types(made, value, at);
    } else if (name == "const") {
      made.constant = value;
    } else if (name == "enum") {
      if (!value.is_array()) fail(at, "`enum` must be a list.");
      made.choices = value;
    } else if (name == "minimum" || name == "exclusiveMinimum") {
      bound(name == "minimum" && !is_true(schema.get("exclusiveMinimum")) ? made.minimum : made.above, value, at, name);
    } else if (name == "maximum" || name == "exclusiveMaximum") {
      bound(name == "maximum" && !is_true(schema.get("exclusiveMaximum")) ? made.maximum : made.below, value, at, name);
    } else if (name == "multipleOf") {
      bound(made.multiple_of, value, at, name);
      if (made.multiple_of && !(*made.multiple_of > 0)) fail(at, "`multipleOf` must be greater than 0.");
    } else if (name == "minLength") {
      count(made.min_length, value, at);
    } else if (name == "maxLength") {
      count(made.max_length, value, at);
    } else if (name == "pattern") {
      made.pattern = pattern(value, at);
    } else if (name == "format") {
      if (value == json::Value("date-time")) made.format = JsonSchema::Format::date_time;
      if (value == json::Value("date")) made.format = JsonSchema::Format::date;
      if (value == json::Value("time")) made.format = JsonSchema::Format::time;
    } else {
      return false;
    }
    return true;
  }

  bool objects(Node& made, std::string_view name, const json::Value& value, const std::string& at) {
    if (name == "properties") {
      named(made.properties, value, at);
    } else if (name == "patternProperties") {
      if (!value.is_object()) return fail(at, "`patternProperties` must be an object."), true;
      for (const json::Member& member : value.members()) {
        auto compiled = pattern(member.key, at);
        if (!compiled) return true;
        made.pattern_properties.emplace_back(std::move(*compiled), child(at, member.name()));
      }
    } else if (name == "additionalProperties") {
      made.additional_properties = node(at);
    } else if (name == "unevaluatedProperties") {
      made.unevaluated_properties = node(at);
    } else if (name == "propertyNames") {
      made.property_names = node(at);
    } else if (name == "required") {
      if (value.is_array()) names(made.required, value, at);  // draft 3 had a boolean here
    } else if (name == "minProperties") {
      count(made.min_properties, value, at);
    } else if (name == "maxProperties") {
      count(made.max_properties, value, at);
    } else if (name == "dependentRequired" || name == "dependentSchemas" || name == "dependencies") {
      if (!value.is_object()) return fail(at, "`" + std::string(name) + "` must be an object."), true;
      for (const json::Member& member : value.members()) {
        const std::string below = json::pointer_child(at, member.name());
        if (member.value.is_array()) {
          names(made.dependent_required.emplace_back(std::string(member.name()), std::vector<std::string>{}).second, member.value, below);
        } else {
          made.dependent_schemas.emplace_back(std::string(member.name()), node(below));
        }
      }
    } else {
      return false;
    }
    return true;
  }

  bool lists(Node& made, std::string_view name, const json::Value& value, const std::string& at) {
    if (name == "prefixItems" || (name == "items" && value.is_array())) {
      many(made.prefix_items, value, at);
    } else if (name == "items" || name == "additionalItems") {
      made.items = node(at);
    } else if (name == "contains") {
      made.contains = node(at);
    } else if (name == "minContains") {
      count(made.min_contains, value, at);
    } else if (name == "maxContains") {
      count(made.max_contains, value, at);
    } else if (name == "minItems") {
      count(made.min_items, value, at);
    } else if (name == "maxItems") {
      count(made.max_items, value, at);
    } else if (name == "uniqueItems") {
      made.unique_items = value.is_bool() && value.as_bool();
    } else {
      return false;
    }
    return true;
  }

  void types(Node& made, const json::Value& value, const std::string& at) {
    const auto one = [&](const json::Value& item) -> std::uint8_t {
      static constexpr std::pair<std::string_view, json::Kind> kNames[] = {
          {"null", json::Kind::null},     {"boolean", json::Kind::boolean}, {"integer", json::Kind::integer},
          {"string", json::Kind::string}, {"array", json::Kind::array},     {"object", json::Kind::object}};
      if (item.is_string()) {
        for (const auto& [text, kind] : kNames) {
          if (item.as_string() == text) return bit(kind);
        }
        if (item.as_string() == "number") return static_cast<std::uint8_t>(bit(json::Kind::number) | bit(json::Kind::integer));
      }
      fail(at, "`type` must be null, boolean, integer, number, string, array or object, or a list of these.");
      return 0;
    };
    made.has_types = true;
    made.types = 0;
    if (!value.is_array()) {
      made.types = one(value);
      return;
    }
    for (const json::Value& item : value.items()) made.types = static_cast<std::uint8_t>(made.types | one(item));
  }
  void bound(std::optional<double>& out, const json::Value& value, const std::string& at, std::string_view name) {
    if (value.is_bool() && name.starts_with("exclusive")) return;  // draft 4: says how `minimum` is meant
    if (!value.is_number()) return fail(at, "`" + std::string(name) + "` must be a number.");
    out = value.as_double();
  }
  void count(std::optional<std::size_t>& out, const json::Value& value, const std::string& at) {
    if (!value.is_number() || value.as_double() < 0 || value.as_double() > 1e15) return fail(at, "This must be a whole number, 0 or more.");
    out = static_cast<std::size_t>(value.as_double());
  }
  void names(std::vector<std::string>& out, const json::Value& value, const std::string& at) {
    for (const json::Value& item : value.items()) {
      if (!item.is_string()) return fail(at, "This must be a list of property names.");
      out.emplace_back(item.as_string());
    }
  }
  void named(std::vector<std::pair<std::string, NodeId>>& out, const json::Value& value, const std::string& at) {
    if (!value.is_object()) return fail(at, "This must be an object of schemas.");
    for (const json::Member& member : value.members()) out.emplace_back(std::string(member.name()), child(at, member.name()));
  }
  void many(std::vector<NodeId>& out, const json::Value& value, const std::string& at) {
    if (!value.is_array() || value.empty()) return fail(at, "This must be a list of schemas, not empty.");
    for (std::size_t i = 0; i < value.size(); ++i) out.push_back(node(json::pointer_child(at, i)));
  }
  std::optional<JsonSchema::Pattern> pattern(const json::Value& value, const std::string& at) {
    if (!value.is_string() || value.size() > 1000) {
      fail(at, "A pattern must be a regular expression of at most 1000 characters.");
      return std::nullopt;
    }
    std::string source = "test(";
    json::append_quoted(source, value.as_string());
    source += ')';
    auto program = jq::compile(source);
    if (program.has_error() || jq::first(program.value(), json::Value(""), {}).has_error()) {
      fail(at, "`" + std::string(value.as_string().substr(0, 100)) + "` is not a regular expression.");
      return std::nullopt;
    }
    return JsonSchema::Pattern{std::string(value.as_string()), std::move(program).value()};
  }

  /// A schema that applies to a value only if it applies to the same value has no meaning and would never end.
  void find_loop() {
    enum class Mark : std::uint8_t { fresh, open, done };
    std::vector<Mark> marks(nodes_.size(), Mark::fresh);
    struct Step {
      NodeId node;
      std::vector<NodeId> next;
    };
    for (NodeId start = 0; start < nodes_.size(); ++start) {
      if (marks[start] != Mark::fresh) continue;
      std::vector<Step> path;
      path.push_back({start, in_place(nodes_[start])});
      marks[start] = Mark::open;
      while (!path.empty()) {
        if (path.back().next.empty()) {
          marks[path.back().node] = Mark::done;
          path.pop_back();
          continue;
        }
        const NodeId next = path.back().next.back();
        path.back().next.pop_back();
        if (marks[next] == Mark::open)
          return fail(nodes_[next].pointer, "The schema refers to itself without end at `#" + nodes_[next].pointer + "`.");
        if (marks[next] == Mark::done) continue;
        marks[next] = Mark::open;
        path.push_back({next, in_place(nodes_[next])});
      }
    }
  }
  /// The subschemas that look at the same value.
  static std::vector<NodeId> in_place(const Node& node) {
    std::vector<NodeId> out;
    for (const auto* list : {&node.all_of, &node.any_of, &node.one_of}) out.insert(out.end(), list->begin(), list->end());
    for (const auto* one : {&node.ref, &node.negated, &node.condition, &node.then, &node.otherwise}) {
      if (*one) out.push_back(**one);
    }
    for (const auto& [name, id] : node.dependent_schemas) out.push_back(id);
    return out;
  }

  const json::Value& document_;
  std::vector<Node> nodes_;
  std::unordered_map<std::string, NodeId> ids_;
  std::deque<NodeId> work_;
  std::optional<Error> error_;
};

}  // namespace

Result<JsonSchema> JsonSchema::compile(const json::Value& document) {
  PAWL_TRY(nodes, Compiler(document).run());
  JsonSchema schema;
  schema.nodes_ = std::move(nodes);
  return schema;
}

}  // namespace pawl::dsl::detail
