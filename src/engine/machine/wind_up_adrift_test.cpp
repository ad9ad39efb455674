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

/// A run keeps the rules that it began with.
TEST(AdriftCompensation, W10_OfARunUnderEarlierRulesEndsAsItDid) {
  for (const std::uint32_t rules : {0U, 1U}) {
    const auto plan = plan_of(kBeside);
    Machine machine(plan, testing::test_info());
    std::vector<Action> actions;
    TimePoint now{Millis(1'760'000'000'000)};
    const auto apply = [&](decltype(Event::body) body) { machine.apply({now, std::move(body)}, actions); };
    const auto answer = [&](std::string_view name, bool fails) {
      for (const auto& effect : machine.pending_effects()) {
        if (plan->task(effect.step.task).name != name) continue;
        if (fails) return apply(EffectFailed{effect.effect, make_error("communication", 503, "Down", {}), {}});
        return apply(EffectSucceeded{effect.effect, Value(1), {}});
      }
      ADD_FAILURE() << name;
    };
    apply(RunStarted{Value::object(), rules});
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
