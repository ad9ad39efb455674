#include "agents/executor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/assert.hpp"
#include "dsl/schema.hpp"
#include "engine/machine/machine.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::agents {
namespace {

/// What acts by programs, code or agents of its own, or in the name of an approval: never one call that a model thought of.
constexpr std::array<std::string_view, 6> kNeverCalled = {"apply-remedy", "shell-command", "script", "mcp", "a2a", "agent"};

constexpr std::array<std::string_view, 5> kNeverChosen = {"allow_destructive", "authentication", "credentials", "integration",
                                                          "idempotency_key"};

constexpr std::string_view kAnswer = R"({
  "type": "object",
  "properties": {
    "kind": {"enum": ["workflow", "function", "none"]},
    "name": {"type": "string"},
    "input": {"type": "object"},
    "reason": {"type": "string"}
  },
  "required": ["kind", "name", "input", "reason"],
  "additionalProperties": false
})";

Finding finding(std::string pointer, std::string message) {
  Finding result;
  result.pointer = std::move(pointer);
  result.message = std::move(message);
  result.rule = "executor";
  return result;
}

json::Value without_never_chosen(json::Value schema) {
  if (!schema.is_object()) return json::Value::object({{"type", "object"}});
  auto properties = schema.take("properties");
  auto required = json::Value::array();
  if (schema.get("required").is_array()) {
    for (const auto& name : schema.get("required").items()) {
      const auto is_hidden = std::find(kNeverChosen.begin(), kNeverChosen.end(), name.as_string()) != kNeverChosen.end();
      if (!is_hidden) required.push_back(name);
    }
  }
  if (properties.is_object()) {
    for (const auto name : kNeverChosen) properties.erase(name);
    schema.set("properties", std::move(properties));
  }
  schema.set("required", std::move(required));
  return schema;
}

json::Value told(const std::vector<Choice>& choices, Choice::Kind kind) {
  auto list = json::Value::array();
  for (const auto& choice : choices) {
    if (choice.kind != kind) continue;
    list.push_back(json::Value::object({{"name", choice.name}, {"description", choice.description}, {"input", choice.parameters}}));
  }
  return list;
}

Findings look(const std::vector<Choice>& choices, const json::Value& output) {
  const auto kind = output.get("kind").as_string();
  if (kind == "none") return {};
  const auto name = output.get("name").as_string();
  const auto found = std::find_if(choices.begin(), choices.end(),
                                  [&](const Choice& choice) { return to_text(choice.kind) == kind && choice.name == name; });
  if (found == choices.end()) return {finding("/name", fmt::format("there is no {} \"{}\"", kind, name))};
  return check_input(*found, output.get("input"));
}

}  // namespace

std::string_view to_text(Choice::Kind kind) { return kind == Choice::Kind::workflow ? "workflow" : "function"; }

std::vector<Choice> function_choices(const engine::FunctionRegistry& functions) {
  std::vector<Choice> choices;
  for (const auto* function : functions.all()) {
    const auto& info = function->info();
    if (info.name == engine::kApproval) continue;  // asking is for tasks of runs
    if (info.name.starts_with("run.") || std::ranges::find(kNeverCalled, info.name) != kNeverCalled.end()) continue;
    choices.push_back({Choice::Kind::function, info.name, info.summary, without_never_chosen(info.parameters)});
  }
  return choices;
}

Findings check_input(const Choice& choice, const json::Value& input) {
  if (!input.is_object()) return {finding("/input", "must be an object")};
  Findings findings;
  if (choice.kind == Choice::Kind::function) {
    for (const auto name : kNeverChosen) {
      if (input.find(name) != nullptr) findings.push_back(finding(fmt::format("/input/{}", name), "is for the person who asked to say"));
    }
  }
  const auto schema = dsl::Schema::compile(choice.parameters);
  if (schema.has_error()) return {finding("/input", "the schema of its input does not compile")};
  for (auto& problem : schema->validate(input)) {
    problem.pointer.insert(0, "/input");
    findings.push_back(std::move(problem));
  }
  return findings;
}

models::Assistant::Cancel choose(const models::Assistant& assistant, const models::Asker& asker, std::string_view instruction,
                                 std::vector<Choice> choices, models::Assistant::Done done) {
  auto schema = json::parse(kAnswer);
  PAWL_ASSERT(schema.has_value(), "a literal is JSON");
  models::Assistant::Work work;
  work.asker = asker;
  work.prompt = models::prompt("execute");
  work.facts = json::Value::object({{"instruction", instruction},
                                    {"workflows", told(choices, Choice::Kind::workflow)},
                                    {"functions", told(choices, Choice::Kind::function)}});
  work.schema = std::move(*schema);
  const auto shared = std::make_shared<const std::vector<Choice>>(std::move(choices));
  work.check = [shared](const json::Value& output, const std::function<void(Findings)>& told_findings) {
    told_findings(look(*shared, output));
  };
  return assistant.run(std::move(work), std::move(done));
}

json::Value call_document(std::string_view function, const json::Value& arguments) {
  auto name = "call-" + std::string(function);
  std::ranges::replace_if(
      name, [](char c) { return (c < 'a' || c > 'z') && (c < '0' || c > '9'); }, '-');  // `s3.get` names a function, but no document
  auto with = json::Value::object();
  for (const auto& member : arguments.members()) {
    with.set(member.name(), fmt::format("${{ $workflow.input[{}] }}", json::to_text(json::Value(member.name()))));
  }
  auto call = json::Value::object({{"call", function}});
  if (!with.empty()) call.set("with", std::move(with));
  return json::Value::object(
      {{"document", json::Value::object({{"dsl", "1.0.3"}, {"namespace", "pawl"}, {"name", std::move(name)}, {"version", "1.0.0"}})},
       {"do", json::Value::array({json::Value::object({{"call", std::move(call)}})})}});
}

}  // namespace pawl::agents
