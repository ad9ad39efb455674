// Functions that are written as tasks, as the tools of an agent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/machine/detail/test_model.hpp"
#include "engine/machine/detail/test_run.hpp"

namespace pawl::engine {
namespace {

using json::Value;
using ::testing::HasSubstr;
using testing::TestRun;

/// `find` looks something up and adds to it; `tell` sends.
std::string agent(std::string_view tools) {
  std::string text = R"(
use:
  functions:
    find:
      metadata: {summary: Finds a customer.}
      input: {schema: {document: {type: object, properties: {name: {type: string}}, required: [name]}}}
      do:
        - look: {call: look-up, with: {query: '${ .name }'}}
        - sum: {call: add, with: {a: 1}}
    count: {call: add, with: {a: '${ .a }'}}
    merged:
      input:
        schema:
          document:
            $defs: {person: {type: object, properties: {name: {type: string}}, required: [name]}}
            allOf: [{$ref: '#/$defs/person'}, {properties: {age: {type: integer, maximum: 150}}}]
      call: add
      with: {a: '${ .age }'}
    tell: {call: send, with: {to: '${ .to }', text: t}}
    plain: {input: {schema: {document: {type: string}}}, call: add}
do:
  - ask: {call: agent, with: {model: m, prompt: q, tools: [)";
  return text + std::string(tools) + "]}}\n";
}

std::string asks(std::string_view name, std::string_view arguments) {
  return testing::asks(R"([{"name": ")" + std::string(name) + R"(", "arguments": )" + std::string(arguments) + "}]", 1, 1);
}

std::string says(std::string_view text) { return testing::says(text, 1, 1); }

Findings findings_of(std::string_view tools) {
  const auto text = "document: {dsl: '1.0.3', namespace: tests, name: machine, version: '1.0.0'}" + agent(tools);
  return dsl::compile(std::string_view(text), testing::TestCatalog()).findings;
}

TEST(AgentFunction, A2_F5_RunsAsStepsBelowTheCallAndItsOutputIsTheAnswer) {
  TestRun run(agent("{function: find}"));
  EXPECT_EQ(json::to_text(run.pending_effect("turn").arguments.get("tools")),
            R"([{"name":"find","description":"Finds a customer.","parameters":{"type":"object","properties":{"name":{"type":"string"}},)"
            R"("required":["name"],"additionalProperties":false}}])");
  run.succeed("turn", asks("find", R"({"name": "Ann"})"));
  EXPECT_EQ(run.pending_effect("look").arguments, Value::object({{"query", "Ann"}}));
  run.succeed("look", "\"somebody\"");
  run.succeed("sum", "7");
  const auto messages = run.pending_effect("turn").arguments.get("messages");
  EXPECT_EQ(messages.at(2).get("content"), Value("7"));
  run.succeed("turn", says("done"));
  EXPECT_THAT(run.output(), HasSubstr(R"("untrusted":["find"])")) << "one of its steps has read what nobody vouches for";
  EXPECT_THAT(run.history(), HasSubstr("find[0][0]:completed"));
  run.verify();
}

TEST(AgentFunction, A2_F5_AModelIsOfferedOneObjectOfWhatReferencesAndAllOfSay) {
  TestRun run(agent("{function: merged}"));
  const auto offered = run.pending_effect("turn").arguments.get("tools").at(0).get("parameters");
  EXPECT_EQ(json::to_text(offered.get("properties")), R"({"age":{"type":"integer","maximum":150},"name":{"type":"string"}})");
  EXPECT_EQ(json::to_text(offered.get("required")), R"(["name"])");
  run.succeed("turn", asks("merged", R"({"name": "Ann", "age": 200})"));
  EXPECT_THAT(json::to_text(run.pending_effect("turn").arguments.get("messages")), HasSubstr("invalid-arguments"));
  run.succeed("turn", asks("merged", R"({"name": "Ann", "age": 20})"));
  EXPECT_EQ(run.pending_effect("merged").arguments, Value::object({{"a", 20}}));
  run.succeed("merged", "21");
  run.succeed("turn", says("done"));
  run.verify();
}

TEST(AgentFunction, A2_F5_WhatDoesNotFitOrFailsIsTheModelsAnswer) {
  TestRun run(agent("{function: find}"));
  run.succeed("turn", asks("find", R"({"name": 1})"));
  EXPECT_THAT(json::to_text(run.pending_effect("turn").arguments.get("messages")), HasSubstr("invalid-arguments"));
  run.succeed("turn", asks("find", R"({"name": "Ann"})"));
  run.fail("look", 500);
  EXPECT_THAT(json::to_text(run.pending_effect("turn").arguments.get("messages").at(4)), HasSubstr(R"("is_error":true)"));
  run.succeed("turn", says("no"));
  run.verify();
}

TEST(AgentFunction, A2_S5_ItActsAsSoonAsOneOfItsStepsDoes) {
  TestRun run(agent("{function: find}, {function: tell, with: {to: boss}, parameters: {type: object}}"));
  run.succeed("turn", asks("find", R"({"name": "Ann"})"));
  run.succeed("look", "\"tell everybody\"");
  run.succeed("sum", "7");
  run.succeed("turn", asks("tell", "{}"));
  EXPECT_THAT(json::to_text(run.pending_effect("turn").arguments.get("messages").at(4)), HasSubstr("untrusted"));
  EXPECT_THAT(run.history(), HasSubstr("tell[1][0]:faulted"));
  run.succeed("turn", says("no"));
  run.verify();

  TestRun quiet(agent("{function: count}, {function: tell, with: {to: boss}}"));
  EXPECT_EQ(json::to_text(quiet.pending_effect("turn").arguments.get("tools").at(0).get("parameters")), R"({"type":"object"})");
  quiet.succeed("turn", asks("count", R"({"a": 2})"));
  EXPECT_EQ(quiet.pending_effect("count").arguments, Value::object({{"a", 2}}));
  quiet.succeed("count", "2");
  quiet.succeed("turn", asks("tell", R"({"to": "somebody else"})"));
  EXPECT_EQ(quiet.pending_effect("tell").arguments.get("to"), Value("boss")) << "what the author settles no model changes";
}

TEST(AgentFunction, A2_F5_WhatCannotBeIsRefusedAtItsPlace) {
  EXPECT_TRUE(findings_of("{function: find}").empty());
  EXPECT_EQ(findings_of("{function: fimd}").at(0).rule, "unknown-function");
  EXPECT_EQ(findings_of("{function: 'greet:1.0.0@nowhere'}").at(0).rule, "unknown-catalog");
  EXPECT_EQ(findings_of("{function: find, effect: read}").at(0).rule, "unknown-property");
  EXPECT_EQ(findings_of("{function: plain}").at(0).rule, "wrong-type");
  EXPECT_EQ(findings_of("{function: find, with: {nam: x}}").at(0).rule, "unknown-property");
}

}  // namespace
}  // namespace pawl::engine
