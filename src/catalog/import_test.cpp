#include "catalog/import.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "catalog/detail/import_flow.hpp"
#include "catalog/detail/js_expression.hpp"
#include "jq/jq.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "yaml/yaml.hpp"

namespace pawl::catalog {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class SomeFunctions final : public dsl::FunctionCatalog {
 public:
  [[nodiscard]] const Signature* find(std::string_view name) const override {
    std::string wanted(name);
    std::replace(wanted.begin(), wanted.end(), '_', '-');
    const auto found = std::find_if(known_.begin(), known_.end(), [&](const Signature& one) { return one.name == wanted; });
    return found == known_.end() ? nullptr : &*found;
  }
  [[nodiscard]] std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (const auto& one : known_) all.push_back(one.name);
    return all;
  }

 private:
  std::vector<Signature> known_{{"http", {}},       {"http-task", {}},    {"file-organizer", {}},
                                {"run.script", {}}, {"run.workflow", {}}, {"emit", {}}};
};

Imported imported(std::string_view source, SourceFormat format = SourceFormat::automatic) {
  auto made = import_workflow(source, format, SomeFunctions());
  if (made.has_error()) {
    ADD_FAILURE() << made.error().code << ": " << made.error().message;
    for (const auto& finding : made.error().findings) ADD_FAILURE() << finding.pointer << ": " << finding.message;
    return {};
  }
  const auto checked = dsl::compile(made->text, SomeFunctions());
  EXPECT_TRUE(checked.ok()) << made->text;
  return std::move(*made);
}

json::Value data_of(const Imported& made) { return yaml::parse(made.text).value->value; }
/// The task at this place of the `do` list, and its name.
json::Value task_at(const Imported& made, std::size_t position) { return data_of(made).get("do").at(position).members()[0].value; }
std::string name_at(const Imported& made, std::size_t position) {
  return std::string(data_of(made).get("do").at(position).members()[0].name());
}

std::vector<std::string> messages(const Imported& made) {
  std::vector<std::string> all;
  for (const auto& finding : made.findings) all.push_back(finding.message);
  return all;
}

TEST(Import, W11_RecognisesWhatItIsGiven) {
  EXPECT_EQ(imported("document: {dsl: '1.0.3', namespace: a, name: b, version: '1.0.0'}\ndo: [{a: {set: {x: 1}}}]").format,
            SourceFormat::owf);
  EXPECT_EQ(imported("id: a\nname: b\ntasks: [{id: t, type: http_task, params: {url: 'https://example.org'}}]").format,
            SourceFormat::tasks);
  EXPECT_EQ(import_workflow("{a: 1}", SourceFormat::automatic, SomeFunctions()).error().code, "import.unknown_format");
  EXPECT_EQ(import_workflow("{a: [", SourceFormat::automatic, SomeFunctions()).error().code, "import.unreadable");
  EXPECT_EQ(import_workflow("{steps: []}", SourceFormat::n8n, SomeFunctions()).error().code, "import.unreadable");
}

TEST(Import, W11_KeepsTheTaskListsOfTheEarlierProduct) {
  const auto made = imported(R"(
id: nightly-tidy
name: Nightly tidy
description: Keeps the inbox small
metadata: {author: someone, version: '2'}
tasks:
  - id: sort
    type: file_organizer
    params: {target: ./inbox, dry_run: true}
    run_if: {condition: always}
  - id: ping
    type: http_task
    depends_on: [sort]
    max_retries: 3
    params: {url: 'https://example.org/${HOOK_ID}', method: POST}
  - id: ask
    type: openai
    depends_on: [sort]
    params: {prompt: hello}
)");
  EXPECT_EQ(made.name, "Nightly tidy");
  const auto tasks = data_of(made).get("tasks");
  ASSERT_THAT(tasks.items(), SizeIs(3));
  EXPECT_EQ(
      json::to_text(tasks.at(1)),
      R"({"id":"ping","type":"http_task","params":{"url":"${ \"https://example.org/\" + $secrets.HOOK_ID }","method":"POST"},"depends_on":["sort"],"max_retries":3})");
  EXPECT_EQ(json::to_text(data_of(made).get("use")), R"({"secrets":["HOOK_ID"]})");
  EXPECT_EQ(tasks.at(2).get("type"), json::Value("raise")) << "there is no such function here";
  EXPECT_EQ(json::to_text(tasks.at(2).get("depends_on")), R"(["sort"])");
  EXPECT_THAT(messages(made), testing::Contains(HasSubstr("openai")));
  EXPECT_GT(made.findings[0].line, 0U);
}

TEST(Import, W11_TasksWithoutDependenciesRunOneAfterTheOther) {
  const auto made = imported("id: a\nname: b\ntasks:\n  - {id: x, type: http_task}\n  - {id: y, type: http_task}\n");
  EXPECT_EQ(data_of(made).get("max_parallel"), json::Value(1));
}

TEST(Import, W11_ConditionsOfAStepGraphGateWhatComesAfter) {
  const auto made = imported(R"({
  "name": "Alert", "description": "When it is much",
  "steps": [
    {"id": "t1", "type": "trigger", "label": "Start", "config": {"trigger_type": "manual"}},
    {"id": "c1", "type": "condition", "label": "Big?", "config": {"condition_type": "greater_than", "field": "amount", "value": 100}},
    {"id": "a1", "type": "action", "label": "Hook", "config": {"action_type": "webhook", "url": "https://example.org"}},
    {"id": "a2", "type": "action", "label": "Mail", "config": {"action_type": "send_email", "to": "x"}},
    {"id": "a3", "type": "action", "label": "Rename", "config": {"action_type": "transform", "transform_type": "map", "field_mapping": {"total": "amount"}}}
  ],
  "connections": [{"source": "t1", "target": "c1"}, {"source": "c1", "target": "a1"}, {"source": "t1", "target": "a3"}, {"source": "a1", "target": "a2"}],
  "schedule_config": {"type": "cron", "cron": "0 2 * * *"}
})");
  EXPECT_EQ(made.format, SourceFormat::steps);
  EXPECT_EQ(data_of(made).get("schedule").get("cron"), json::Value("0 2 * * *"));
  EXPECT_EQ(data_of(made).get("document").get("name"), json::Value("alert"));
  EXPECT_EQ(name_at(made, 2), "Hook");
  EXPECT_EQ(task_at(made, 2).get("if"), json::Value(R"(${ $context["Big?#exit"] == 0 })"));
  EXPECT_EQ(task_at(made, 1).get("export").get("as"),
            json::Value(R"(${ $context + {"Big?": ., "Big?#exit": (if ((.["amount"]? | numbers) > 100 // false) then 0 else 1 end)} })"));
  EXPECT_TRUE(task_at(made, 3).get("raise").is_object()) << "it never sent anything";
  EXPECT_THAT(messages(made), ElementsAre(HasSubstr("e-mail")));
}

constexpr std::string_view kOrders = R"({
  "name": "Orders to CRM",
  "nodes": [
    {"name": "Every hour", "type": "n8n-nodes-base.scheduleTrigger", "typeVersion": 1.1, "parameters": {"rule": {"interval": [{"field": "hours", "hoursInterval": 2}]}}},
    {"name": "Note", "type": "n8n-nodes-base.stickyNote", "parameters": {"content": "hello"}},
    {"name": "Get orders", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4, "parameters": {"url": "=https://example.org/orders?since={{ $json.since }}", "authentication": "genericCredentialType", "genericAuthType": "httpBearerAuth"}},
    {"name": "Paid?", "type": "n8n-nodes-base.if", "typeVersion": 2, "parameters": {"conditions": {"combinator": "and", "conditions": [{"leftValue": "={{ $json.status }}", "rightValue": "paid", "operator": {"type": "string", "operation": "equals"}}]}}},
    {"name": "Shape", "type": "n8n-nodes-base.set", "typeVersion": 3.2, "parameters": {"assignments": {"assignments": [{"name": "customer.name", "type": "string", "value": "={{ $json.first + ' ' + $json.last }}"}, {"name": "total", "type": "number", "value": "={{ $json.items.length }}"}]}}},
    {"name": "Tell", "type": "n8n-nodes-base.slack", "typeVersion": 2, "parameters": {"text": "hi"}},
    {"name": "Join", "type": "n8n-nodes-base.merge", "typeVersion": 3, "parameters": {"mode": "combine"}},
    {"name": "Code", "type": "n8n-nodes-base.code", "typeVersion": 2, "parameters": {"jsCode": "return [{json: {n: items.length}}];"}}
  ],
  "connections": {
    "Every hour": {"main": [[{"node": "Get orders", "type": "main", "index": 0}]]},
    "Get orders": {"main": [[{"node": "Paid?", "type": "main", "index": 0}]]},
    "Paid?": {"main": [[{"node": "Shape", "type": "main", "index": 0}], [{"node": "Tell", "type": "main", "index": 0}]]},
    "Shape": {"main": [[{"node": "Join", "type": "main", "index": 0}]]},
    "Tell": {"main": [[{"node": "Join", "type": "main", "index": 1}]]},
    "Join": {"main": [[{"node": "Code", "type": "main", "index": 0}]]}
  }
})";

TEST(Import, W11_TranslatesAnExportOfN8n) {
  const auto made = imported(kOrders);
  EXPECT_EQ(made.format, SourceFormat::n8n);
  EXPECT_EQ(made.name, "Orders to CRM");
  const auto document = data_of(made);
  EXPECT_EQ(json::to_text(document.get("schedule")), R"({"every":{"hours":2}})");
  EXPECT_EQ(json::to_text(document.get("use")), R"({"secrets":["N8N_TOKEN"]})");
  ASSERT_THAT(document.get("do").items(), SizeIs(7)) << made.text;
  EXPECT_EQ(name_at(made, 0), "Every hour");
  EXPECT_EQ(task_at(made, 1).get("with").get("endpoint").get("uri"),
            json::Value(R"(${ "https://example.org/orders?since=" + (.since | tostring) })"));
  EXPECT_EQ(task_at(made, 3).get("if"), json::Value(R"(${ $context["Paid?#exit"] == 0 })"));
  EXPECT_TRUE(task_at(made, 4).get("raise").is_object()) << made.text;
  EXPECT_EQ(task_at(made, 5).get("if"), json::Value(R"(${ ($context | has("Shape")) or ($context | has("Tell")) })"));
  EXPECT_TRUE(task_at(made, 6).get("run").get("script").is_object());
  EXPECT_THAT(messages(made), testing::Contains(HasSubstr("slack")));
}

TEST(Import, W11_TurnsALoopOfN8nIntoAFor) {
  const auto made = imported(R"({
  "name": "Loop",
  "nodes": [
    {"name": "Start", "type": "n8n-nodes-base.manualTrigger", "typeVersion": 1, "parameters": {}},
    {"name": "Each", "type": "n8n-nodes-base.splitInBatches", "typeVersion": 3, "parameters": {}},
    {"name": "Call", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4, "parameters": {"method": "POST", "url": "https://example.org", "sendBody": true, "bodyParameters": {"parameters": [{"name": "id", "value": "={{ $json.id }}"}]}}},
    {"name": "Pause", "type": "n8n-nodes-base.wait", "typeVersion": 1, "parameters": {"amount": 2, "unit": "seconds"}},
    {"name": "Done", "type": "n8n-nodes-base.noOp", "typeVersion": 1, "parameters": {}}
  ],
  "connections": {
    "Start": {"main": [[{"node": "Each", "type": "main", "index": 0}]]},
    "Each": {"main": [[{"node": "Done", "type": "main", "index": 0}], [{"node": "Call", "type": "main", "index": 0}]]},
    "Call": {"main": [[{"node": "Pause", "type": "main", "index": 0}]]},
    "Pause": {"main": [[{"node": "Each", "type": "main", "index": 0}]]}
  }
})");
  const auto tasks = data_of(made).get("do");
  ASSERT_THAT(tasks.items(), SizeIs(3)) << made.text;
  const auto loop = task_at(made, 1);
  EXPECT_EQ(loop.get("for").get("each"), json::Value("item"));
  ASSERT_THAT(loop.get("do").items(), SizeIs(2)) << made.text;
  EXPECT_EQ(loop.get("do").at(0).get("Call").get("input").get("from"), json::Value("${ $item }"));
  EXPECT_EQ(name_at(made, 2), "Done");
}

/// `count` loops, each inside of the one before, with `spokes` nodes that lead from each loop to itself.
std::string nested_loops(int count, int spokes) {
  std::string nodes = R"({"name": "Start", "type": "n8n-nodes-base.manualTrigger"})";
  std::string links = R"("Start": {"main": [[{"node": "L0"}]]})";
  for (int i = 0; i < count; ++i) {
    const auto n = std::to_string(i);
    nodes += R"(, {"name": "L)" + n + R"(", "type": "n8n-nodes-base.splitInBatches", "typeVersion": 3})";
    const auto back = i == 0 ? std::string() : R"({"node": "L)" + std::to_string(i - 1) + "\"}";
    std::string inner = i + 1 < count ? R"({"node": "L)" + std::to_string(i + 1) + "\"}" : std::string();
    for (int k = 0; k < spokes; ++k) {
      const auto spoke = "S" + n + "-" + std::to_string(k);
      nodes += R"(, {"name": ")" + spoke + R"(", "type": "n8n-nodes-base.noOp"})";
      inner += (inner.empty() ? "" : ", ") + (R"({"node": ")" + spoke + "\"}");
      links += R"(, ")" + spoke + R"(": {"main": [[{"node": "L)" + n + R"("}]]})";
    }
    links += R"(, "L)" + n + R"(": {"main": [[)" + back + "], [" + inner + "]]}";
  }
  return R"({"name": "x", "nodes": [)" + nodes + R"(], "connections": {)" + links + "}}";
}

TEST(Import, S4_M1_NestedLoopsOfN8nAreTranslatedOnceAndToADepth) {
  const auto deep = imported(nested_loops(14, 1));
  EXPECT_THAT(messages(deep), Not(Contains(HasSubstr("nested more than"))));
  const auto made = import_workflow(nested_loops(60, 15), SourceFormat::n8n, SomeFunctions());
  ASSERT_FALSE(made.has_error()) << made.error().message;
  EXPECT_THAT(messages(*made), Contains(HasSubstr("loops are nested more than 16 deep")));
  EXPECT_LT(made->text.size(), 1'000'000U);
}

TEST(Import, S4_M1_LoopsOfN8nThatContainEachOtherEnd) {
  std::string nodes = R"({"name": "Start", "type": "n8n-nodes-base.manualTrigger"})";
  std::string links = R"("Start": {"main": [[{"node": "L0"}]]})";
  std::string all;
  for (int i = 0; i < 12; ++i) all += (i == 0 ? "" : ", ") + (R"({"node": "L)" + std::to_string(i) + "\"}");
  for (int i = 0; i < 12; ++i) {
    const auto name = "L" + std::to_string(i);
    nodes += R"(, {"name": ")" + name + R"(", "type": "n8n-nodes-base.splitInBatches", "typeVersion": 3})";
    links += R"(, ")" + name + R"(": {"main": [[], [)" + all + "]]}";
  }
  const auto made =
      import_workflow(R"({"name": "x", "nodes": [)" + nodes + R"(], "connections": {)" + links + "}}", SourceFormat::n8n, SomeFunctions());
  EXPECT_TRUE(made.has_error() || made->text.size() < 100'000U);
}

TEST(Import, S4_M1_ReadsSoManyConnectionsOfN8nAndSaysSo) {
  std::string targets;
  for (int i = 0; i < 6000; ++i) targets += (i == 0 ? "" : ", ") + std::string(R"({"node": "nowhere"})");
  const auto made = imported(R"({"name": "x", "nodes": [{"name": "A", "type": "n8n-nodes-base.noOp"}], "connections": {"A": {"main": [[)" +
                             targets + "]]}}}");
  EXPECT_THAT(messages(made), Contains(HasSubstr("Only the first 5000 connections")));
  EXPECT_THAT(made.findings, SizeIs(5001));
}

/// Counts how often something is compiled: each time asks for every function that is named.
class CountingFunctions final : public dsl::FunctionCatalog {
 public:
  [[nodiscard]] const Signature* find(std::string_view name) const override {
    if (name == "unknown-89") ++compiled;
    return functions_.find(name);
  }
  [[nodiscard]] std::vector<std::string> names() const override { return functions_.names(); }
  mutable int compiled = 0;

 private:
  SomeFunctions functions_;
};

TEST(Import, S4_M1_RepairsAllThatTheCompilerRefusesTogether) {
  std::string source = "id: old\nname: Old\ntasks:\n";
  for (int i = 0; i < 90; ++i) {
    const auto n = std::to_string(i);
    source += "  - {id: t" + n + ", type: unknown-" + n + ", params: {}}\n";
  }
  const CountingFunctions functions;
  const auto made = import_workflow(source, SourceFormat::tasks, functions);
  ASSERT_FALSE(made.has_error()) << made.error().message;
  EXPECT_LE(functions.compiled, 4);
  EXPECT_THAT(messages(*made), SizeIs(::testing::Ge(90U)));
}

TEST(Import, W11_WhatCannotBeTranslatedIsNamedAndNeverDropped) {
  const auto made = imported(R"x({"name": "x", "nodes": [
    {"name": "A", "type": "n8n-nodes-base.manualTrigger", "parameters": {}},
    {"name": "B", "type": "n8n-nodes-base.code", "parameters": {"jsCode": "return await this.helpers.request('x')"}},
    {"name": "C", "type": "n8n-nodes-base.set", "typeVersion": 3, "parameters": {"assignments": {"assignments": [{"name": "x", "value": "={{ $json.map(i => i.x) }}"}]}}},
    {"name": "D", "type": "n8n-nodes-base.if", "typeVersion": 1, "parameters": {"conditions": {"string": [{"value1": "={{ $json.a }}", "operation": "sounds like", "value2": "b"}]}}}],
    "connections": {"A": {"main": [[{"node": "B"}]]}, "B": {"main": [[{"node": "C"}]]}, "C": {"main": [[{"node": "B"}, {"node": "D"}]]}}})x");
  for (std::size_t i = 1; i < 4; ++i) EXPECT_TRUE(task_at(made, i).get("raise").is_object()) << i << "\n" << made.text;
  EXPECT_GE(made.findings.size(), 4U);
  for (const auto& finding : made.findings) EXPECT_EQ(finding.rule, "import");
}

/// Evaluates a translated expression.
std::string value_of(std::string_view expression, std::string_view input) {
  detail::JsContext context;
  const auto jq = detail::js_to_jq(expression, context);
  if (!jq) return "refused: " + context.why;
  const auto program = jq::compile(*jq, {});
  if (program.has_error()) return "jq: " + program.error().message + " in " + *jq;
  jq::Context world;
  const auto result = jq::first(*program, json::parse(input).value(), world);
  return result.has_value() ? json::to_text(*result) : "failed: " + result.error().message + " in " + *jq;
}

TEST(JsExpression, W11_SaysInJqWhatItSaidInJavaScript) {
  const std::vector<std::tuple<std::string_view, std::string_view, std::string_view>> cases{
      {"$json.a", R"({"a":1})", "1"},
      {"$json['a b'].c[1]", R"({"a b":{"c":[1,2]}})", "2"},
      {"$json.a + 1 * 2", R"({"a":3})", "5"},
      {"'n' + $json.a", R"({"a":3})", R"("n3")"},
      {"$json.a + $json.b", R"({"a":"x","b":1})", R"("x1")"},
      {"$json.a - 1 > 1 && !$json.b", R"({"a":3,"b":0})", "true"},
      {"$json.a || 'none'", R"({"a":""})", R"("none")"},
      {"$json.a ?? 'none'", R"({"a":""})", R"("")"},
      {"$json.a ? 'yes' : 'no'", R"({"a":[]})", R"("yes")"},
      {"$json.a === 2 ? 1 : $json.a == 3 ? 2 : 3", R"({"a":3})", "2"},
      {"$json.name.toUpperCase().trim()", R"({"name":" x "})", R"("X")"},
      {"$json.list.length + $json.list[$json.i]", R"({"list":[5,6],"i":1})", "8"},
      {"$json.list.includes(6)", R"({"list":[5,6]})", "true"},
      {"$json.s.includes('b')", R"({"s":"abc"})", "true"},
      {"$json.list.join('-')", R"({"list":[5,6]})", R"("5-6")"},
      {"JSON.stringify($json)", R"({"a":1})", R"("{\"a\":1}")"},
      {"Math.round($json.a / 3)", R"({"a":8})", "3"},
      {"$input.item.json.a", R"({"a":1})", "1"},
      {"[$json.a, 'x']", R"({"a":1})", R"([1,"x"])"},
      {"-$json.a % 2", R"({"a":3})", "-1"},
  };
  for (const auto& [expression, input, expected] : cases) EXPECT_EQ(value_of(expression, input), expected) << expression;
  for (const auto* refused :
       {"", "$json.", "$json.map(x => x)", "process.exit()", "require('fs')", "$json[", "`a`", "a = 1", "$env.X", "new Date()"}) {
    EXPECT_THAT(value_of(refused, "{}"), testing::StartsWith("refused")) << refused;
  }
  EXPECT_THAT(value_of(std::string(5000, '('), "{}"), testing::StartsWith("refused"));
}

TEST(JsExpression, W11_LiteralTextsStayLiteral) {
  detail::JsContext context;
  EXPECT_EQ(*detail::convert_parameter("${ .x }", context), json::Value(R"(${ "${ .x }" })"));
  EXPECT_EQ(*detail::convert_parameter("plain {{ $json.a }}", context), json::Value("plain {{ $json.a }}"));
  EXPECT_EQ(*detail::convert_parameter("=a {{ $json.a }} b", context), json::Value(R"(${ "a " + (.a | tostring) + " b" })"));
}

}  // namespace
}  // namespace pawl::catalog
