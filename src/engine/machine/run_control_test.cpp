// Cancel, suspend, resume, retry; answers that come late.
#include "engine/machine/detail/test_run.hpp"

namespace pawl::engine {
namespace {

using testing::TestRun;
using namespace std::chrono_literals;

TEST(Cancel, EndsTheRunAndEverythingPending) {
  TestRun run(
      "do: [{f: {fork: {branches: [{a: {call: fetch}}, {b: {wait: {seconds: 5}}}, {c: {listen: {to: {one: {with: {type: x}}}}}}]}}}]");
  run.apply(CancelRequested{"not needed"});
  EXPECT_EQ(run.phase(), Phase::cancelled);
  EXPECT_EQ(run.error("detail"), "not needed");
  EXPECT_EQ(run.count<CancelEffect>(), 1U);
  EXPECT_EQ(run.count<CancelTimer>(), 1U);
  EXPECT_EQ(run.count<ListenChanged>(), 1U);
  EXPECT_EQ(run.history(), "f:cancelled a:cancelled b:cancelled c:cancelled");
  EXPECT_EQ(std::get<PhaseChanged>(run.actions().back()).phase, Phase::cancelled);
  run.verify();
}

TEST(Final, NothingHappensAfterwards) {
  TestRun run("do: [{a: {call: fetch}}]");
  run.succeed("a", "1");
  const auto before = run.snapshot();
  run.apply(EffectSucceeded{1, json::Value(2), {}});
  run.apply(TimerFired{1});
  run.apply(CancelRequested{"late"});
  run.apply(RetryRequested{});
  run.apply(SuspendRequested{});
  run.apply(RunStarted{json::Value(5)});
  EXPECT_TRUE(run.actions().empty());
  EXPECT_EQ(run.snapshot(), before);
}

TEST(Suspend, RecordsWhatArrivesAndStartsNothingUntilResumed) {
  TestRun run(R"(
do:
  - f:
      fork:
        branches:
          - a: {do: [{a1: {call: fetch}}, {a2: {call: fetch}}]}
          - b: {do: [{b1: {wait: {seconds: 5}}}, {b2: {call: fetch}}]}
          - c: {do: [{c1: {listen: {to: {one: {with: {type: x}}}}}}, {c2: {call: fetch}}]}
)");
  run.apply(SuspendRequested{});
  EXPECT_EQ(run.phase(), Phase::suspended);
  EXPECT_EQ(run.machine().waiting_reason(), "suspended by request");
  run.succeed("a1", "1");
  run.fire();
  run.message("x", "1");
  EXPECT_EQ(run.phase(), Phase::suspended);
  EXPECT_EQ(run.count<StartEffect>(), 0U);
  EXPECT_TRUE(run.machine().pending_effects().empty());
  run.reload();
  run.apply(ResumeRequested{});
  EXPECT_EQ(run.phase(), Phase::running);
  EXPECT_EQ(run.count<StartEffect>(), 3U);
  run.verify();
}

TEST(Suspend, ASuspendedRunCanBeCancelled) {
  TestRun run("do: [{a: {call: fetch}}]");
  run.apply(SuspendRequested{});
  run.apply(CancelRequested{""});
  EXPECT_EQ(run.phase(), Phase::cancelled);
}

TEST(RetryRun, StartsAgainAtTheTaskAtFault) {
  TestRun run(R"(
do:
  - a: {call: fetch, export: {as: '{ a: . }'}}
  - outer: {do: [{b: {call: charge}}, {c: {set: {c: '${ . }', context: '${ $context }'}}}]}
)");
  run.succeed("a", "1");
  run.fail("b", 503);
  EXPECT_EQ(run.phase(), Phase::faulted);
  run.reload();
  run.apply(RetryRequested{});
  EXPECT_EQ(run.phase(), Phase::running);
  EXPECT_EQ(run.pending_effect("b").step.attempt, 2U);
  EXPECT_EQ(json::to_text(run.pending_effect("b").input), "1");
  run.succeed("b", "2");
  EXPECT_EQ(run.output(), R"({"c":2,"context":{"a":1}})");
  EXPECT_EQ(run.history(), "a:completed outer:completed b:completed#2 c:completed#2");
  run.verify();
}

TEST(RetryRun, StartsAtANamedTaskWithTheInputItHadOrTheOneGiven) {
  const auto* body = R"(
do:
  - a: {call: fetch}
  - b: {call: fetch}
  - loop: {for: {each: n, in: '[1,2]'}, do: [{c: {call: fetch}}, {d: {call: fetch}}]}
)";
  const auto faulted = [&] {
    TestRun run(body, R"({"start":0})");
    run.succeed("a", "1");
    run.succeed("b", "2");
    run.succeed("c", "3");
    run.succeed("d", "4");
    run.succeed("c", "5");
    run.fail("d");
    EXPECT_EQ(run.phase(), Phase::faulted);
    return run;
  };
  auto same_round = faulted();
  same_round.apply(RetryRequested{"/do/2/loop/do/0/c", {}});
  EXPECT_EQ(json::to_text(same_round.pending_effect("c").input), "4");
  EXPECT_EQ(same_round.pending_effect("c").step.iteration, std::vector<std::uint32_t>{1});
  auto earlier = faulted();
  earlier.apply(RetryRequested{"/do/1/b", {}});
  EXPECT_EQ(json::to_text(earlier.pending_effect("b").input), "1");
  auto given = faulted();
  given.apply(RetryRequested{"/do/0/a", json::Value("other")});
  EXPECT_EQ(json::to_text(given.pending_effect("a").input), R"("other")");
  given.verify();
  auto unknown = faulted();
  EXPECT_EQ(unknown.machine().check_retry({"/do/9/x", {}}).error().code, "run.unknown_task");
  unknown.apply(RetryRequested{"/do/9/x", {}});
  EXPECT_EQ(unknown.phase(), Phase::faulted);
}

TEST(RetryRun, KeepsTheBranchesThatCompletedAndStartsTheOthersAgain) {
  TestRun run("do: [{f: {fork: {branches: [{a: {call: fetch}}, {b: {call: fetch}}, {c: {call: fetch}}]}}}]");
  run.succeed("a", "1");
  run.fail("b");
  run.apply(RetryRequested{});
  EXPECT_EQ(run.machine().pending_effects().size(), 2U);
  run.succeed("c", "3");
  run.succeed("b", "2");
  EXPECT_EQ(run.output(), "[1,2,3]");
  run.verify();
}

TEST(RetryRun, OfAGraphStartsTheFailedTasksAndThoseTheyBlocked) {
  TestRun run(R"(
name: list
tasks:
  - {id: ok, type: fetch}
  - {id: bad, type: fetch}
  - {id: next, type: fetch, depends_on: [bad, ok]}
)");
  run.succeed(1, json::Value(1));
  run.fail("bad");
  EXPECT_EQ(run.phase(), Phase::faulted);
  run.apply(RetryRequested{});
  EXPECT_EQ(run.pending(), std::vector<std::string>{"bad"});
  run.succeed("bad", "2");
  run.succeed("next", "3");
  EXPECT_EQ(run.output(), R"({"ok":1,"bad":2,"next":3})");
  run.verify();
}

TEST(RetryRun, OfACancelledRunGoesOnWhereItWas) {
  TestRun run("do: [{a: {call: fetch}}, {t: {do: [{b: {call: fetch}}]}}]");
  run.succeed("a", "1");
  run.apply(CancelRequested{"stop"});
  run.apply(RetryRequested{});
  EXPECT_EQ(json::to_text(run.pending_effect("b").input), "1");
  run.succeed("b", "2");
  EXPECT_EQ(run.output(), "2");
}

TEST(RetryRun, OfAnInvalidInputTakesTheNewOne) {
  TestRun run("input: {schema: {document: {type: object, required: [id]}}}\ndo: [{a: {set: {x: '${ .id }'}}}]");
  EXPECT_EQ(run.phase(), Phase::faulted);
  run.apply(RetryRequested{"", testing::parsed(R"({"id":1})")});
  EXPECT_EQ(run.output(), R"({"x":1})");
}

TEST(RetryRun, OfABadOutputOnlyMakesTheOutputAgain) {
  TestRun run("do: [{a: {call: fetch}}]\noutput: {schema: {document: {type: object}}}");
  run.succeed("a", "1");
  EXPECT_EQ(run.error("instance"), "/output");
  run.apply(RetryRequested{});
  EXPECT_EQ(run.phase(), Phase::faulted);
  EXPECT_TRUE(run.machine().pending_effects().empty());
  run.apply(RetryRequested{"/do/0/a", {}});
  run.succeed("a", "{}");
  EXPECT_EQ(run.output(), "{}");
}

TEST(Late, AnswersOfCancelledEffectsAreIgnored) {
  TestRun run("do: [{a: {call: fetch, timeout: {after: {seconds: 1}}}}]");
  run.fire();
  EXPECT_EQ(run.phase(), Phase::faulted);
  run.apply(EffectSucceeded{1, json::Value(1), {}});
  EXPECT_EQ(run.phase(), Phase::faulted);
}

TEST(Snapshot, ADamagedOneIsRefused) {
  TestRun run("do: [{f: {fork: {branches: [{a: {call: fetch}}, {b: {wait: {seconds: 1}}}]}}}]");
  const auto plan = testing::plan_of("do: [{a: {set: {x: 1}}}]");
  EXPECT_TRUE(Machine::restore(plan, testing::test_info(), testing::parsed(run.snapshot())).has_error()) << "another workflow";
  EXPECT_TRUE(Machine::restore(plan, testing::test_info(), json::Value(1)).has_error());
  EXPECT_TRUE(Machine::restore(plan, testing::test_info(), json::Value::object()).has_error());
  EXPECT_EQ(run.snapshot().find("s3cret"), std::string::npos);
}

}  // namespace
}  // namespace pawl::engine
