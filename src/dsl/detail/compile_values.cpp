/// Expressions, data with expressions in it, durations and schemas.
#include <algorithm>
#include <array>

#include "dsl/detail/compiler.hpp"
#include "dsl/detail/scan.hpp"
#include "dsl/detail/suggest.hpp"
#include "json/pointer.hpp"

namespace pawl::dsl::detail {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

bool is_blank(std::string_view text) { return text.find_first_not_of(kSpace) == std::string_view::npos; }
bool is_name_char(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9'); }

/// Line and column within `source`, both from 1, as a byte offset.
std::size_t offset_of(std::string_view source, std::uint32_t line, std::uint32_t column) {
  std::size_t at = 0;
  for (std::uint32_t n = 1; n < line; ++n) {
    const auto end = source.find('\n', at);
    if (end == std::string_view::npos) return source.size();
    at = end + 1;
  }
  for (std::uint32_t n = 1; n < column && at < source.size(); ++n) {
    ++at;
    while (at < source.size() && (static_cast<unsigned char>(source[at]) & 0xC0U) == 0x80U) ++at;
  }
  return at;
}

/// `${HOME}`, `${1}`, `${name:-default}`, `${#list}`: parameters of the shell rather than jq.
bool is_shell_parameter(std::string_view text) {
  if (text.empty()) return false;
  if (std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) return true;
  if (text == "@" || text == "*" || text == "#" || text == "?") return true;
  std::size_t at = text[0] == '#' || text[0] == '!' ? 1 : 0;
  const std::size_t start = at;
  while (at < text.size() && is_name_char(text[at])) ++at;
  return at > start && (at == text.size() || std::string_view(":-=+?#%/^,[@").find(text[at]) != std::string_view::npos);
}

}  // namespace

void Compiler::secrets_in(const std::string& pointer, std::string_view source) {
  constexpr std::string_view kPrefix = "$secrets.";
  for (auto at = source.find(kPrefix); at != std::string_view::npos; at = source.find(kPrefix, at + 1)) {
    const std::size_t start = at + kPrefix.size();
    std::size_t end = start;
    while (end < source.size() && is_name_char(source[end])) ++end;
    const std::string name(source.substr(start, end - start));
    if (name.empty() || std::find(plan_.secrets.begin(), plan_.secrets.end(), name) != plan_.secrets.end()) continue;
    report_.warning(pointer, "undeclared-secret", "`use.secrets` does not list `" + name + "`: `$secrets." + name + "` will be null.",
                    nearest(name, plan_.secrets));
  }
}

/// `basic: {use: name}` names a secret that holds the credentials.
void Compiler::declared_secret(const Node& authentication) {
  if (!authentication.value.is_object()) return;
  for (const json::Member& scheme : authentication.value.members()) {
    const json::Value& use = scheme.value.get("use");
    if (in_function_ && !use.is_null()) {
      report_.error(json::pointer_child(json::pointer_child(authentication.pointer, scheme.name()), "use"), "undeclared-secret",
                    "Functions of catalogs see no secrets: what they need is given to them as arguments.");
      continue;
    }
    if (!use.is_string() || has_expression(use.as_string())) continue;
    if (std::find(plan_.secrets.begin(), plan_.secrets.end(), use.as_string()) != plan_.secrets.end()) continue;
    report_.warning(json::pointer_child(json::pointer_child(authentication.pointer, scheme.name()), "use"), "undeclared-secret",
                    "`use.secrets` does not list `" + std::string(use.as_string().substr(0, 60)) + "`.",
                    nearest(use.as_string(), plan_.secrets));
  }
}

void Compiler::event_data_path(const std::string& pointer, std::string_view source) {
  if (!reads_event_data_) return;
  constexpr std::string_view kPrefix = "$workflow.input[";
  const auto at = source.find(kPrefix);
  if (at == std::string_view::npos) return;
  const auto close = source.find(']', at);
  if (close == std::string_view::npos || !source.substr(close + 1).starts_with(".data")) return;
  report_.warning(pointer, "event-data-path",
                  "`schedule.on` reads the event's data by default, so `.data` looks for a member of that name in it: leave it out, or set "
                  "`schedule.read: envelope`.");
}

std::optional<Expression> Compiler::source(const std::string& pointer, std::string_view text, std::size_t offset, const Names& names) {
  if (is_blank(text)) {
    report_.text_error(pointer, offset, "empty-expression", "The expression is empty: write `.` for the whole input.");
    return std::nullopt;
  }
  Result<Expression> compiled = Expression::compile(text, names);
  if (compiled.has_value()) {
    secrets_in(pointer, text);
    event_data_path(pointer, text);
    return std::move(compiled).value();
  }
  const Error& error = compiled.error();
  std::size_t at = 0;
  std::string suggestion;
  std::string message = error.message;
  if (!error.findings.empty()) {
    at = offset_of(text, error.findings[0].line, error.findings[0].column);
    suggestion = error.findings[0].suggestion;
    message = error.findings[0].message;
  }
  const char* rule = "expression-syntax";
  if (error.code == "jq.unknown") rule = at < text.size() && text[at] == '$' ? "unknown-variable" : "unknown-name";
  report_.text_error(pointer, offset + at, rule, "In the expression: " + message, std::move(suggestion));
  return std::nullopt;
}

std::optional<Expression> Compiler::expression(const Node& node, const Names& names, std::string_view what) {
  if (node.value.is_bool()) return source(node.pointer, node.value.as_bool() ? "true" : "false", 0, names);
  if (!node.value.is_string()) {
    report_.error(node.pointer, "wrong-type", std::string(what) + " must be an expression, written as text.");
    return std::nullopt;
  }
  std::size_t offset = 0;
  const std::string_view inner = unwrap_expression(node.value.as_string(), offset);
  return source(node.pointer, inner, offset, names);
}

Template Compiler::data_text(const Node& node, const Names& names) {
  const std::string_view text = node.value.as_string();
  if (!has_expression(text)) {
    if (loose_ && !is_blank(text)) {
      Result<Expression> tried = Expression::compile(text, names);
      if (tried.has_value()) return Template(Template::Loose{std::move(tried).value(), std::string(text)});
    } else if (!foreign_text_ && looks_like_expression(text)) {
      report_.warning(node.pointer, "looks-like-expression", "This is kept as text. If an expression is meant, wrap it.",
                      "${ " + std::string(text) + " }");
    }
    return Template(node.value);
  }
  const TextScan scan = scan_text(text);
  if (!scan.whole && (keep_inner_dollars_ || (shell_text_ && scan.unterminated))) return Template(node.value);
  if (scan.unterminated) {
    report_.text_error(node.pointer, *scan.unterminated, "unterminated-expression", "This `${` has no `}` that ends it.");
    return Template(node.value);
  }
  std::vector<Template::Part> parts;
  std::string literal;
  for (const TextPart& part : scan.parts) {
    if (!part.expression) {
      literal += part.text;
      continue;
    }
    if (shell_text_ && is_shell_parameter(part.text)) {
      literal += "${" + std::string(part.text) + '}';
      continue;
    }
    auto compiled = source(node.pointer, part.text, part.offset, names);
    if (!compiled) continue;
    if (scan.whole) return Template(std::move(*compiled));
    parts.push_back({std::move(literal), std::move(compiled)});
    literal.clear();
  }
  if (parts.empty()) return Template(node.value);
  if (!literal.empty()) parts.push_back({std::move(literal), std::nullopt});
  return Template(std::move(parts));
}

Template Compiler::data(const Node& node, const Names& names) {
  if (node.value.is_string()) return data_text(node, names);
  if (node.value.is_array()) {
    auto made = std::make_shared<Template::ArrayOf>();
    bool constant = true;
    for (std::size_t i = 0; i < node.value.size(); ++i) {
      made->items.push_back(data(item(node, i), names));
      constant = constant && made->items.back().is_constant();
    }
    return constant ? Template(node.value) : Template(std::shared_ptr<const Template::ArrayOf>(std::move(made)));
  }
  if (!node.value.is_object()) return Template(node.value);
  auto made = std::make_shared<Template::ObjectOf>();
  bool constant = true;
  bool replaced = false;
  for (const json::Member& entry : node.value.members()) {
    Node below{entry.value, json::pointer_child(node.pointer, entry.name())};
    const bool place = authentication_place_;
    const bool foreign = foreign_text_;
    for (const std::string_view name : {"selector", "selectors", "pattern", "regex"}) foreign_text_ = foreign_text_ || entry.name() == name;
    if (place && entry.name() == "authentication" && entry.value.is_object() && entry.value.get("use").is_string()) {
      const Node use{entry.value.get("use"), json::pointer_child(below.pointer, "use")};
      if (auto definition = reference(use, authentications_, "authentications")) {
        below = std::move(*definition);
        replaced = true;
      }
    }
    if (place && entry.name() == "authentication") declared_secret(below);
    // Below these the data is the caller's own, whatever its members are called.
    for (const std::string_view own :
         {"body", "parameters", "arguments", "headers", "query", "environment", "payload", "message", "input"}) {
      if (entry.name() == own) authentication_place_ = false;
    }
    made->members.emplace_back(std::string(entry.name()), data(below, names));
    authentication_place_ = place;
    foreign_text_ = foreign;
    constant = constant && made->members.back().second.is_constant();
  }
  if (!constant) return Template(std::shared_ptr<const Template::ObjectOf>(std::move(made)));
  if (!replaced) {
    // A replacement further down makes a new value there.
    for (const auto& [name, member] : made->members) replaced = replaced || !member.constant().same_storage(node.value.get(name));
    if (!replaced || !authentication_place_) return Template(node.value);
  }
  json::Value value = json::Value::object();
  for (const auto& [name, member] : made->members) value.set(name, member.constant());
  return Template(std::move(value));
}

std::optional<Template> Compiler::mapping(const Node& node, const Names& names, std::string_view what) {
  if (node.value.is_object()) return data(node, names);
  if (!node.value.is_string()) {
    report_.error(node.pointer, "wrong-type", std::string(what) + " must be an expression or an object.");
    return std::nullopt;
  }
  auto compiled = expression(node, names, what);
  if (!compiled) return std::nullopt;
  return Template(std::move(*compiled));
}

std::optional<Template> Compiler::duration(const Node& node, const Names& names, bool short_text) {
  constexpr std::array<std::string_view, 5> kUnits = {"days", "hours", "minutes", "seconds", "milliseconds"};
  const json::Value& value = node.value;
  if (value.is_string()) {
    std::size_t offset = 0;
    const std::string_view inner = unwrap_expression(value.as_string(), offset);
    if (offset > 0) {
      auto compiled = source(node.pointer, inner, offset, names);
      if (!compiled) return std::nullopt;
      return Template(std::move(*compiled));
    }
    const auto read = to_duration(value);
    if (read.has_value() && (short_text || parse_iso8601_duration(value.as_string()))) return Template(value);
    std::string suggestion;
    if (read.has_value() && read.value().count() % 1000 == 0) suggestion = "PT" + std::to_string(read.value().count() / 1000) + "S";
    report_.error(
        node.pointer, "invalid-duration",
        "`" + std::string(value.as_string().substr(0, 60)) +
            "` is not a duration: write an object such as `seconds: 30`, ISO 8601 text such as `PT30S`, or an expression `${ ... }`.",
        std::move(suggestion));
    return std::nullopt;
  }
  if (value.is_number() && short_text && to_duration(value).has_value()) return Template(value);
  if (!value.is_object()) {
    report_.error(node.pointer, "invalid-duration", "A duration is an object such as `seconds: 30`, or ISO 8601 text such as `PT30S`.");
    return std::nullopt;
  }
  check_members(node, kUnits, "A duration");
  if (value.empty()) {
    report_.error(node.pointer, "invalid-duration", "A duration needs at least one of days, hours, minutes, seconds, milliseconds.");
    return std::nullopt;
  }
  bool good = true;
  for (const json::Member& unit : value.members()) {
    if (std::find(kUnits.begin(), kUnits.end(), unit.name()) == kUnits.end()) {
      good = false;
    } else if (!(unit.value.is_string() && has_expression(unit.value.as_string()))) {
      const Node below{unit.value, json::pointer_child(node.pointer, unit.name())};
      good = integer(below, "`" + std::string(unit.name()) + "` of a duration", 0, 10'000'000'000'000).has_value() && good;
    }
  }
  if (!good) return std::nullopt;
  Template made = data(node, names);
  if (!made.is_constant()) return made;
  if (const auto read = to_duration(made.constant()); read.has_error()) {
    report_.error(node.pointer, "invalid-duration", read.error().message);
    return std::nullopt;
  }
  return made;
}

std::optional<Schema> Compiler::schema(const Node& node) {
  constexpr std::array<std::string_view, 3> kMembers = {"format", "document", "resource"};
  if (!is_object(node, "A schema")) return std::nullopt;
  check_members(node, kMembers, "A schema");
  const auto document = member(node, "document");
  const auto resource = member(node, "resource");
  if (!document && !resource) missing(node.pointer, "document", "A schema");
  if (document && resource) {
    report_.error(resource->pointer, "excludes-each-other", "A schema has either `document` or `resource`, not both.");
  }
  if (const auto format = member(node, "format")) {
    const auto name = text(*format, "`format`");
    if (name && *name != "json" && !name->starts_with("json:")) {
      report_.warning(format->pointer, "unchecked-schema", "Only schemas of format `json` are checked; data is taken as it comes.");
      return std::nullopt;
    }
  }
  if (resource && !document) {
    report_.warning(
        resource->pointer, "unchecked-schema",
        "Schemas are not fetched from elsewhere; data is taken as it comes. Put the schema into `document` to have it checked.");
  }
  if (!document) return std::nullopt;
  Result<Schema> compiled = Schema::compile(document->value);
  if (compiled.has_value()) return std::move(compiled).value();
  const Error& error = compiled.error();
  const std::string below = error.findings.empty() ? std::string() : error.findings[0].pointer;
  report_.error(document->pointer + below, "invalid-schema", error.message);
  return std::nullopt;
}

DataIn Compiler::data_in(const Node& node, const Names& names) {
  constexpr std::array<std::string_view, 2> kMembers = {"schema", "from"};
  DataIn made;
  if (!is_object(node, "`input`")) return made;
  check_members(node, kMembers, "`input`");
  if (const auto given = member(node, "schema")) made.schema = schema(*given);
  if (const auto from = member(node, "from")) made.from = mapping(*from, names, "`from`");
  return made;
}

DataOut Compiler::data_out(const Node& node, const Names& names, std::string_view what) {
  constexpr std::array<std::string_view, 2> kMembers = {"schema", "as"};
  DataOut made;
  if (!is_object(node, what)) return made;
  check_members(node, kMembers, what);
  if (const auto given = member(node, "schema")) made.schema = schema(*given);
  if (const auto as = member(node, "as")) made.as = mapping(*as, names, "`as`");
  return made;
}

}  // namespace pawl::dsl::detail
