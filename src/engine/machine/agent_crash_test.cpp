// proves: A2
//
// Crashes in the life of an agent: a machine that knows only the events up to some point goes on from there, and so does one that was
// restored from a snapshot in between. Nothing that had ended is asked for again, and in the end there is the same transcript, to the byte.
#include <gtest/gtest.h>

#include <map>

#include "engine/machine/detail/test_run.hpp"

namespace pawl::engine {
namespace {

using json::Value;
using testing::parsed;
using testing::TestRun;

constexpr int kTurns = 10;

const std::string kTenTurns = R"(do: [{ask: {call: agent, with: {model: m, prompt: Begin., parallel_tool_calls: 3,
  tools: [{function: add}, {function: look-up}, {agent: {model: small, tools: [{function: look-up}]}, name: helper}]}}}])";

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 1469598103934665603ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

Value call_of(std::uint64_t seed, std::size_t number) {
  const auto id = "c" + std::to_string(seed) + "-" + std::to_string(number);
  switch ((seed + number) % 4) {
    case 0: return Value::object({{"id", id}, {"name", "add"}, {"arguments", Value::object({{"a", seed}, {"b", 1}})}});
    case 1: return Value::object({{"id", id}, {"name", "helper"}, {"arguments", Value::object({{"task", "find " + id}})}});
    case 2: return Value::object({{"id", id}, {"name", "look-up"}, {"arguments", Value::object({{"query", id}})}});
    default: return Value::object({{"id", id}, {"name", "look-up"}, {"arguments", Value::object({{"wrong", id}})}});
  }
}

/// The provider and the tools of a world without memory: what they answer follows from what they are asked.
decltype(Event::body) answer(const StartEffect& effect) {
  const auto asked = json::to_text(effect.arguments);
  if (effect.function != "llm") {
    if (hash_of(asked) % 7 == 0) return EffectFailed{effect.effect, make_error("communication", 503, "Down", {}), {}};
    return EffectSucceeded{effect.effect, Value("answer to " + asked), {}};
  }
  const auto& messages = effect.arguments.get("messages");
  std::size_t turns = 0;
  for (const auto& message : messages.items()) turns += message.get("role") == Value("assistant") ? 1 : 0;
  const bool is_small = effect.arguments.get("model") == Value("small");
  auto reply = Value::object({{"content", "turn " + std::to_string(turns)},
                              {"tool_calls", Value::array()},
                              {"finish_reason", "stop"},
                              {"model", "m"},
                              {"cost", 0.001},
                              {"raw", Value::object({{"signature", std::to_string(hash_of(asked))}})}});
  reply.set("usage", Value::object({{"input_tokens", asked.size() / 4}, {"output_tokens", 10}}));
  if (is_small ? turns >= 1 : turns + 1 >= kTurns) return EffectSucceeded{effect.effect, std::move(reply), {}};
  auto calls = Value::array();
  const auto seed = is_small ? 3 * hash_of(asked) % 1000 * 4 + 2 : turns * 4;
  for (std::size_t i = 0; i < (is_small ? 1U : 4U); ++i) calls.push_back(call_of(seed, i));
  reply.set("tool_calls", std::move(calls));
  return EffectSucceeded{effect.effect, std::move(reply), {}};
}

/// What has been asked for, by the key of the step, and whether it ended.
using Ledger = std::map<std::string, bool>;

void settle(const Machine& machine, Ledger& ledger, const decltype(Event::body)& body) {
  const auto id = std::holds_alternative<EffectSucceeded>(body) ? std::get<EffectSucceeded>(body).effect
                  : std::holds_alternative<EffectFailed>(body)  ? std::get<EffectFailed>(body).effect
                                                                : EffectId{0};
  for (const auto& effect : machine.pending_effects()) {
    const auto key = idempotency_key(machine.info().id, effect.step);
    if (effect.effect == id) ledger[key] = true;
  }
}

/// Answers the effect at `choice % pending` until the run ends.
void go_on(Machine& machine, TimePoint now, Ledger& ledger, std::vector<Event>& events, std::size_t choice) {
  std::vector<Action> actions;
  while (!is_final(machine.phase())) {
    const auto pending = machine.pending_effects();
    ASSERT_FALSE(pending.empty());
    const auto& effect = pending[choice++ % pending.size()];
    const auto key = idempotency_key(machine.info().id, effect.step);
    ASSERT_FALSE(ledger[key]) << "a call that had ended is made again: " << key;
    ledger[key] = true;
    events.push_back({now, answer(effect)});
    actions.clear();
    machine.apply(events.back(), actions);
  }
}

TEST(AgentCrash, A2_AfterEveryEventOfTenTurnsNothingFinishedIsRepeatedAndTheTranscriptIsTheSame) {
  const auto plan = testing::plan_of(kTenTurns);
  ASSERT_TRUE(plan);
  const TimePoint now{Millis(1'760'000'000'000)};
  std::vector<Event> events{{now, RunStarted{Value::object()}}};
  Machine whole(plan, testing::test_info());
  std::vector<Action> actions;
  whole.apply(events[0], actions);
  Ledger ledger;
  go_on(whole, now, ledger, events, 0);
  ASSERT_EQ(whole.phase(), Phase::completed) << json::to_text(whole.error());
  EXPECT_EQ(whole.output().get("turns"), Value(kTurns));
  ASSERT_GT(events.size(), 40U);
  const auto records = [](const Machine& machine) {
    std::string text;
    for (const auto& record : machine.records()) {
      text +=
          step_reference(machine.plan(), record.task, record.iteration) + json::to_text(record.input) + json::to_text(record.output) + "\n";
    }
    return text;
  };
  for (std::size_t crash = 1; crash < events.size(); ++crash) {
    SCOPED_TRACE(crash);
    Ledger known;
    auto machine =
        testing::crashed(plan, events, crash, [&known](const Machine& whose, const Event& event) { settle(whose, known, event.body); });
    std::vector<Event> rest;
    go_on(machine, now, known, rest, 0);
    ASSERT_EQ(machine.phase(), Phase::completed);
    EXPECT_EQ(known, ledger) << "the same calls, each of them once";
    EXPECT_EQ(json::to_text(machine.output()), json::to_text(whole.output()));
    EXPECT_EQ(records(machine), records(whole));
    if (HasFailure()) return;
  }
}

TEST(AgentCrash, A2_TheOrderInWhichToolsAnswerDoesNotChangeTheTranscript) {
  const auto plan = testing::plan_of(kTenTurns);
  std::string first;
  for (std::size_t order = 0; order < 20; ++order) {
    SCOPED_TRACE(order);
    Machine machine(plan, testing::test_info());
    std::vector<Action> actions;
    const TimePoint now{Millis(1'760'000'000'000)};
    machine.apply({now, RunStarted{Value::object()}}, actions);
    Ledger ledger;
    std::vector<Event> events;
    go_on(machine, now, ledger, events, order * 7);
    ASSERT_EQ(machine.phase(), Phase::completed);
    if (order == 0) first = json::to_text(machine.output());
    EXPECT_EQ(json::to_text(machine.output()), first);
  }
}

/// Any reply, also nonsense: a model is not to be trusted with its own format.
Value nonsense(std::uint64_t dice) {
  static const char* const replies[] = {
      "null",
      "7",
      "[]",
      "{}",
      R"({"tool_calls": 7})",
      R"({"tool_calls": [7, null, {}]})",
      R"({"tool_calls": [{"name": "add"}], "content": 7})",
      R"({"tool_calls": [{"name": {"x": 1}, "id": 5, "arguments": []}]})",
      R"({"tool_calls": [{"name": "add", "arguments": {"a": "x"}}]})",
      R"({"usage": {"input_tokens": -5, "output_tokens": 1e300}, "cost": 1e300, "tool_calls": [{"name": "look-up", "arguments": {"query": "q"}}]})",
      R"({"tool_calls": [{"name": "helper", "arguments": {"task": "t"}}, {"name": "add", "arguments": {}}]})",
      R"({"content": ["x"], "finish_reason": 7, "model": 9, "raw": [1]})",
      R"({"tool_calls": [{"name": "add", "arguments": {"a": 1}}, {"name": "add", "arguments": {"a": 1}}, {"name": "send", "arguments": {}}]})"};
  return parsed(replies[dice % std::size(replies)]);
}

TEST(AgentCrash, A2_RestoredMachinesBehaveIdenticallyWhateverModelsAndPeopleDo) {
  const std::string body =
      R"(do: [{t: {try: [{ask: {timeout: {after: {seconds: 60}}, call: agent, with: {model: m, prompt: Begin., max_turns: 6,
    budget: {tokens: 5000, time: {seconds: 40}}, on_budget: "${ .on }",
    tools: [{function: add}, {function: look-up}, {agent: {model: small, tools: [{function: look-up}]}, name: helper}]}}}],
    catch: {retry: {delay: {seconds: 1}, limit: {attempt: {count: 1}}}}}}])";
  const auto plan = testing::plan_of(body);
  ASSERT_TRUE(plan);
  int completed = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    std::uint64_t state = seed * 0x9e3779b97f4a7c15ULL + 1;
    const auto roll = [&state](std::uint64_t sides) {
      state ^= state << 13U;
      state ^= state >> 7U;
      state ^= state << 17U;
      return (state >> 11U) % sides;
    };
    const auto input = Value::object({{"on", roll(2) == 0 ? "finish" : "fault"}});
    TestRun plain(plan, input);
    TestRun reloaded(plan, input);
    plain.checks = testing::Checks::keys;
    reloaded.checks = testing::Checks::reload;
    int retries = 0;
    for (int i = 0; i < 120; ++i) {
      decltype(Event::body) event = ResumeRequested{};
      const auto effects = plain.machine().pending_effects();
      const auto timers = plain.machine().pending_timers();
      if (is_final(plain.phase())) {
        if (plain.phase() == Phase::completed || ++retries > 2) break;
        event = RetryRequested{};
      } else if (roll(40) == 0) {
        event = SuspendRequested{};
      } else if (roll(60) == 0) {
        event = CancelRequested{"dice"};
      } else if (!effects.empty() && roll(10) > 0) {
        const auto& effect = effects[roll(effects.size())];
        if (roll(12) == 0) {
          event = EffectFailed{effect.effect, make_error("communication", 503, "Failed", {}), {}};
        } else if (effect.function == "llm" && roll(3) == 0) {
          event = EffectSucceeded{effect.effect, nonsense(roll(1000)), {}};
        } else {
          event = answer(effect);
        }
      } else if (!timers.empty() && roll(6) == 0) {
        event = TimerFired{timers[roll(timers.size())].timer};
      }
      plain.advance(Millis(roll(1500)));
      reloaded.advance(plain.now() - reloaded.now());
      plain.apply(event);
      reloaded.apply(event);
      ASSERT_EQ(plain.actions().size(), reloaded.actions().size());
      ASSERT_EQ(plain.machine().phase(), reloaded.machine().phase());
    }
    ASSERT_EQ(plain.snapshot(), reloaded.snapshot());
    plain.verify();
    completed += plain.phase() == Phase::completed ? 1 : 0;
    if (HasFailure()) return;
  }
  EXPECT_GT(completed, 12) << "the dice let some of them get somewhere";
}

}  // namespace
}  // namespace pawl::engine
