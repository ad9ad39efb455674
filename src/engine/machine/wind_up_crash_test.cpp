// Crashes while a run winds up: after every event, with what the world knows, the rest is done once and the end is the same.
#include <gmock/gmock.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <vector>

#include "engine/machine/detail/test_model.hpp"
#include "engine/machine/detail/test_wind_up.hpp"

namespace pawl::engine {
namespace {

using json::Value;
using testing::booking;
using testing::TestRun;
using testing::with_finally;

/// What a world without memory answers follows from the step.
decltype(Event::body) answer(const Machine& machine, const StartEffect& effect) {
  const auto& name = machine.plan().task(effect.step.task).name;
  const bool fails = name == "boom" || name == "compensate b" || (name == "inner" && effect.step.attempt == 1);
  if (fails) return EffectFailed{effect.effect, make_error("communication", 503, "Down", name), {}};
  return EffectSucceeded{effect.effect, Value(name + std::to_string(effect.step.attempt)), {}};
}

void go_on(Machine& machine, std::map<std::string, int>& ledger, std::vector<Event>& events) {
  std::vector<Action> actions;
  const TimePoint now{Millis(1'760'000'000'000)};
  while (!is_final(machine.phase())) {
    const auto pending = machine.pending_effects();
    const auto timers = machine.pending_timers();
    ASSERT_FALSE(pending.empty() && timers.empty());
    if (pending.empty()) {
      events.push_back({now, TimerFired{timers[0].timer}});
    } else {
      ASSERT_EQ(++ledger[idempotency_key(machine.info().id, pending[0].step)], 1) << "a step that had ended is made again";
      events.push_back({now, answer(machine, pending[0])});
    }
    actions.clear();
    machine.apply(events.back(), actions);
  }
}

TEST(WindUpCrash, W10_AfterEveryEventNothingFinishedIsRepeatedAndTheEndIsTheSame) {
  const auto plan = with_finally("[{f: {call: fetch}}, {p: {fork: {branches: [{q: {call: fetch}}, {r: {call: fetch}}]}}}]",
                                 "do: [{" + booking("a") + "}, {l: {for: {in: '[range(3)]'}, do: [{" + booking("x") +
                                     "}], metadata: {concurrency: 3}}}, {" + booking("b") + "}, {t: {try: [{" + booking("d") +
                                     "}, {inner: {call: fetch}}], metadata: {compensate: true}, catch: {retry: {delay: {seconds: 1}, "
                                     "limit: {attempt: {count: 2}}}}}}, {boom: {call: fetch}}]");
  ASSERT_TRUE(plan);
  std::vector<Event> events{{TimePoint{Millis(1'760'000'000'000)}, RunStarted{Value::object()}}};
  Machine whole(plan, testing::test_info());
  std::vector<Action> actions;
  whole.apply(events[0], actions);
  std::map<std::string, int> ledger;
  go_on(whole, ledger, events);
  ASSERT_EQ(whole.phase(), Phase::faulted);
  EXPECT_EQ(whole.error().get("compensation_failures").size(), 1U);
  ASSERT_GT(events.size(), 18U);
  // How it will end: known from the moment at which its main part ends until it has, whatever crashes and whoever cancels.
  std::vector<std::optional<Phase>> endings;
  Machine watched(plan, testing::test_info());
  for (const auto& event : events) {
    watched.apply(event, actions);
    endings.push_back(watched.ending());
  }
  EXPECT_EQ(std::count(endings.begin(), endings.end(), Phase::faulted) + 1,
            std::distance(std::find(endings.begin(), endings.end(), Phase::faulted), endings.end()))
      << "from there to the event that ends it";
  EXPECT_EQ(std::count(endings.begin(), endings.end(), Phase::completed) + std::count(endings.begin(), endings.end(), Phase::cancelled), 0);
  EXPECT_EQ(endings.back(), std::nullopt) << "it has ended";
  for (std::size_t crash = 1; crash < events.size(); ++crash) {
    SCOPED_TRACE(crash);
    std::map<std::string, int> known;
    auto machine = testing::crashed(plan, events, crash, [&known](const Machine& whose, const Event& event) {
      for (const auto& effect : whose.pending_effects()) {
        const auto* ok = std::get_if<EffectSucceeded>(&event.body);
        const auto* bad = std::get_if<EffectFailed>(&event.body);
        if ((ok != nullptr && ok->effect == effect.effect) || (bad != nullptr && bad->effect == effect.effect))
          ++known[idempotency_key(whose.info().id, effect.step)];
      }
    });
    EXPECT_EQ(machine.ending(), endings[crash - 1]);
    if (machine.ending()) {
      const auto before = json::to_text(machine.snapshot());
      actions.clear();
      machine.apply({events[crash - 1].at, CancelRequested{"by a person", true}}, actions);
      EXPECT_TRUE(actions.empty()) << "a cancel of a run that winds up";
      EXPECT_EQ(json::to_text(machine.snapshot()), before);
    }
    std::vector<Event> rest;
    go_on(machine, known, rest);
    EXPECT_EQ(known, ledger) << "the same steps, each of them once";
    EXPECT_EQ(json::to_text(machine.error()), json::to_text(whole.error()));
    EXPECT_EQ(json::to_text(machine.snapshot()), json::to_text(whole.snapshot()));
    if (HasFailure()) return;
  }
}

TEST(WindUpCrash, W10_AnAgentsToolIsUndoneOnceWhateverIsAskedAtAnyMoment) {
  const std::string tool =
      "use: {functions: {book: {try: [{" + booking("a") + "}, {" + booking("b") +
      "}, {inner: {call: fetch}}], metadata: {compensate: true, summary: Books.}, catch: {retry: {delay: {seconds: 1}, "
      "limit: {attempt: {count: 1}}}, do: [{told: {set: {booked: false}}}]}}}}\n";
  const auto plan =
      with_finally("[{f: {call: fetch}}]", tool +
                                               "do: [{p: {fork: {branches: [{ask: {call: agent, with: {model: m, prompt: P, tools: "
                                               "[{function: book}]}, timeout: {after: {seconds: 9}}}}, {" +
                                               booking("x") + "}]}}}, {boom: {call: charge}}]");
  ASSERT_TRUE(plan);
  std::uint64_t state = 1;
  const auto roll = [&](std::size_t sides) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>(state >> 33U) % sides;
  };
  const auto next = [&](const Machine& machine) -> std::optional<decltype(Event::body)> {
    const auto effects = machine.pending_effects();
    const auto timers = machine.pending_timers();
    if (effects.empty() && timers.empty()) return std::nullopt;
    const auto choice = roll(effects.size() + (effects.empty() || roll(4) == 0 ? timers.size() : 0));
    if (choice >= effects.size()) return TimerFired{timers[choice - effects.size()].timer};
    const auto& effect = effects[choice];
    const auto& name = machine.plan().task(effect.step.task).name;
    if (name == "turn") {
      const bool asks = effect.arguments.get("messages").size() < 4;
      return EffectSucceeded{
          effect.effect, asks ? testing::reply_with_calls(R"([{"name": "book", "arguments": {}}])") : testing::reply("Done."), {}};
    }
    if (name == "boom" || name == "inner") return EffectFailed{effect.effect, make_error("communication", 503, "Down", name), {}};
    return EffectSucceeded{effect.effect, Value(name), {}};
  };
  std::pair<int, int> counts{0, 0};
  for (int order = 0; order < 60; ++order) {
    SCOPED_TRACE(order);
    TestRun whole(plan, Value::object());
    whole.checks = testing::Checks::keys;
    while (!is_final(whole.phase())) whole.apply(*next(whole.machine()));
    const auto walked = testing::walk(
        whole, [&] { return roll(3) == 0; }, next);
    counts.first += walked.first;
    counts.second += walked.second;
    if (HasFailure()) return;
  }
  EXPECT_GT(counts.first, 2000);
  EXPECT_GT(counts.second, 1000);
}

}  // namespace
}  // namespace pawl::engine
