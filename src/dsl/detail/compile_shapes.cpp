/// Reading members, types and names of the document.
#include <algorithm>
#include <cmath>

#include "dsl/detail/compiler.hpp"
#include "dsl/detail/scan.hpp"
#include "dsl/detail/suggest.hpp"
#include "json/pointer.hpp"

namespace pawl::dsl::detail {
namespace {

std::string_view kind_words(json::Kind kind) {
  switch (kind) {
    case json::Kind::null: return "is empty";
    case json::Kind::boolean: return "is true or false";
    case json::Kind::integer: return "is a number";
    case json::Kind::number: return "is a number with a fraction";
    case json::Kind::string: return "is text";
    case json::Kind::array: return "is a list";
    case json::Kind::object: return "is an object";
  }
  return "is something else";
}

std::string must_be(std::string_view what, std::string_view type, const json::Value& value) {
  std::string message = std::string(what) + " must be " + std::string(type) + ", but " + std::string(kind_words(value.kind()));
  if (type == "text" && (value.is_number() || value.is_bool())) message += ": put it in quotes";
  return message + '.';
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

}  // namespace

const Names& task_names() {
  static const Names names = {"context", "input", "secrets", "task", "workflow", "runtime", "authorization"};
  return names;
}

const Names& function_names() {
  static const Names names = {"context", "input", "task", "workflow", "runtime"};
  return names;
}

Names with_name(Names names, std::string name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  return names;
}

bool is_label(std::string_view text) {
  if (text.empty() || text.size() > 63 || text.front() == '-' || text.back() == '-') return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '-'; });
}

bool is_semantic_version(std::string_view text) {
  const auto number = [&] {
    std::size_t length = 0;
    while (length < text.size() && is_digit(text[length])) ++length;
    if (length == 0 || length > 18 || (length > 1 && text[0] == '0')) return false;
    text.remove_prefix(length);
    return true;
  };
  const auto dot = [&] {
    if (!text.starts_with('.')) return false;
    text.remove_prefix(1);
    return true;
  };
  if (!number() || !dot() || !number() || !dot() || !number()) return false;
  for (const char mark : {'-', '+'}) {
    if (!text.starts_with(mark)) continue;
    text.remove_prefix(1);
    const auto end = mark == '-' ? std::min(text.find('+'), text.size()) : text.size();
    const std::string_view part = text.substr(0, end);
    if (part.empty() || part.front() == '.' || part.back() == '.' || part.find("..") != std::string_view::npos) return false;
    if (!std::all_of(part.begin(), part.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '.'; })) return false;
    text.remove_prefix(end);
  }
  return text.empty();
}

bool Compiler::is_object(const Node& node, std::string_view what) {
  if (node.value.is_object()) return true;
  report_.error(node.pointer, "wrong-type", must_be(what, "an object", node.value));
  return false;
}

bool Compiler::is_list(const Node& node, std::string_view what) {
  if (node.value.is_array()) return true;
  report_.error(node.pointer, "wrong-type", must_be(what, "a list", node.value));
  return false;
}

std::optional<std::string> Compiler::text(const Node& node, std::string_view what) {
  if (node.value.is_string()) return std::string(node.value.as_string());
  report_.error(node.pointer, "wrong-type", must_be(what, "text", node.value));
  return std::nullopt;
}

std::optional<bool> Compiler::boolean(const Node& node, std::string_view what) {
  if (node.value.is_bool()) return node.value.as_bool();
  report_.error(node.pointer, "wrong-type", must_be(what, "true or false", node.value));
  return std::nullopt;
}

std::optional<std::int64_t> Compiler::integer(const Node& node, std::string_view what, std::int64_t least, std::int64_t most) {
  const json::Value& value = node.value;
  const bool whole =
      value.is_integer() || (value.is_number() && std::trunc(value.as_double()) == value.as_double() && std::abs(value.as_double()) < 9e15);
  if (!whole) {
    report_.error(node.pointer, "wrong-type", must_be(what, "a whole number", value));
    return std::nullopt;
  }
  const std::int64_t number = value.is_integer() ? value.as_integer() : static_cast<std::int64_t>(value.as_double());
  if (number >= least && number <= most) return number;
  report_.error(node.pointer, "invalid-value",
                std::string(what) + " must be from " + std::to_string(least) + " to " + std::to_string(most) + '.');
  return std::nullopt;
}

std::optional<std::string_view> Compiler::one_of(const Node& node, std::string_view what, std::span<const std::string_view> choices) {
  if (!node.value.is_string()) {
    report_.error(node.pointer, "wrong-type", must_be(what, list_names(choices), node.value));
    return std::nullopt;
  }
  const auto found = std::find(choices.begin(), choices.end(), node.value.as_string());
  if (found != choices.end()) return *found;
  report_.error(
      node.pointer, "invalid-value",
      std::string(what) + " must be " + list_names(choices) + ", not `" + std::string(node.value.as_string().substr(0, 60)) + "`.",
      nearest(node.value.as_string(), choices));
  return std::nullopt;
}

void Compiler::check_members(const Node& node, std::span<const std::string_view> known, std::string_view what) {
  if (!node.value.is_object()) return;
  for (const json::Member& member : node.value.members()) {
    if (std::find(known.begin(), known.end(), member.name()) != known.end()) continue;
    std::string message = std::string(what) + " has no property `" + std::string(member.name().substr(0, 60)) + '`';
    if (known.size() <= 12) message += "; allowed: " + list_names(known);
    report_.key_error(json::pointer_child(node.pointer, member.name()), "unknown-property", message + '.', nearest(member.name(), known));
  }
}

std::optional<Node> Compiler::member(const Node& node, std::string_view name) {
  const json::Value* value = node.value.find(name);
  if (!value) return std::nullopt;
  return Node{*value, json::pointer_child(node.pointer, name)};
}

Node Compiler::item(const Node& node, std::size_t index) { return {node.value.at(index), json::pointer_child(node.pointer, index)}; }

void Compiler::missing(const std::string& pointer, std::string_view name, std::string_view what) {
  report_.key_error(pointer, "missing-property", std::string(what) + " needs the property `" + std::string(name) + "`.");
}

std::optional<Node> Compiler::required(const Node& node, std::string_view name, std::string_view what) {
  auto found = member(node, name);
  if (!found && node.value.is_object()) missing(node.pointer, name, what);
  return found;
}

std::optional<Node> Compiler::entry(const Node& node, std::string_view what, std::string& name) {
  if (!is_object(node, what)) return std::nullopt;
  if (node.value.size() != 1) {
    report_.error(node.pointer, "one-name",
                  std::string(what) + " must be an object with one name: `- name: {...}`; this one has " +
                      std::to_string(node.value.size()) +
                      (node.value.size() > 1 ? ". Is what follows the name indented far enough?" : "."));
    if (node.value.empty()) return std::nullopt;
  }
  const json::Member& only = node.value.members()[0];
  name = only.name();
  return Node{only.value, json::pointer_child(node.pointer, name)};
}

std::optional<Node> Compiler::reference(const Node& node, const Definitions& definitions, std::string_view kind) {
  const std::string_view name = node.value.as_string();
  if (const auto found = definitions.find(name); found != definitions.end()) {
    used_.insert(found->second.pointer);
    return found->second;
  }
  std::vector<std::string_view> names;
  for (const auto& [known, definition] : definitions) names.push_back(known);
  report_.error(node.pointer, "unknown-reference",
                "`use." + std::string(kind) + "` does not define `" + std::string(name.substr(0, 60)) + "`.",
                nearest(name, std::span<const std::string_view>(names)));
  return std::nullopt;
}

void Compiler::variable_name(const Node& node, std::string& out, std::string_view what) {
  const auto given = text(node, what);
  if (!given) return;
  std::string_view name = *given;
  if (name.starts_with('$')) {
    report_.error(node.pointer, "variable-name", std::string(what) + " is written without `$`.", std::string(name.substr(1)));
    return;
  }
  const bool good = !name.empty() && name.size() <= 64 && !is_digit(name[0]) &&
                    std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
  if (!good) {
    report_.error(node.pointer, "variable-name",
                  std::string(what) + " must be a variable's name: letters, digits and `_`, not beginning with a digit.");
    return;
  }
  const Names& taken = task_names();
  if (name == "output" || std::find(taken.begin(), taken.end(), name) != taken.end()) {
    report_.error(node.pointer, "variable-name", "`$" + std::string(name) + "` has a meaning already: choose another name.");
    return;
  }
  out = name;
}

}  // namespace pawl::dsl::detail
