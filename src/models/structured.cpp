#include "models/structured.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/utf8.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::models {
namespace {

constexpr std::string_view kWrapper = "value";
constexpr std::size_t kMostFindings = 10;

constexpr std::array<std::string_view, 8> kAnnotations = {"$schema", "$id",      "$comment",   "title",
                                                          "default", "examples", "deprecated", "readOnly"};
constexpr std::array<std::string_view, 13> kLimits = {"minimum",   "maximum",     "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
                                                      "minLength", "maxLength",   "pattern",          "format",           "minItems",
                                                      "maxItems",  "uniqueItems", "writeOnly"};

bool is_in(const auto& list, std::string_view name) { return std::find(list.begin(), list.end(), name) != list.end(); }

bool may_be_null(const json::Value& schema) {
  const auto& type = schema.get("type");
  if (type.is_string()) return type.as_string() == "null";
  if (type.is_array()) {
    return std::any_of(type.items().begin(), type.items().end(), [](const auto& item) { return item == json::Value("null"); });
  }
  return false;
}

json::Value or_null(json::Value schema) {
  if (may_be_null(schema)) return schema;
  return json::Value::object({{"anyOf", json::Value::array({std::move(schema), json::Value::object({{"type", "null"}})})}});
}

std::optional<json::Value> strict(const json::Value& schema);

std::optional<json::Value> strict_list(const json::Value& list) {
  if (!list.is_array() || list.empty()) return std::nullopt;
  auto result = json::Value::array();
  for (const auto& item : list.items()) {
    auto one = strict(item);
    if (!one) return std::nullopt;
    result.push_back(std::move(*one));
  }
  return result;
}

std::optional<json::Value> strict_map(const json::Value& map) {
  auto result = json::Value::object();
  for (const auto& member : map.members()) {
    auto one = strict(member.value);
    if (!one) return std::nullopt;
    result.set(member.name(), std::move(*one));
  }
  return result;
}

bool is_required(const json::Value& schema, const json::Value& name) {
  const auto& required = schema.get("required");
  return required.is_array() && std::find(required.items().begin(), required.items().end(), name) != required.items().end();
}

/// All properties required, optional ones nullable, nothing additional.
bool add_properties(json::Value& result, const json::Value& schema) {
  const auto& properties = schema.get("properties");
  if (!properties.is_object() || schema.get("additionalProperties").is_object()) return false;
  if (schema.get("additionalProperties") == json::Value(true)) return false;
  auto strict_properties = json::Value::object();
  auto required = json::Value::array();
  for (const auto& member : properties.members()) {
    auto one = strict(member.value);
    if (!one) return false;
    strict_properties.set(member.name(), is_required(schema, member.key) ? std::move(*one) : or_null(std::move(*one)));
    required.push_back(member.key);
  }
  result.set("properties", std::move(strict_properties));
  result.set("required", std::move(required));
  result.set("additionalProperties", false);
  return true;
}

/// The schema within the common subset; nothing where it has no form there.
std::optional<json::Value> strict(const json::Value& schema) {
  if (!schema.is_object()) return std::nullopt;
  auto result = json::Value::object();
  bool says_something = false;
  for (const auto& member : schema.members()) {
    const auto name = member.name();
    if (is_in(kAnnotations, name) || is_in(kLimits, name) || name == "required" || name == "additionalProperties") continue;
    if (name == "type" || name == "enum" || name == "$ref") {
      says_something = true;
      result.set(name, member.value);
    } else if (name == "description") {
      result.set(name, member.value);
    } else if (name == "const") {
      says_something = true;
      result.set("enum", json::Value::array({member.value}));
    } else if (name == "anyOf" || name == "oneOf") {
      says_something = true;
      auto list = strict_list(member.value);
      if (!list) return std::nullopt;
      result.set("anyOf", std::move(*list));
    } else if (name == "items") {
      auto items = strict(member.value);
      if (!items) return std::nullopt;
      result.set(name, std::move(*items));
    } else if (name == "$defs" || name == "definitions") {
      auto map = strict_map(member.value);
      if (!map) return std::nullopt;
      result.set(name, std::move(*map));
    } else if (name != "properties") {
      return std::nullopt;
    }
  }
  const bool is_object = schema.get("type") == json::Value("object") || schema.find("properties") != nullptr;
  if (is_object && schema.get("type").is_null()) result.set("type", "object");
  if (is_object && !add_properties(result, schema)) return std::nullopt;
  if (schema.get("type") == json::Value("array") && result.find("items") == nullptr) return std::nullopt;
  return says_something || is_object ? std::optional(std::move(result)) : std::nullopt;
}

/// Takes out the nulls that stand for "not there": where the property is optional and the user's schema knows no null for it.
json::Value without_nulls(const json::Value& value, const json::Value& schema) {
  if (value.is_array()) {
    auto result = json::Value::array();
    for (const auto& item : value.items()) result.push_back(without_nulls(item, schema.get("items")));
    return result;
  }
  if (!value.is_object()) return value;
  auto result = json::Value::object();
  for (const auto& member : value.members()) {
    const auto& property = schema.get("properties").get(member.name());
    const bool absent = member.value.is_null() && property.is_object() && !is_required(schema, member.key) &&
                        property.find("anyOf") == nullptr && property.find("oneOf") == nullptr && property.find("enum") == nullptr &&
                        property.find("$ref") == nullptr && property.find("type") != nullptr && !may_be_null(property);
    if (!absent) result.set(member.name(), without_nulls(member.value, property));
  }
  return result;
}

/// The JSON inside of ```json ... ```, or the text itself.
std::string_view unfenced(std::string_view text) {
  const auto trim = [&] {
    while (!text.empty() && std::string_view(" \t\r\n").find(text.front()) != std::string_view::npos) text.remove_prefix(1);
    while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != std::string_view::npos) text.remove_suffix(1);
  };
  trim();
  if (!text.starts_with("```") || !text.ends_with("```") || text.size() < 7) return text;
  const auto line = text.find('\n');
  if (line == std::string_view::npos) return text;
  text = text.substr(line + 1, text.size() - line - 4);
  trim();
  return text;
}

Findings one(std::string message) {
  Finding finding;
  finding.message = std::move(message);
  finding.rule = "llm-output";
  return {std::move(finding)};
}

}  // namespace

Result<OutputSchema> OutputSchema::compile(const json::Value& schema) {
  PAWL_TRY(compiled, dsl::Schema::compile(schema));
  OutputSchema result(schema, std::move(compiled));
  result.wrapped_ = schema.get("type") != json::Value("object") && schema.find("properties") == nullptr;
  auto wanted = schema;
  if (result.wrapped_) {
    // `$defs` move to the new root: references are written from there.
    auto inner = schema;
    const auto definitions = inner.get("$defs");
    inner.erase("$defs");
    wanted = json::Value::object({{"type", "object"},
                                  {"properties", json::Value::object({{kWrapper, std::move(inner)}})},
                                  {"required", json::Value::array({kWrapper})},
                                  {"additionalProperties", false}});
    if (definitions.is_object()) wanted.set("$defs", definitions);
  }
  auto subset = strict(wanted);
  result.form_.strict = subset.has_value();
  result.form_.schema = subset ? std::move(*subset) : std::move(wanted);
  return result;
}

std::string OutputSchema::hint() const {
  return "Answer with one JSON value and nothing else. It must be valid against this JSON Schema:\n" + json::to_text(form_.schema);
}

Checked<json::Value> OutputSchema::read(std::string_view text) const {
  const auto inner = unfenced(text);
  auto parsed = is_utf8(inner) ? json::parse(inner) : Result<json::Value>(Error(ErrorClass::invalid, "json.syntax", "not UTF-8"));
  if (parsed.has_error()) return {std::nullopt, one("the answer is not JSON: " + parsed.error().message)};
  auto value = std::move(*parsed);
  // A model without a strict form may answer the bare value.
  if (wrapped_ && value.is_object() && value.size() == 1 && value.find(kWrapper) != nullptr) value = value.take(kWrapper);
  auto findings = compiled_.validate(value);
  if (findings.empty()) return {std::move(value), {}};
  auto pruned = without_nulls(value, schema_);
  if (compiled_.validate(pruned).empty()) return {std::move(pruned), {}};
  return {std::nullopt, std::move(findings)};
}

std::string repair_prompt(const Findings& findings) {
  std::string text = "Your answer was not accepted:\n";
  std::size_t shown = 0;
  for (const auto& finding : findings) {
    if (++shown > kMostFindings) break;
    text += fmt::format("- {}{}{}\n", finding.pointer, finding.pointer.empty() ? "" : ": ", finding.message);
  }
  return text + "Answer again, with the whole corrected JSON value and nothing else.";
}

}  // namespace pawl::models
