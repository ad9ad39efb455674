// proves: A2
//
// Budgets of agents are set aside before each request: with a provider that takes all that it was allowed, whatever the order in which
// requests end, no limit is passed, neither by an agent nor by all those below it together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/machine/detail/test_run.hpp"

namespace pawl::engine {
namespace {

using json::Value;
using ::testing::HasSubstr;
using testing::parsed;
using testing::TestRun;

constexpr double kInput = 3.0;  // US dollars for a million tokens
constexpr double kOutput = 15.0;

std::int64_t nano(double dollars) { return std::llround(dollars * 1e9); }

/// A provider that counts: what it was given, and what it took.
class Provider {
 public:
  /// Takes all that the request allows, or a part of it.
  Value answer(const StartEffect& effect, double part = 1, std::string_view calls = "[]") {
    const auto& budget = effect.arguments.get("budget");
    const auto& told = effect.arguments.get("max_tokens");
    const auto prompt = budget.is_object() ? budget.get("prompt").as_integer() : 100;  // else nothing is limited
    const auto most = told.is_integer() ? told.as_integer() : 50;
    auto answer = most;
    if (const auto& given = budget.get("cost"); !given.is_null()) {
      const auto left = given.as_double() * 1e6 - static_cast<double>(prompt) * kInput;
      answer = std::min(answer, static_cast<std::int64_t>(left / kOutput));
      EXPECT_GE(answer, 1) << "the client would have refused it";
    }
    const auto output = std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(answer) * part));
    const auto cost = (static_cast<double>(prompt) * kInput + static_cast<double>(output) * kOutput) / 1e6;
    tokens += prompt + output;
    money += nano(cost);
    auto reply = Value::object({{"content", "said"}, {"finish_reason", "stop"}, {"model", "m"}, {"cost", cost}});
    reply.set("tool_calls", parsed(std::string(calls).c_str()));
    reply.set("usage", Value::object({{"input_tokens", prompt}, {"output_tokens", output}}));
    reply.set("charged", Value::object({{"tokens", prompt + output}, {"cost", cost}}));
    reply.set("price", Value::object({{"input", kInput}, {"output", kOutput}}));
    return reply;
  }

  std::int64_t tokens = 0;
  std::int64_t money = 0;
};

/// An agent with a tool of which `number` agents run side by side; each has turns until it says something. `own`: of each of them.
std::string crowd(int number, std::string_view budget, std::string_view own = "") {
  std::string branches;
  for (int i = 0; i < number; ++i) {
    const auto name = "b" + std::to_string(i);
    branches += (i == 0 ? "" : ", ") + std::string("{") + name + ": {call: agent, with: {model: m, prompt: work, tools: [{function: add}]" +
                std::string(own) + "}}}";
  }
  return "use: {functions: {many: {fork: {branches: [" + branches + "]}}}}\n" +
         "do: [{ask: {call: agent, with: {model: m, prompt: q, on_budget: finish, tools: [{function: many}], budget: {" +
         std::string(budget) + "}}}}]\n";
}

constexpr const char* kMany = R"([{"id": "c", "name": "many", "arguments": {}}])";

/// Answers requests in some order until the run ends. Says how many were under way at once, at most.
std::size_t work(TestRun& run, Provider& provider, std::uint32_t seed, bool tells_price = true) {
  std::size_t most = 0;
  std::size_t asked = 0;
  for (int i = 0; i < 2'000 && !is_final(run.phase()); ++i) {
    const auto pending = run.machine().pending_effects();
    if (pending.empty()) return 0;
    const auto requests = std::count_if(pending.begin(), pending.end(), [](const StartEffect& effect) { return effect.function == "llm"; });
    most = std::max(most, static_cast<std::size_t>(requests));
    seed = seed * 1'103'515'245U + 12'345U;
    const auto& chosen = pending[(seed >> 16U) % pending.size()];
    if (chosen.function != "llm") {
      run.succeed(chosen.effect, Value(static_cast<std::int64_t>(i)));
      continue;
    }
    const bool is_first = ++asked == 1;
    const auto calls = is_first                 ? std::string(kMany)
                       : (seed >> 20U) % 3 == 0 ? R"([{"id": "c", "name": "add", "arguments": {"a": )" + std::to_string(i) + "}}]"
                                                : std::string("[]");
    auto reply = provider.answer(chosen, is_first ? 0.01 : 1, calls);
    if (!tells_price) reply.erase("price");
    run.succeed(chosen.effect, std::move(reply));
  }
  return most;
}

TEST(AgentBudget, A2_AHundredAgentsSideBySideKeepToTheMicroDollarAndToTheToken) {
  for (const auto& [budget, tokens, dollars] : {std::tuple("cost: 0.5", 0LL, 0.5), std::tuple("tokens: 60000", 60'000LL, 0.0),
                                                std::tuple("tokens: 90000, cost: 0.3", 90'000LL, 0.3), std::tuple("cost: 40", 0LL, 40.0)}) {
    for (std::uint32_t seed = 1; seed <= 3; ++seed) {
      SCOPED_TRACE(std::string(budget) + " seed " + std::to_string(seed));
      TestRun run(crowd(100, budget));
      run.checks = testing::Checks::keys;
      Provider provider;
      const auto at_once = work(run, provider, seed);
      EXPECT_TRUE(is_final(run.phase())) << "nobody waits for ever";
      if (tokens > 0) {
        EXPECT_LE(provider.tokens, tokens);
      }
      if (dollars > 0) {
        EXPECT_LE(provider.money, nano(dollars));
      }
      EXPECT_GT(provider.tokens, 5'000);
      if (dollars > 1) {
        EXPECT_GT(at_once, 50U) << "where there is enough they do not wait for each other";
      }
      EXPECT_EQ(run.machine().output().get("usage").get("input_tokens").as_integer() +
                    run.machine().output().get("usage").get("output_tokens").as_integer(),
                provider.tokens);
    }
  }
}

/// Where no money is limited, prices do not matter; where each has money of its own, that is all which is set aside for it.
TEST(AgentBudget, A2_AgentsOfUnknownPriceGoSideBySideWhereTheLimitHoldsAllTheSame) {
  for (const auto& [budget, own, dollars] : {std::tuple("tokens: 10000000", "", 0.0), std::tuple("steps: 900", "", 0.0),
                                             std::tuple("cost: 1000", ", on_budget: finish, budget: {cost: 5}", 1000.0)}) {
    SCOPED_TRACE(budget);
    TestRun run(crowd(100, budget, own));
    run.checks = testing::Checks::keys;
    Provider provider;
    EXPECT_EQ(work(run, provider, 7, false), 100U);
    EXPECT_TRUE(is_final(run.phase()));
    if (dollars > 0) {
      EXPECT_LE(provider.money, nano(dollars));
    }
  }
  TestRun shared(crowd(100, "cost: 100"));
  shared.checks = testing::Checks::keys;
  Provider provider;
  EXPECT_EQ(work(shared, provider, 7, false), 1U) << "one limit for all of them";
}

std::string agent(std::string_view more) {
  return "do: [{ask: {call: agent, with: {model: m, prompt: q, tools: [{function: add}], " + std::string(more) + "}}}]";
}

TEST(AgentBudget, A2_AllTheMoneyIsSetAsideUntilThePriceIsKnownAndThenWhatARequestMayCost) {
  TestRun run(agent("max_tokens: 100, budget: {cost: 0.5}"));
  Provider provider;
  EXPECT_EQ(run.pending_effect("turn").arguments.get("budget").get("cost"), Value(0.5));
  EXPECT_EQ(run.pending_effect("turn").arguments.get("max_tokens"), Value(100));
  run.succeed(run.effect_of("turn"),
              provider.answer(run.pending_effect("turn"), 1, R"([{"id": "c", "name": "add", "arguments": {"a": 1}}])"));
  run.succeed("add", "1");
  const auto arguments = run.pending_effect("turn").arguments;
  const auto most = static_cast<double>(arguments.get("budget").get("prompt").as_integer()) * kInput + 100 * kOutput;
  EXPECT_NEAR(arguments.get("budget").get("cost").as_double() * 1e6, most, 0.01);
  run.reload();
  run.succeed(run.effect_of("turn"), provider.answer(run.pending_effect("turn")));
  EXPECT_THAT(run.output(), HasSubstr(R"("stop_reason":"stop")"));
}

TEST(AgentBudget, A2_MoneyCutsTheAnswerAndEndsTheAgentWhereNotEvenThePromptFits) {
  TestRun run(agent("budget: {cost: 0.02}, max_turns: 100"));
  Provider provider;
  for (int i = 0; i < 50 && !is_final(run.phase()); ++i) {
    const auto calls = R"([{"id": "c", "name": "add", "arguments": {"a": )" + std::to_string(i) + "}}]";
    run.succeed(run.effect_of("turn"), provider.answer(run.pending_effect("turn"), 0.1, calls));
    if (!is_final(run.phase())) run.succeed("add", std::to_string(i));
  }
  EXPECT_EQ(run.error("budget"), "cost");
  EXPECT_EQ(run.error_kind(), "budget-exceeded");
  EXPECT_LE(provider.money, nano(0.02));
  EXPECT_GT(provider.money, nano(0.005));
}

Value problem(std::string_view budget, double cost, bool unanswered = false) {
  auto made = make_error("budget-exceeded", 402, "No room", {});
  made.set("budget", budget);
  made.set("charged", Value::object({{"tokens", 0}, {"cost", cost}}));
  if (unanswered) made.set("unanswered", true);
  return made;
}

TEST(AgentBudget, A2_AnUnknownPriceIsRefusedWhateverTheAgentDoesAtTheEndOfItsBudget) {
  for (const auto* more : {"budget: {cost: 0.3}", "budget: {cost: 0.3}, on_budget: finish"}) {
    TestRun run(agent(more));
    auto unpriced = problem("cost", 0);
    unpriced.set("unpriced", true);
    run.apply(EffectFailed{run.effect_of("turn"), unpriced, {}});
    EXPECT_EQ(run.error_kind(), "budget-exceeded");
    EXPECT_EQ(run.error("unpriced"), "true");
  }
  TestRun finished(agent("budget: {cost: 0.3}, on_budget: finish"));
  finished.apply(EffectFailed{finished.effect_of("turn"), problem("cost", 0), {}});
  EXPECT_EQ(finished.machine().output().get("stop_reason"), Value("cost"));
}

TEST(AgentBudget, A2_WhatMayHaveBeenPaidWithoutAnAnswerCountsAndIsAskedAgainWhileThereIsRoom) {
  TestRun run(agent("budget: {cost: 0.5}, fallback: [other/n]"));
  EXPECT_EQ(run.pending_effect("turn").arguments.get("model"), Value("m"));
  auto lost = make_error("communication", 503, "Broken", {});
  lost.set("charged", Value::object({{"tokens", 1'000}, {"cost", 0.2}}));
  lost.set("unanswered", true);
  run.apply(EffectFailed{run.effect_of("turn"), lost, {}});
  const auto again = run.pending_effect("turn").arguments;
  EXPECT_NEAR(again.get("budget").get("cost").as_double(), 0.3, 1e-9);
  EXPECT_EQ(again.get("model"), Value("other/n")) << "then it is the next model's turn";
  EXPECT_EQ(again.find("fallback"), nullptr);
  run.reload();
  run.apply(EffectFailed{run.effect_of("turn"), lost, {}});
  EXPECT_EQ(run.error_kind(), "communication") << "as often as there are models";
  // The retry of the run knows what is gone.
  run.apply(RetryRequested{});
  EXPECT_NEAR(run.pending_effect("turn").arguments.get("budget").get("cost").as_double(), 0.1, 1e-9);
}

TEST(AgentBudget, A2_WhoWaitsForRoomStillEndsInItsTimeAndLetsOthersGoOn) {
  // Three agents side by side with room for one: the one under way hangs, the second's time ends, the third goes on after the first.
  const auto branch = [](std::string_view name, std::string_view budget) {
    return "{" + std::string(name) + ": {call: agent, with: {model: m, prompt: work, tools: [], on_budget: finish, budget: {" +
           std::string(budget) + "}}}}";
  };
  TestRun run("use: {functions: {many: {fork: {branches: [" + branch("a", "tokens: 90000") + ", " + branch("b", "time: PT10S") + ", " +
              branch("c", "tokens: 90000") + "]}}}}\n" +
              "do: [{ask: {call: agent, with: {model: m, prompt: q, tools: [{function: many}], budget: {cost: 1}}}}]");
  Provider provider;
  auto first = provider.answer(run.pending_effect("turn"), 0.01, kMany);
  first.erase("price");  // so that each of them sets everything aside
  run.succeed(run.effect_of("turn"), first);
  ASSERT_EQ(run.machine().pending_effects().size(), 1U) << "the others wait";
  EXPECT_THAT(run.machine().waiting_reason(), HasSubstr("answer of llm"));
  EXPECT_THAT(run.machine().waiting_reason(), HasSubstr("/b and 1 more wait for what model \"m\" costs, which its first answer tells"));
  EXPECT_EQ(run.fire(), Millis(10'000));
  EXPECT_EQ(run.machine().pending_effects().size(), 1U);
  auto second = provider.answer(run.pending_effect("turn"), 0.01);
  second.erase("price");
  run.succeed(run.effect_of("turn"), second);
  ASSERT_EQ(run.machine().pending_effects().size(), 1U);
  run.succeed(run.effect_of("turn"), provider.answer(run.pending_effect("turn"), 0.01));
  ASSERT_EQ(run.machine().pending_effects().size(), 1U) << "the agent above has its answer";
  run.succeed(run.effect_of("turn"), provider.answer(run.pending_effect("turn"), 0.01));
  EXPECT_THAT(run.output(), HasSubstr(R"("stop_reason":"stop")"));
  run.verify();
}

TEST(AgentBudget, A2_AnAgentThatWaitsForRoomSaysSo) {
  TestRun run(crowd(2, "tokens: 6000"));
  Provider provider;
  run.succeed(run.effect_of("turn"), provider.answer(run.pending_effect("turn"), 0.01, kMany));
  ASSERT_EQ(run.machine().pending_effects().size(), 1U);
  EXPECT_THAT(run.machine().waiting_reason(), HasSubstr("/b1 waits for room in the budget, which requests of other agents have set aside"));
  run.reload();
  EXPECT_THAT(run.machine().waiting_reason(), HasSubstr("/b1 waits for room in the budget, which"));
  run.succeed(run.effect_of("turn"), provider.answer(run.pending_effect("turn"), 0.01));
  EXPECT_THAT(run.machine().waiting_reason(), ::testing::Not(HasSubstr("room in the budget")));
}

TEST(AgentBudget, A2_StepsAreThoseOfAllAgentsBelow) {
  TestRun run(R"(do: [{ask: {call: agent, with: {model: m, prompt: q, budget: {steps: 5},
      tools: [{agent: {model: small, tools: [{function: add}]}, name: helper}]}}}])");
  const auto reply = [](std::string_view calls) {
    auto made = Value::object({{"content", "x"}, {"finish_reason", "stop"}, {"model", "m"}, {"cost", 0}});
    made.set("tool_calls", parsed(std::string(calls).c_str()));
    return made;
  };
  run.succeed(run.effect_of("turn"), reply(R"([{"id": "c", "name": "helper", "arguments": {"task": "t"}}])"));  // 1, 2
  run.succeed(run.effect_of("turn"), reply(R"([{"id": "c", "name": "add", "arguments": {"a": 1}}])"));          // 3, 4
  run.succeed("add", "1");
  run.succeed(run.effect_of("turn"), reply("[]"));  // 5
  EXPECT_EQ(run.error("budget"), "steps");
  EXPECT_EQ(run.error_kind(), "budget-exceeded");
}

TEST(AgentBudget, A2_WhatAProviderClaimsNeverOverflowsAndNeverGivesMoneyBack) {
  for (const auto* usage :
       {R"({"input_tokens": -5, "output_tokens": -9})", R"({"input_tokens": 9223372036854775807, "output_tokens": 9223372036854775807})",
        R"({"input_tokens": 1e300})", "{}", "null", "\"many\""}) {
    for (const auto* cost : {"-5", "1e300", "null", "\"free\""}) {
      TestRun run(agent("budget: {tokens: 20000, cost: 0.5}, max_tokens: 50"));
      auto reply = parsed(
          R"({"content": "x", "finish_reason": "stop", "model": "m", "tool_calls": [{"id": "c", "name": "add", "arguments": {"a": 1}}]})");
      reply.set("usage", parsed(usage));
      reply.set("cost", parsed(cost));
      run.succeed(run.effect_of("turn"), reply);
      if (!is_final(run.phase())) run.succeed("add", "1");
      if (is_final(run.phase())) continue;  // more than all was claimed, or what nobody told counts in full
      const auto left = run.pending_effect("turn").arguments.get("budget");
      EXPECT_LE(left.get("cost").as_double(), 0.5);
      EXPECT_LE(left.get("tokens").as_integer(), 20'000);
    }
  }
}

}  // namespace
}  // namespace pawl::engine
