#include "api/shape.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "json/pointer.hpp"

namespace pawl::api {

struct detail::ShapeNode {
  Shape::Kind kind = Shape::Kind::any;
  bool nullable = false;
  bool open = false;
  bool write_only = false;
  std::string_view name;
  std::string_view description;
  std::string_view format;  // as JSON Schema names it
  std::vector<std::string_view> choices;
  std::size_t min_size = 0;
  std::size_t max_size = 0;  // bytes of a text, items of an array; 0: no limit
  std::int64_t min = INT64_MIN;
  std::int64_t max = INT64_MAX;
  std::vector<Shape::Member> members;
  std::vector<Shape> item;  // of an array or a map: one
  json::Value example;
  std::string_view example_name;  // of a map
  bool (*fits)(const json::Value&) = nullptr;
  std::string_view fits_message;
};

namespace {

using Node = detail::ShapeNode;

constexpr std::size_t kMaxFindings = 100;

constexpr std::string_view kind_name(Shape::Kind kind) {
  switch (kind) {
    case Shape::Kind::any: return "";
    case Shape::Kind::text: return "string";
    case Shape::Kind::integer: return "integer";
    case Shape::Kind::number: return "number";
    case Shape::Kind::boolean: return "boolean";
    case Shape::Kind::array: return "array";
    case Shape::Kind::object: return "object";
  }
  return "";
}

constexpr std::string_view kind_words(Shape::Kind kind) {
  switch (kind) {
    case Shape::Kind::any: return "anything";
    case Shape::Kind::text: return "text";
    case Shape::Kind::integer: return "a whole number";
    case Shape::Kind::number: return "a number";
    case Shape::Kind::boolean: return "true or false";
    case Shape::Kind::array: return "a list";
    case Shape::Kind::object: return "an object";
  }
  return "";
}

bool is_of(Shape::Kind kind, const json::Value& value) {
  switch (kind) {
    case Shape::Kind::any: return true;
    case Shape::Kind::text: return value.is_string();
    case Shape::Kind::integer: return value.is_integer();
    case Shape::Kind::number: return value.is_number();
    case Shape::Kind::boolean: return value.is_bool();
    case Shape::Kind::array: return value.is_array();
    case Shape::Kind::object: return value.is_object();
  }
  return false;
}

/// Only what keeps an address from being one; whether it exists is for the mail to find out.
bool looks_like_email(std::string_view text) {
  const auto at = text.find('@');
  if (at == std::string_view::npos || at == 0 || at > 64 || text.rfind('@') != at || text.size() > 254) return false;
  const auto domain = text.substr(at + 1);
  if (domain.size() < 3 || domain.front() == '.' || domain.back() == '.' || domain.find("..") != std::string_view::npos) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) > ' ' && c != 0x7F && c != '<' && c != '>' && c != ',' && c != ';' && c != '"' && c != '\\';
  });
}

void report(Findings& findings, const std::string& pointer, std::string message, std::string_view rule) {
  if (findings.size() >= kMaxFindings) return;
  Finding finding;
  finding.pointer = pointer;
  finding.message = std::move(message);
  finding.rule = rule;
  findings.push_back(std::move(finding));
}

std::string joined(const std::vector<std::string_view>& choices) {
  std::string out;
  for (const auto choice : choices) out += (out.empty() ? "" : ", ") + std::string(choice);
  return out;
}

// ---- making shapes --------------------------------------------------------------------------------------------------------------

std::shared_ptr<Node> made(Shape::Kind kind, json::Value example) {
  auto node = std::make_shared<Node>();
  node->kind = kind;
  node->example = std::move(example);
  return node;
}
}  // namespace

Shape Shape::any(json::Value example) { return Shape(made(Kind::any, std::move(example))); }

Shape Shape::text(std::string_view example, std::size_t max_bytes) {
  auto node = made(Kind::text, example);
  node->max_size = max_bytes;
  return Shape(std::move(node));
}

Shape Shape::secret(std::size_t max_bytes) {
  auto node = made(Kind::text, "................");
  node->max_size = max_bytes;
  node->write_only = true;
  return Shape(std::move(node));
}

Shape Shape::choice(std::vector<std::string_view> choices) {
  auto node = made(Kind::text, choices.front());
  node->choices = std::move(choices);
  return Shape(std::move(node));
}

Shape Shape::id(std::string_view example) {
  auto node = made(Kind::text, example);
  node->format = "uuid";
  return Shape(std::move(node));
}

Shape Shape::time() {
  auto node = made(Kind::text, "2026-01-31T12:00:00.000Z");
  node->format = "date-time";
  return Shape(std::move(node));
}

Shape Shape::email(std::string_view example) {
  auto node = made(Kind::text, example);
  node->format = "email";
  node->max_size = 254;
  return Shape(std::move(node));
}

Shape Shape::integer(std::int64_t example, std::int64_t min, std::int64_t max) {
  auto node = made(Kind::integer, example);
  node->min = min;
  node->max = max;
  return Shape(std::move(node));
}

Shape Shape::number(double example) { return Shape(made(Kind::number, example)); }
Shape Shape::boolean(bool example) { return Shape(made(Kind::boolean, example)); }

Shape Shape::array(Shape item, std::size_t max_items) {
  auto node = made(Kind::array, {});
  node->max_size = max_items;
  node->example = json::Value::array({item.example()});
  node->item.push_back(std::move(item));
  return Shape(std::move(node));
}

Shape Shape::map(std::string_view example_name, Shape value) {
  auto node = made(Kind::object, json::Value::object({{example_name, value.example()}}));
  node->example_name = example_name;
  node->item.push_back(std::move(value));
  return Shape(std::move(node));
}

Shape Shape::object(std::string_view name, std::vector<Member> members) {
  auto example = json::Value::object();
  for (const auto& member : members) example.set(member.name, member.shape.example());
  auto node = made(Kind::object, std::move(example));
  node->name = name;
  node->members = std::move(members);
  return Shape(std::move(node));
}

Shape Shape::page(std::string_view name, Shape item) {
  return object(name, {{"items", array(std::move(item))}, {"next_cursor", text("0198c5f2-7a10-7c3e-9d4b-2f6a8e1b3c5d").or_null()}});
}

namespace {

template <class Change>
std::shared_ptr<const Node> changed(const std::shared_ptr<const Node>& node, Change change) {
  auto copy = std::make_shared<Node>(*node);
  change(*copy);
  return copy;
}
}  // namespace

Shape Shape::or_null() && {
  return Shape(changed(node_, [](Node& node) { node.nullable = true; }));
}
Shape Shape::described(std::string_view description) && {
  return Shape(changed(node_, [&](Node& node) { node.description = description; }));
}
Shape Shape::at_least(std::size_t length) && {
  return Shape(changed(node_, [&](Node& node) { node.min_size = length; }));
}
Shape Shape::open() && {
  return Shape(changed(node_, [](Node& node) { node.open = true; }));
}
Shape Shape::where(bool (*fits)(const json::Value&), std::string_view message) && {
  return Shape(changed(node_, [&](Node& node) {
    node.fits = fits;
    node.fits_message = message;
  }));
}
Shape Shape::with_example(json::Value example) && {
  return Shape(changed(node_, [&](Node& node) { node.example = std::move(example); }));
}

Shape::Kind Shape::kind() const { return node_->kind; }
std::string_view Shape::description() const { return node_->description; }
json::Value Shape::example() const { return node_->example; }

bool Shape::has_member(std::string_view name) const {
  return std::any_of(node_->members.begin(), node_->members.end(), [&](const Member& member) { return member.name == name; });
}

// ---- checking -------------------------------------------------------------------------------------------------------------------

namespace {

void check_text(const Node& node, std::string_view text, const std::string& pointer, Findings& findings) {
  if (!node.choices.empty()) {
    if (std::find(node.choices.begin(), node.choices.end(), text) == node.choices.end()) {
      report(findings, pointer, "must be one of: " + joined(node.choices), "choice");
    }
    return;
  }
  if (node.max_size > 0 && text.size() > node.max_size) {
    report(findings, pointer, fmt::format("must not be longer than {} bytes", node.max_size), "length");
  } else if (text.size() < node.min_size) {
    report(findings, pointer, node.min_size == 1 ? "must not be empty" : fmt::format("must have at least {} bytes", node.min_size),
           "length");
  } else if (node.format == "email" && !looks_like_email(text)) {
    report(findings, pointer, "must be an e-mail address", "format");
  } else if (node.format == "uuid" && !Uuid::parse(text)) {
    report(findings, pointer, "must be an id", "format");
  } else if (node.format == "date-time" && !parse_rfc3339(text)) {
    report(findings, pointer, "must be an RFC 3339 time such as 2026-01-31T12:00:00Z", "format");
  }
}

std::string range_message(const Node& node) {
  if (node.max == INT64_MAX) return fmt::format("must be a whole number of at least {}", node.min);
  return fmt::format("must be a whole number from {} to {}", node.min, node.max);
}

}  // namespace

void Shape::check_into(const json::Value& value, const std::string& pointer, Findings& findings) const {
  const auto& node = *node_;
  if (value.is_null() && node.nullable) return;
  if (!is_of(node.kind, value)) {
    if (node.kind == Kind::integer) return report(findings, pointer, range_message(node), "range");
    return report(findings, pointer, fmt::format("must be {}", kind_words(node.kind)), "type");
  }
  if (node.fits != nullptr && !node.fits(value)) return report(findings, pointer, std::string(node.fits_message), "value");
  switch (node.kind) {
    case Kind::any:
    case Kind::number:
    case Kind::boolean: return;
    case Kind::text: return check_text(node, value.as_string(), pointer, findings);
    case Kind::integer:
      if (value.as_integer() < node.min || value.as_integer() > node.max) report(findings, pointer, range_message(node), "range");
      return;
    case Kind::array: {
      if (node.max_size > 0 && value.size() > node.max_size) {
        return report(findings, pointer, fmt::format("must not have more than {} items", node.max_size), "length");
      }
      if (value.size() < node.min_size) report(findings, pointer, fmt::format("must have at least {} items", node.min_size), "length");
      std::size_t index = 0;
      for (const auto& item : value.items()) node.item.front().check_into(item, json::pointer_child(pointer, index++), findings);
      return;
    }
    case Kind::object: return check_object(value, pointer, findings);
  }
}

void Shape::check_object(const json::Value& value, const std::string& pointer, Findings& findings) const {
  const auto& node = *node_;
  if (!node.item.empty()) {
    for (const auto& member : value.members()) {
      node.item.front().check_into(member.value, json::pointer_child(pointer, member.name()), findings);
    }
    return;
  }
  for (const auto& member : node.members) {
    const auto* found = value.find(member.name);
    if (found == nullptr) {
      if (member.presence == Presence::required) report(findings, json::pointer_child(pointer, member.name), "is required", "required");
    } else if (!(found->is_null() && member.presence == Presence::optional)) {
      member.shape.check_into(*found, json::pointer_child(pointer, member.name), findings);
    }
  }
  if (node.open) return;
  for (const auto& member : value.members()) {
    if (!has_member(member.name())) report(findings, json::pointer_child(pointer, member.name()), "is not known here", "unknown-property");
  }
}

Findings Shape::check(const json::Value& value) const {
  Findings findings;
  check_into(value, "", findings);
  return findings;
}

// ---- documenting ----------------------------------------------------------------------------------------------------------------

json::Value Shape::own_schema(bool nullable, const Define& define) const {
  const auto& node = *node_;
  auto schema = json::Value::object();
  if (node.kind != Kind::any) {
    const json::Value type(kind_name(node.kind));
    schema.set("type", nullable ? json::Value::array({type, "null"}) : type);
  }
  if (!node.description.empty()) schema.set("description", node.description);
  if (!node.format.empty()) schema.set("format", node.format);
  if (!node.choices.empty()) {
    auto choices = json::Value::array();
    for (const auto choice : node.choices) choices.push_back(choice);
    if (nullable) choices.push_back(nullptr);
    schema.set("enum", std::move(choices));
  }
  if (node.kind == Kind::text) {
    if (node.min_size > 0) schema.set("minLength", node.min_size);
    if (node.max_size > 0) schema.set("maxLength", node.max_size);
    if (node.write_only) schema.set("writeOnly", true);
  }
  if (node.kind == Kind::integer) {
    if (node.min != INT64_MIN) schema.set("minimum", node.min);
    if (node.max != INT64_MAX) schema.set("maximum", node.max);
  }
  if (node.kind == Kind::array) {
    schema.set("items", node.item.front().schema(define));
    if (node.min_size > 0) schema.set("minItems", node.min_size);
    if (node.max_size > 0) schema.set("maxItems", node.max_size);
  }
  if (node.kind == Kind::object && !node.item.empty()) schema.set("additionalProperties", node.item.front().schema(define));
  if (node.kind != Kind::object || !node.item.empty()) return schema;
  auto properties = json::Value::object();
  auto required = json::Value::array();
  for (const auto& member : node.members) {
    properties.set(member.name, member.shape.schema(define));
    if (member.presence == Presence::required) required.push_back(member.name);
  }
  schema.set("properties", std::move(properties));
  if (!required.empty()) schema.set("required", std::move(required));
  schema.set("additionalProperties", node.open);
  return schema;
}

json::Value Shape::schema(const Define& define) const {
  if (node_->name.empty()) return own_schema(node_->nullable, define);
  define(node_->name, own_schema(false, define));
  auto reference = json::Value::object({{"$ref", "#/components/schemas/" + std::string(node_->name)}});
  if (!node_->nullable) return reference;
  return json::Value::object({{"anyOf", json::Value::array({std::move(reference), json::Value::object({{"type", "null"}})})}});
}

}  // namespace pawl::api
