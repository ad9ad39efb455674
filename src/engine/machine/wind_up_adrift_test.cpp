// Compensations that were cut loose from what had begun them, and fail: somebody is told, and can have them run again.
#include <gmock/gmock.h>

#include "engine/machine/detail/test_wind_up.hpp"

namespace pawl::engine {
namespace {

using json::Value;
using testing::booking;
using ::testing::ElementsAre;
using testing::plan_of;
using testing::TestRun;
using ::testing::UnorderedElementsAre;
using testing::with_finally;

std::string inner(const std::string& tasks) {
  return "{t: {try: [" + tasks + ", {c: {call: fetch}}], metadata: {compensate: true}, catch: {}, timeout: {after: {seconds: 5}}}}";
}

/// The timeout takes the `try` away while it undoes; what catches that goes on.
std::string caught(const std::string& tasks) { return "do: [{o: {try: [" + inner(tasks) + "], catch: {do: [{k: {call: fetch}}]}}}]"; }

const std::string kBeside = caught("{" + booking("a") + "}");

void cut_loose(TestRun& run) {
  run.succeed("a");
  run.fail("c");
  run.fire();
  ASSERT_THAT(run.pending(), UnorderedElementsAre("compensate a", "k"));
}

void expect_told(TestRun& run, const std::string& names = "/do/0/o/try/0/t/try/0/a") {
  ASSERT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.error("title"), "Not undone");
  EXPECT_THAT(run.error("detail"), ::testing::EndsWith("Not undone: " + names));
  EXPECT_EQ(run.machine().error().get("compensation_failures").size(), 1U);
}

TEST(AdriftCompensation, W10_ThatFailsWhileTheRunGoesOnIsToldAtItsEndAndCanBeRetried) {
  TestRun run(kBeside);
  cut_loose(run);
  run.fail("compensate a");
  EXPECT_EQ(run.phase(), Phase::running) << "the main part goes on";
  run.succeed("k", "1");
  expect_told(run);
  EXPECT_EQ(run.error("instance"), "/do/0/o/try/0/t/try/0/a");
  EXPECT_EQ(run.machine().check_retry({"/do/0/o", {}}).error().code, "run.not_retryable_from") << "the main part is over";
  run.apply(RetryRequested{});
  EXPECT_THAT(run.pending(), ElementsAre("compensate a"));
  run.fail("compensate a");
  expect_told(run);
  run.apply(RetryRequested{});
  run.succeed("compensate a");
  EXPECT_EQ(run.output(), "1") << "and the run has completed";
  run.verify();
}

TEST(AdriftCompensation, W10_ThatFailsAfterTheMainPartHasCompletedIsToldToo) {
  TestRun run(with_finally("[{f: {call: fetch, with: {how: '${ $status }'}}}]", kBeside), Value::object());
  cut_loose(run);
  run.succeed("k", "1");
  ASSERT_THAT(run.pending(), ElementsAre("compensate a"));
  run.fail("compensate a");
  ASSERT_THAT(run.pending(), ElementsAre("f"));
  run.succeed("f");
  expect_told(run);
  run.apply(RetryRequested{});
  run.succeed("compensate a");
  EXPECT_EQ(run.output(), "1") << "`finally` had run";
  run.verify();
}

TEST(AdriftCompensation, W10_TheErrorOfFinallyComesFirstAndTheOtherIsItsCause) {
  TestRun run(with_finally("[{f: {call: fetch}}]", kBeside), Value::object());
  cut_loose(run);
  run.fail("compensate a");
  run.succeed("k", "1");
  run.fail("f");
  ASSERT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.error("instance"), "/document/metadata/finally/0/f");
  EXPECT_EQ(run.machine().error().get("cause").get("compensation_failures").size(), 1U);
  run.apply(RetryRequested{});
  run.succeed("compensate a");
  ASSERT_THAT(run.pending(), ElementsAre("f")) << "it had failed";
  run.fail("f");
  ASSERT_EQ(run.phase(), Phase::faulted);
  run.apply(RetryRequested{});
  run.succeed("f");
  EXPECT_EQ(run.output(), "1");
  run.verify();
}

TEST(AdriftCompensation, W10_WhatFailedBeforeTheTryWasTakenAwayIsToldAsWell) {
  TestRun run(caught("{" + booking("a") + "}, {" + booking("b") + "}"));
  run.succeed("a");
  run.succeed("b");
  run.fail("c");
  run.fail("compensate b");
  run.fire();
  run.succeed("compensate a");
  run.succeed("k", "1");
  expect_told(run, "/do/0/o/try/0/t/try/1/b");
  run.apply(RetryRequested{});
  EXPECT_THAT(run.pending(), ElementsAre("compensate b"));
  run.succeed("compensate b");
  EXPECT_EQ(run.output(), "1");
  run.verify();
}

TEST(AdriftCompensation, W10_AnErrorThatTheWorkflowCaughtHasToldAlready) {
  TestRun run("do: [{o: {try: [" + inner("{" + booking("a") + "}") +
              "], metadata: {compensate: true}, catch: {do: [{k: {set: {failures: '${ $error.compensation_failures | length }'}}}]}}}]");
  run.succeed("a");
  run.fail("c");
  run.fire();
  run.fail("compensate a");
  EXPECT_EQ(run.output(), R"({"failures":1})");
  run.verify();
}

TEST(AdriftCompensation, W10_IsNamedByTheErrorOfARunWithNothingLeftToUndo) {
  TestRun run("do: [{o: {try: [" + inner("{" + booking("a") + "}") + "], catch: {do: [{k: {call: fetch}}]}}}, {boom: {call: charge}}]");
  cut_loose(run);
  run.fail("compensate a");
  run.succeed("k");
  run.fail("boom");
  ASSERT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.error("instance"), "/do/1/boom");
  EXPECT_EQ(run.machine().error().get("compensation_failures").size(), 1U);
  run.apply(RetryRequested{});
  run.succeed("boom");
  expect_told(run);
  run.verify();
}

TEST(AdriftCompensation, W10_BrokenOffByAPersonItCanBeRetried) {
  TestRun run(kBeside);
  cut_loose(run);
  run.succeed("k", "1");
  run.apply(SuspendRequested{});
  run.apply(CancelRequested{"enough"});
  ASSERT_EQ(run.phase(), Phase::cancelled);
  EXPECT_EQ(run.error("detail"), "enough");
  EXPECT_EQ(run.machine().error().get("cause").get("compensation_failures").size(), 1U);
  run.apply(RetryRequested{});
  run.succeed("compensate a");
  EXPECT_EQ(run.output(), "1");
  run.verify();
}

/// Up to three attempts; `caught`: what stands beside the retry.
std::string again(const std::string& tasks, const std::string& caught = "") {
  return "t: {try: [" + tasks + ", {c: {call: fetch}}], metadata: {compensate: true}, catch: {retry: {limit: {attempt: {count: 2}}}" +
         caught + "}}";
}

TEST(AdriftCompensation, W10_OfAnAttemptThatIsTriedAgainIsToldAtTheEnd) {
  TestRun run("do: [{" + again("{" + booking("a") + "}") + "}]");
  run.succeed("a");
  run.fail("c");
  run.fail("compensate a");
  run.succeed("a");
  run.succeed("c", "1");
  expect_told(run, "/do/0/t/try/0/a");
  run.apply(RetryRequested{});
  run.succeed("compensate a");
  EXPECT_EQ(run.output(), "1");
  run.verify();
}

TEST(AdriftCompensation, W10_OfAnEarlierAttemptIsToldByTheErrorThatIsCaughtInTheEnd) {
  TestRun run("do: [{" + again("{" + booking("a") + "}", ", do: [{k: {set: {failures: '${ $error.compensation_failures | length }'}}}]") +
              "}]");
  run.succeed("a");
  run.fail("c");
  run.fail("compensate a");
  for (int attempt = 2; attempt <= 3; ++attempt) {
    run.succeed("a");
    run.fail("c");
    run.succeed("compensate a");
  }
  EXPECT_EQ(run.output(), R"({"failures":1})") << "the workflow knows, and has completed all the same";
  run.verify();
}

TEST(AdriftCompensation, W10_OfAnAttemptThatIsTriedAgainIsToldByWhatUndoesAroundItAndByNothingElse) {
  for (const bool undoes : {true, false}) {
    TestRun run("do: [{o: {try: [{" + again("{" + booking("a") + "}") + "}, {d: {call: fetch}}]" +
                (undoes ? ", metadata: {compensate: true}" : "") +
                ", catch: {do: [{k: {set: {failures: '${ $error.compensation_failures | length }'}}}]}}}]");
    run.succeed("a");
    run.fail("c");
    run.fail("compensate a");
    run.succeed("a");
    run.succeed("c");
    run.fail("d");
    if (undoes) {
      run.succeed("compensate a");  // that of the second attempt
      EXPECT_EQ(run.output(), R"({"failures":1})");
    } else {
      expect_told(run, "/do/0/o/try/0/t/try/0/a");
    }
    run.verify();
  }
}

TEST(AdriftCompensation, W10_IsNotNamedAnyMoreOnceARetryHasUndoneIt) {
  TestRun run("do: [{" + booking("z") + "}, {" + again("{" + booking("a") + "}") + "}]");
  run.succeed("z");
  for (int attempt = 1; attempt <= 3; ++attempt) {
    run.succeed("a");
    run.fail("c");
    attempt == 1 ? run.fail("compensate a") : run.succeed("compensate a");
  }
  run.succeed("compensate z");
  ASSERT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.machine().error().get("compensation_failures").size(), 1U);
  run.apply(RetryRequested{});
  run.succeed("compensate a");
  ASSERT_EQ(run.phase(), Phase::faulted) << "as its main part";
  EXPECT_EQ(run.machine().error().find("compensation_failures"), nullptr);
  run.verify();
}

TEST(AdriftCompensation, W10_WhatACalledWorkflowCouldNotUndoStaysNamedByTheErrorOfItsCaller) {
  TestRun run("do: [{" + booking("z") + "}, {c: {call: charge}}]");
  run.succeed("z");
  auto problem = make_error("communication", 503, "Busy", "Not undone: /do/0/a");
  problem.set("compensation_failures", Value::array({Value::object({{"task", "/do/0/a"}, {"error", Value::object({{"status", 500}})}})}));
  run.apply(EffectFailed{run.pending_effect("c").effect, problem, {}});
  run.succeed("compensate z");
  ASSERT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.machine().error().get("compensation_failures"), problem.get("compensation_failures"));
  run.verify();
}

TEST(AdriftCompensation, W10_OfOneRoundIsNotToldByTheErrorOfAnother) {
  TestRun run("do: [{l: {for: {in: '[range(2)]'}, do: [{" + again("{" + booking("a") + "}", ", do: [{k: {set: {caught: true}}}]") +
              "}]}}]");
  run.succeed("a");
  run.fail("c");
  run.fail("compensate a");
  run.succeed("a");
  run.succeed("c");
  for (int attempt = 1; attempt <= 3; ++attempt) {
    run.succeed("a");
    run.fail("c");
    run.fail("compensate a");
  }
  ASSERT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.machine().error().get("compensation_failures").size(), 1U) << "those of the second round were caught with their failures";
  EXPECT_EQ(json::to_text(run.machine().error().get("compensation_failures").at(0).get("iteration")), "[0]");
  run.verify();
}

/// Whatever fails and whenever: a run that completes has undone every attempt but the last, and one that does not names what it has not.
TEST(AdriftCompensation, W10_NothingOfAnyAttemptIsLeftWithoutAWord) {
  constexpr std::size_t kRounds = 3;
  const auto plan = plan_of("do: [{l: {for: {in: '[range(3)]'}, metadata: {concurrency: 2}, do: [{" +
                            again("{" + booking("a") + "}, {" + booking("b") + "}") + "}]}}]");
  std::uint64_t state = 1;
  const auto roll = [&](std::size_t sides) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>(state >> 33U) % sides;
  };
  std::size_t untold = 0;
  std::size_t completed = 0;
  for (int order = 0; order < 300; ++order) {
    SCOPED_TRACE(order);
    TestRun run(plan, Value::object());
    run.checks = order % 2 == 0 ? testing::Checks::keys : testing::Checks::reload;
    for (int ends = 0; ends < 20 && run.phase() != Phase::completed; ++ends) {
      while (!is_final(run.phase())) {
        const auto pending = run.machine().pending_effects();
        ASSERT_FALSE(pending.empty());
        const auto& effect = pending[roll(pending.size())];
        const auto& name = run.machine().plan().task(effect.step.task).name;
        const bool fails = name == "c" ? roll(10) < 3 : name.starts_with("compensate") && roll(10) < 4;
        if (fails) {
          run.apply(EffectFailed{effect.effect, make_error("communication", 503, "Down", name), {}});
        } else {
          run.succeed(effect.effect, Value(name));
        }
      }
      std::size_t done = 0;
      std::size_t undone = 0;
      for (const auto& record : run.machine().records()) {
        const auto& task = run.machine().plan().task(record.task);
        if (record.status != TaskStatus::completed) continue;
        done += task.compensation.tasks.empty() ? 0 : 1;
        undone += task.reference.ends_with("/metadata/compensate") ? 1 : 0;
      }
      const auto& failures = run.machine().error().get("compensation_failures");
      const bool main_completed = run.phase() == Phase::completed || run.error("title") == "Not undone";
      EXPECT_EQ(done - undone, (failures.is_array() ? failures.size() : 0) + (main_completed ? 2 * kRounds : 0)) << run.history();
      untold += run.error("title") == "Not undone" ? 1 : 0;
      if (HasFailure() || !run.machine().has_undone()) break;  // a retry would go on with the main part
      run.apply(RetryRequested{});
    }
    completed += run.phase() == Phase::completed ? 1 : 0;
    run.verify();
    if (HasFailure()) return;
  }
  EXPECT_GT(untold, 20U);
  EXPECT_GT(completed, 40U);
}

/// A run under the rules of an earlier version.
struct EarlierRun {
  EarlierRun(const std::string& body, std::uint32_t rules) : plan(plan_of(body)), machine(plan, testing::test_info()) {
    apply(RunStarted{Value::object(), rules});
  }
  void apply(decltype(Event::body) body) { machine.apply({TimePoint{Millis(1'760'000'000'000)}, std::move(body)}, actions); }
  void answer(std::string_view name, bool fails) {
    for (const auto& effect : machine.pending_effects()) {
      if (plan->task(effect.step.task).name != name) continue;
      if (fails) return apply(EffectFailed{effect.effect, make_error("communication", 503, "Down", {}), {}});
      return apply(EffectSucceeded{effect.effect, Value(1), {}});
    }
    ADD_FAILURE() << name;
  }
  dsl::PlanPtr plan;
  Machine machine;
  std::vector<Action> actions;
};

TEST(AdriftCompensation, W10_OfAnAttemptUnderEarlierRulesEndsAsItDid) {
  for (const std::uint32_t rules : {0U, 1U, 2U, 3U}) {
    EarlierRun run("do: [{" + again("{" + booking("a") + "}") + "}]", rules);
    run.answer("a", false);
    run.answer("c", true);
    run.answer("compensate a", true);
    run.answer("a", false);
    run.answer("c", false);
    EXPECT_EQ(run.machine.phase(), rules < 3 ? Phase::completed : Phase::faulted) << rules;
  }
}

/// A run keeps the rules that it began with.
TEST(AdriftCompensation, W10_OfARunUnderEarlierRulesEndsAsItDid) {
  for (const std::uint32_t rules : {0U, 1U}) {
    EarlierRun run(kBeside, rules);
    auto& machine = run.machine;
    const auto apply = [&](decltype(Event::body) body) { run.apply(std::move(body)); };
    const auto answer = [&](std::string_view name, bool fails) { run.answer(name, fails); };
    answer("a", false);
    answer("c", true);
    apply(TimerFired{machine.pending_timers().at(0).timer});
    answer("compensate a", true);
    answer("k", false);
    EXPECT_EQ(machine.phase(), Phase::completed);
    EXPECT_EQ(machine.snapshot().get("rules"), rules == 0 ? Value() : Value(rules));
  }
}

}  // namespace
}  // namespace pawl::engine
