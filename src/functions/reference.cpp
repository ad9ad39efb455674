#include "functions/reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "json/write.hpp"

namespace pawl::functions {
namespace {

using engine::Access;
using engine::EffectClass;

std::string_view name_of(EffectClass effect) {
  switch (effect) {
    case EffectClass::pure: return "pure";
    case EffectClass::read: return "read";
    case EffectClass::idempotent: return "idempotent";
    case EffectClass::once: return "once";
  }
  return "";
}

std::string_view words_of(Access::Kind kind) {
  switch (kind) {
    case Access::Kind::host: return "connects to";
    case Access::Kind::read: return "reads";
    case Access::Kind::write: return "writes";
    case Access::Kind::process: return "runs";
    case Access::Kind::database: return "opens the database";
    case Access::Kind::mail: return "sends mail to";
    case Access::Kind::model: return "asks the model";
    case Access::Kind::workflow: return "starts the workflow";
  }
  return "";
}

// For a cell of a table.
std::string cell(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '|') result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result;
}

std::string code(std::string_view text) { return fmt::format("`{}`", text); }

std::string type_of(const json::Value& schema) {
  if (const json::Value& constant = schema.get("const"); !constant.is_null()) return code(json::to_text(constant));
  if (const json::Value& choices = schema.get("enum"); choices.is_array()) {
    std::string text;
    for (const json::Value& each : choices.items()) text += (text.empty() ? "" : ", ") + code(json::to_text(each));
    return text;
  }
  const json::Value& type = schema.get("type");
  if (type.is_string()) {
    const json::Value& items = schema.get("items");
    return items.get("type").is_string() ? fmt::format("{} of {}", type.as_string(), items.get("type").as_string())
                                         : std::string(type.as_string());
  }
  std::string text;
  if (type.is_array()) {
    for (const json::Value& each : type.items()) text += fmt::format("{}{}", text.empty() ? "" : " or ", each.as_string());
  }
  return text.empty() ? "any" : text;
}

std::string range_of(const json::Value& schema) {
  std::string text;
  const auto add = [&](const char* name, std::string_view words) {
    if (const json::Value& value = schema.get(name); value.is_number())
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", words, json::to_text(value));
  };
  add("minimum", "at least");
  add("maximum", "at most");
  return text;
}

void add_row(std::string& page, const std::string& path, const json::Value& schema, bool required) {
  std::string about = cell(schema.get("description").is_string() ? schema.get("description").as_string() : "");
  if (const std::string range = range_of(schema); !range.empty()) about += fmt::format("{}{}", about.empty() ? "" : "; ", range);
  if (const json::Value* value = schema.find("default"))
    about += fmt::format("{}default {}", about.empty() ? "" : "; ", cell(code(json::to_text(*value))));
  page += fmt::format("| `{}` | {} | {} | {} |\n", path, cell(type_of(schema)), required ? "yes" : "", about);
}

void add_rows(std::string& page, const std::string& prefix, const json::Value& schema, int depth) {
  constexpr int kDepth = 3;
  std::set<std::string> required;
  if (schema.get("required").is_array()) {
    for (const json::Value& each : schema.get("required").items()) required.emplace(each.as_string());
  }
  const json::Value& properties = schema.get("properties");
  if (!properties.is_object() || depth > kDepth) return;
  for (const json::Member& member : properties.members()) {
    const std::string path = prefix + std::string(member.name());
    add_row(page, path, member.value, required.contains(std::string(member.name())));
    add_rows(page, path + ".", member.value, depth + 1);
  }
}

std::string table(const json::Value& schema, bool output) {
  if (!schema.get("properties").is_object()) {
    const json::Value& about = schema.get("description");
    return fmt::format("{}.\n", about.is_string() ? about.as_string() : "Anything");
  }
  std::string page =
      output ? "| member | type | always | |\n| --- | --- | --- | --- |\n" : "| name | type | required | |\n| --- | --- | --- | --- |\n";
  add_rows(page, "", schema, 0);
  return page;
}

// The classes and the destructiveness of its examples: what a call may be.
std::string effects_of(const engine::Function& function) {
  std::set<std::string> names;
  for (const json::Value& example : function.info().examples.items()) names.emplace(name_of(function.effect_class(example)));
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string destruction_of(const engine::Function& function) {
  if (!function.info().destructive) return "no";
  const auto examples = function.info().examples.items();
  const bool always = function.destroys(json::Value::object()) &&
                      std::all_of(examples.begin(), examples.end(), [&](const json::Value& each) { return function.destroys(each); });
  return always ? "yes: without `allow_destructive: true` it only tells its plan"
                : "some calls: without `allow_destructive: true` these only tell their plan";
}

std::string list_needs(const engine::Function::Info& info) {
  std::string text;
  for (const auto need : engine::needs_of(info)) text += (text.empty() ? "" : ", ") + std::string(engine::to_text(need));
  return text;
}

std::string reach_of(const std::vector<Access>& reach) {
  if (reach.empty()) return "nothing outside of the run";
  std::string text;
  for (const Access& access : reach) {
    text += fmt::format("{}{} {}", text.empty() ? "" : "; ", words_of(access.kind),
                        access.parameter.empty() ? access.fixed : fmt::format("what `{}` names", access.parameter.substr(1)));
  }
  return text;
}

}  // namespace

std::string reference_page(const engine::Function& function) {
  const auto& info = function.info();
  std::string page = fmt::format("# {}\n\n<!-- Written by `pawl functions docs`: change the function's declaration instead. -->\n\n{}.\n\n",
                                 info.name, info.summary);
  const auto needs = list_needs(info);
  page += fmt::format("| | |\n| --- | --- |\n| version | {} |\n| effect | {} |\n| destructive | {} |\n| needs | {} |\n| may reach | {} |\n",
                      info.version, effects_of(function), destruction_of(function), needs.empty() ? "nothing" : needs,
                      cell(reach_of(info.reach)));
  page += "\n## Parameters\n\n" + table(info.parameters, false);
  page += "\n## Output\n\n" + table(info.output, true);
  page += "\n## Examples\n";
  for (const json::Value& example : info.examples.items()) {
    page += fmt::format("\n```yaml\ncall: {}\nwith: {}\n```\n", info.name, json::to_text(example));
  }
  return page;
}

std::string reference_index(const engine::FunctionRegistry& registry) {
  std::string page =
      "# Functions\n\n<!-- Written by `pawl functions docs`: change the functions' declarations instead. -->\n\n"
      "What a task may call (`call: name`, `with: {...}`). A call is refused when the workflow is saved if its parameters do not fit.\n\n"
      "| function | effect | destructive | needs | |\n| --- | --- | --- | --- | --- |\n";
  for (const engine::Function* function : registry.all()) {
    const auto& info = function->info();
    page += fmt::format("| [{0}]({0}.md) | {1} | {2} | {3} | {4} |\n", info.name, effects_of(*function), info.destructive ? "yes" : "",
                        list_needs(info), cell(info.summary));
  }
  return page;
}

}  // namespace pawl::functions
