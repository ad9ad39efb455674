// proves: A2
//
// Guardrails: expressions of the workflow that judge what goes to a model and what comes from it.
#include <gtest/gtest.h>

#include "engine/machine/detail/test_model.hpp"
#include "engine/machine/detail/test_run.hpp"

namespace pawl::engine {
namespace {

using json::Value;
using testing::asks;
using testing::says;
using testing::TestRun;

std::string agent(std::string_view more) {
  return "do: [{ask: {call: agent, with: {model: m, instructions: Be brief., prompt: '${ .question }', "
         "tools: [{function: add}, {function: look-up}, {function: send}], " +
         std::string(more) + "}}}]";
}

constexpr const char* kQuestion = R"({"question": "How much?"})";
constexpr const char* kLookUp = R"([{"name": "look-up", "arguments": {"query": "x"}}])";

TEST(AgentGuardrail, A2_WhatAGuardrailObjectsToNeverReachesTheModel) {
  const std::string guard =
      R"(guardrails: {input: '${ if any(.messages[]; .content | test("secret")) then "No secrets." else true end }'})";
  TestRun refused(agent(guard), R"({"question": "What is the secret?"})");
  EXPECT_TRUE(refused.pending().empty());
  EXPECT_EQ(refused.machine().error().get("detail"), Value("No secrets."));
  EXPECT_EQ(refused.machine().error().get("status"), Value(422));
  TestRun later(agent(guard), kQuestion);
  later.succeed("turn", asks(kLookUp));
  later.succeed("look-up", "\"the secret\"");
  EXPECT_TRUE(later.pending().empty()) << "answers of tools are looked at as well";
  EXPECT_EQ(later.machine().error().get("title"), Value("A guardrail stopped what would go to the model"));
  EXPECT_EQ(later.machine().error().get("instance"), Value("/do/0/ask/agent/turn/1"));
  TestRun passed(agent(guard), kQuestion);
  passed.succeed("turn", says("Three."));
  EXPECT_EQ(passed.machine().output().get("content"), Value("Three."));
  later.verify();
}

TEST(AgentGuardrail, A2_AnAnswerThatAGuardrailObjectsToGoesBackToTheModel) {
  const std::string guard =
      R"(max_repairs: 1, guardrails: {output: '${ if (.content | length) > 10 then "At most ten characters." else null end }'})";
  TestRun run(agent(guard), kQuestion);
  run.succeed("turn", says("It is three, I think."));
  const auto messages = run.pending_effect("turn").arguments.get("messages");
  EXPECT_EQ(messages.items().back().get("content"), Value("The answer is not acceptable: At most ten characters.\nAnswer again."));
  run.succeed("turn", says("Three."));
  EXPECT_EQ(run.machine().output().get("content"), Value("Three."));
  run.verify();
  TestRun stubborn(agent(guard), kQuestion);
  stubborn.succeed("turn", says("It is three, I think."));
  stubborn.succeed("turn", says("It is three, I am sure."));
  EXPECT_EQ(stubborn.machine().error().get("title"), Value("Invalid answer of a model"));
}

TEST(AgentGuardrail, A2_AGuardrailThatFailsObjects) {
  TestRun run(agent("guardrails: {input: '${ error(\"broken\") }'}"), kQuestion);
  EXPECT_TRUE(run.pending().empty());
  EXPECT_EQ(run.machine().error().get("title"), Value("A guardrail stopped what would go to the model"));
}

}  // namespace
}  // namespace pawl::engine
