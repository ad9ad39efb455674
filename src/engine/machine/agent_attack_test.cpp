// proves: A2
//
// Models and operators that do what nobody expects of an agent: what it keeps stays bounded, nothing is paid for that was not asked, and
// the run ends, or goes on, in a way that can be explained.
#include <gmock/gmock.h>

#include <chrono>

#include "engine/machine/detail/test_model.hpp"
#include "engine/machine/detail/test_run.hpp"

namespace pawl::engine {
namespace {

using json::Value;
using testing::asks;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::parsed;
using testing::says;
using testing::TestRun;

constexpr const char* kQuestion = R"({"question": "How much?"})";

std::string agent(const std::string& more = "", const std::string& tools = "{function: add}, {function: look-up}, {function: send}") {
  return "do: [{ask: {call: agent, with: {model: m, prompt: '${ .question }', tools: [" + tools + "]" + more + "}}}]";
}

/// `calls` of `add`, each with another argument.
std::string many(int calls, const char* id = nullptr) {
  auto list = Value::array();
  for (int i = 0; i < calls; ++i) {
    list.push_back(Value::object({{"id", id == nullptr ? "call-" + std::to_string(i) : std::string(id)},
                                  {"name", "add"},
                                  {"arguments", Value::object({{"a", i}})}}));
  }
  auto reply = testing::reply("");
  reply.set("tool_calls", std::move(list));
  return json::to_text(reply);
}

TEST(AgentAttack, A2_TenThousandCallsInOneTurnLeaveRoomForWhatComesAfter) {
  TestRun run(agent(), kQuestion);
  run.checks = testing::Checks::keys;
  const auto begun = std::chrono::steady_clock::now();
  run.succeed("turn", many(10'000));
  int done = 0;
  while (!run.machine().pending_effects().empty() && run.pending().front() == "add") {
    ASSERT_LE(run.machine().pending_effects().size(), 8U) << "so many at once";
    run.succeed("add", std::to_string(done++));
  }
  EXPECT_EQ(done, 128);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(20));
  EXPECT_LT(run.machine().records().size(), 200U) << "those that were refused by the thousand have no records";
  EXPECT_EQ(run.machine().records_dropped(), 0U);
  const auto turn = run.pending_effect("turn");
  std::size_t answers = 0;
  for (const auto& message : turn.arguments.get("messages").items()) answers += message.get("role") == Value("tool") ? 1 : 0;
  EXPECT_EQ(answers, 10'000U) << "each call has its answer: no provider takes a conversation without";
  run.succeed("turn", says("Enough."));
  EXPECT_THAT(run.output(), HasSubstr("Enough."));
  run.verify();
}

TEST(AgentAttack, A2_TurnsOfThousandsOfRefusedCallsEndSoon) {
  TestRun run(agent(", budget: {tokens: 400000}, on_budget: fault, max_turns: 50"), kQuestion);
  run.checks = testing::Checks::keys;
  int turns = 0;
  while (!is_final(run.phase()) && turns < 50) {
    ++turns;
    run.succeed("turn", many(2'000));
    while (!is_final(run.phase()) && run.pending().front() == "add") run.succeed("add", std::to_string(turns));
  }
  EXPECT_THAT(run.error_kind(), ::testing::AnyOf("agent-loop", "budget-exceeded"));
  EXPECT_LT(turns, 10) << "what is told to the model is counted before it is";
}

TEST(AgentAttack, A2_CallsThatShareAnIdAreAllAnswered) {
  TestRun run(agent(), kQuestion);
  run.succeed("turn", many(3, "same"));
  for (int i = 0; i < 3; ++i) run.succeed("add", std::to_string(i));
  const auto turn = run.pending_effect("turn");
  std::set<std::string> ids;
  for (const auto& message : turn.arguments.get("messages").items()) {
    if (message.get("role") == Value("tool")) ids.emplace(message.get("tool_call_id").as_string());
  }
  EXPECT_EQ(ids.size(), 3U) << "a provider refuses a conversation with two calls of one id";
  run.succeed("turn", says("Done."));
  EXPECT_THAT(run.output(), HasSubstr("Done."));
  run.verify();
}

TEST(AgentAttack, A2_AGuardrailThatNeverEndsObjectsInsteadOfHoldingTheServer) {
  for (const std::string expression :
       {"[range(1e12)] | length", "def f: f + 1; 0 | f", "error(\"no\")", ".messages[0].content.x.y", "[recurse(. + 1)]"}) {
    SCOPED_TRACE(expression);
    const auto begun = std::chrono::steady_clock::now();
    TestRun run(agent(", guardrails: {input: '${ " + expression + " }'}"), kQuestion);
    run.checks = testing::Checks::keys;
    EXPECT_EQ(run.phase(), Phase::faulted);
    EXPECT_EQ(run.error_kind(), "guardrail") << run.error("detail");
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(20));
  }
}

/// Its time ran out while the run was suspended, and then the answer came: what that took is known, and nothing is assumed.
TEST(AgentAttack, A2_ResumedAfterDaysAnAgentIsChargedForWhatWasAskedAndNothingElse) {
  TestRun run(agent(", budget: {tokens: 100000}",
                    "{agent: {model: small, budget: {time: {minutes: 5}}, on_budget: finish, tools: [{function: add}]}, name: helper}"),
              kQuestion);
  run.succeed("turn", asks(R"([{"name": "helper", "arguments": {"task": "help"}}])"));
  run.apply(SuspendRequested{});
  run.advance(std::chrono::hours(24 * 3));
  run.fire();
  run.succeed("turn", asks(R"([{"name": "add", "arguments": {"a": 1}}])", 50, 5));
  run.apply(ResumeRequested{});
  EXPECT_THAT(run.snapshot(), Not(HasSubstr("\"assumed_tokens\"")));
  run.succeed("turn", says("The helper had no time.", 200, 20));
  EXPECT_EQ(run.machine().output().get("usage").get("input_tokens"), Value(350));
  run.verify();
}

/// What is under way when the time is over may have been paid for.
TEST(AgentAttack, A2_ARequestThatIsUnderWayWhenTheTimeIsOverCountsInFull) {
  TestRun run(agent(", budget: {tokens: 100000}", "{agent: {model: small, budget: {time: {minutes: 5}}, on_budget: finish}, name: helper}"),
              kQuestion);
  run.succeed("turn", asks(R"([{"name": "helper", "arguments": {"task": "help"}}])"));
  run.fire();
  EXPECT_THAT(run.snapshot(), HasSubstr("\"assumed_tokens\""));
  run.succeed("turn", says("Done."));
  run.verify();
}

TEST(AgentAttack, A2_NoClaimOfAProviderMakesAnAgentCheaperThanItWas) {
  for (const std::string usage :
       {R"({"input_tokens": -1000000, "output_tokens": -5})", R"({"input_tokens": 1e400})", R"({"input_tokens": "7"})",
        R"({"input_tokens": 9223372036854775807, "output_tokens": 9223372036854775807})", "null", "[]"}) {
    SCOPED_TRACE(usage);
    TestRun run(agent(", budget: {tokens: 30000, cost: 1}, on_budget: finish"), kQuestion);
    auto reply = testing::reply_with_calls(R"([{"name": "add", "arguments": {"a": 1}}])");
    const auto claimed = json::parse(usage);
    reply.set("usage", claimed.has_value() ? *claimed : Value());
    reply.set("cost", -5);
    run.succeed(run.effect_of("turn"), reply);
    if (is_final(run.phase())) continue;  // it claims more than there is
    run.succeed("add", "1");
    if (is_final(run.phase())) continue;
    const auto& left = run.pending_effect("turn").arguments.get("budget").get("tokens");
    EXPECT_LE(left.as_integer(), 30'000);
    run.succeed("turn", says("Done."));
    ASSERT_EQ(run.phase(), Phase::completed);
    EXPECT_GE(run.machine().output().get("usage").get("input_tokens").as_integer(), 0);
    run.verify();
  }
}

}  // namespace
}  // namespace pawl::engine
