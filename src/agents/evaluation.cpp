#include "agents/evaluation.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"
#include "dsl/schema.hpp"
#include "jq/jq.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "yaml/yaml.hpp"

namespace pawl::agents {
namespace {

constexpr std::size_t kMostShown = 300;

constexpr std::string_view kSuite = R"({
  "type": "object",
  "properties": {
    "workflow": {"type": "string", "minLength": 1},
    "scripts": {"type": "string", "minLength": 1},
    "pass_rate": {"type": "number", "minimum": 0, "maximum": 1},
    "cases": {"type": "array", "minItems": 1, "items": {
      "type": "object",
      "properties": {
        "name": {"type": "string", "minLength": 1},
        "input": {},
        "repeat": {"type": "integer", "minimum": 1, "maximum": 1000},
        "approvals": {"enum": ["approve", "reject"]},
        "expect": {
          "type": "object",
          "properties": {"status": {"enum": ["completed", "faulted", "cancelled"]}, "output": {}, "check": {"type": "string"}},
          "additionalProperties": false
        },
        "limits": {
          "type": "object",
          "properties": {
            "cost": {"type": "number", "minimum": 0},
            "seconds": {"type": "number", "exclusiveMinimum": 0},
            "tokens": {"type": "integer", "minimum": 0},
            "turns": {"type": "integer", "minimum": 0}
          },
          "additionalProperties": false
        }
      },
      "required": ["name"],
      "additionalProperties": false
    }}
  },
  "required": ["workflow", "cases"],
  "additionalProperties": false
})";

std::string text_or(const json::Value& value, std::string_view fallback) {
  return std::string(value.is_string() ? value.as_string() : fallback);
}

std::optional<double> number_in(const json::Value& value) { return value.is_number() ? std::optional(value.as_double()) : std::nullopt; }

EvalCase case_of(const json::Value& value) {
  EvalCase result;
  result.name = text_or(value.get("name"), "");
  result.input = value.get("input").is_null() ? json::Value::object() : value.get("input");
  if (value.get("repeat").is_number()) result.repeat = static_cast<std::uint32_t>(value.get("repeat").as_integer());
  result.approvals = text_or(value.get("approvals"), "");
  const auto& expect = value.get("expect");
  result.status = text_or(expect.get("status"), "completed");
  result.output = expect.get("output");
  result.check = text_or(expect.get("check"), "");
  const auto& limits = value.get("limits");
  result.most_cost = number_in(limits.get("cost"));
  result.most_seconds = number_in(limits.get("seconds"));
  result.most_tokens = number_in(limits.get("tokens"));
  result.most_turns = number_in(limits.get("turns"));
  return result;
}

std::string shown(const json::Value& value) {
  auto text = json::to_text(value);
  if (text.size() > kMostShown) text = text.substr(0, kMostShown) + "...";
  return text;
}

/// Members that are expected must be so; arrays as a whole.
void compare(const json::Value& expected, const json::Value& seen, const std::string& pointer, std::vector<std::string>& problems) {
  if (expected.is_object() && seen.is_object()) {
    for (const auto& member : expected.members()) {
      compare(member.value, seen.get(member.name()), fmt::format("{}/{}", pointer, member.name()), problems);
    }
    return;
  }
  if (expected == seen) return;
  problems.push_back(fmt::format("output{}: expected {}, got {}", pointer, shown(expected), shown(seen)));
}

json::Value facts_of(const engine::RunView& run, const EvalMeasures& measures) {
  auto tools = json::Value::array();
  for (const auto& tool : measures.tools) tools.push_back(tool);
  return json::Value::object({{"status", engine::to_text(run.phase)},
                              {"output", run.output},
                              {"error", run.error},
                              {"turns", measures.turns},
                              {"tools", std::move(tools)},
                              {"tokens", measures.tokens},
                              {"cost", measures.cost_known ? json::Value(measures.cost) : json::Value()},
                              {"seconds", measures.seconds}});
}

}  // namespace

Result<EvalSuite> read_suite(std::string_view yaml) {
  auto document = yaml::parse(yaml);
  if (!document.ok()) return Error(ErrorClass::invalid, "eval.suite", "The suite is no YAML.", std::move(document.findings));
  const auto& value = document.value->value;
  auto form = json::parse(kSuite);
  PAWL_ASSERT(form.has_value(), "a literal is JSON");
  PAWL_TRY(schema, dsl::Schema::compile(*form));
  if (auto findings = schema.validate(value); !findings.empty()) {
    for (auto& finding : findings) {
      const auto position = document.value->position(finding.pointer);
      finding.line = position.line;
      finding.column = position.column;
    }
    return Error(ErrorClass::invalid, "eval.suite", "The suite is not as it must be.", std::move(findings));
  }
  EvalSuite suite;
  suite.workflow = text_or(value.get("workflow"), "");
  suite.scripts = text_or(value.get("scripts"), "");
  suite.pass_rate = number_in(value.get("pass_rate")).value_or(1);
  for (const auto& each : value.get("cases").items()) {
    auto eval = case_of(each);
    if (!eval.check.empty()) {
      if (const auto program = jq::compile(eval.check); program.has_error()) {
        return Error(ErrorClass::invalid, "eval.suite", fmt::format("`check` of the case \"{}\": {}", eval.name, program.error().message));
      }
    }
    suite.cases.push_back(std::move(eval));
  }
  return suite;
}

EvalMeasures measures_of(const engine::RunView& run, double seconds) {
  EvalMeasures measures;
  measures.seconds = seconds;
  for (const auto& task : run.tasks) {
    if (task.type == "model") ++measures.turns;
    if (task.type == "tool") measures.tools.push_back(task.name);
    const auto& output = task.record.output;
    // An agent's own record adds up those of its turns.
    if (!output.is_object() || !output.get("usage").is_object() || !output.get("turns").is_null()) continue;
    const auto& usage = output.get("usage");
    for (const auto* const name : {"input_tokens", "output_tokens"}) {
      if (usage.get(name).is_number()) measures.tokens += static_cast<std::uint64_t>(usage.get(name).as_integer());
    }
    if (output.get("cost").is_number()) {
      measures.cost += output.get("cost").as_double();
    } else {
      measures.cost_known = false;
    }
  }
  return measures;
}

std::vector<std::string> judge(const EvalCase& expected, const engine::RunView& run, const EvalMeasures& measures) {
  std::vector<std::string> problems;
  if (engine::to_text(run.phase) != expected.status) {
    problems.push_back(fmt::format("status: expected {}, got {}{}", expected.status, engine::to_text(run.phase),
                                   run.error.is_null() ? "" : " " + shown(run.error)));
  }
  if (!expected.output.is_null()) compare(expected.output, run.output, {}, problems);
  if (!expected.check.empty()) {
    const auto program = jq::compile(expected.check);
    const auto result = program.has_error() ? Result<json::Value>(program.error()) : jq::first(*program, facts_of(run, measures), {});
    if (result.has_error()) {
      problems.push_back(fmt::format("check: {}", result.error().message));
    } else if (*result != json::Value(true)) {
      problems.push_back(fmt::format("check: {} is {}", expected.check, shown(*result)));
    }
  }
  const auto limit = [&](std::string_view what, std::optional<double> most, double seen) {
    if (most && seen > *most) problems.push_back(fmt::format("{}: at most {}, got {}", what, *most, seen));
  };
  if (expected.most_cost && !measures.cost_known) problems.emplace_back("cost: the price of a model is unknown");
  limit("cost", expected.most_cost, measures.cost);
  limit("seconds", expected.most_seconds, measures.seconds);
  limit("tokens", expected.most_tokens, static_cast<double>(measures.tokens));
  limit("turns", expected.most_turns, static_cast<double>(measures.turns));
  return problems;
}

}  // namespace pawl::agents
