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

bool has_stopped(const Machine& machine) { return machine.error().get("title") == json::Value("Forked"); }

/// A fork of what `original` has done: its events into a new machine, until that stops.
Machine forked(const TestRun& original, const std::string& from) {
  Machine machine(original.plan(), testing::test_info());
  std::vector<Action> actions;
  machine.apply({original.events().front().at, RetryRequested{from, {}}}, actions);
  for (const auto& event : original.events()) {
    machine.apply(event, actions);
    if (has_stopped(machine)) break;
  }
  return machine;
}

std::string end_of(Machine& machine, const RetryRequested& request) {
  std::vector<Action> actions;
  if (const auto possible = machine.check_retry(request); possible.has_error()) return possible.error().code;
  machine.apply({machine.ended_at().value(), request}, actions);
  while (!machine.pending_effects().empty()) {
    const auto effect = machine.pending_effects().front();
    machine.apply({machine.started_at(), EffectSucceeded{effect.effect, json::Value::object({{"got", effect.input}}), {}}}, actions);
  }
  return json::to_text(machine.output());
}

TEST(ForkRun, W5_TakesOverWhatWasDoneBeforeTheTask) {
  TestRun run(R"(
do:
  - a: {call: fetch, export: {as: '{ a: . }'}}
  - b: {set: {b: '${ . }'}}
  - c: {call: charge}
  - d: {set: {c: '${ . }', context: '${ $context }'}}
)");
  run.succeed("a", "1");
  run.succeed("c", "2");
  EXPECT_EQ(run.phase(), Phase::completed);
  auto at_call = forked(run, "/do/2/c");
  EXPECT_EQ(end_of(at_call, {"/do/2/c", {}}), R"({"c":{"got":{"b":1}},"context":{"a":1}})");
  auto edited = forked(run, "/do/2/c");
  EXPECT_EQ(end_of(edited, {"/do/2/c", json::Value("other")}), R"({"c":{"got":"other"},"context":{"a":1}})");
  auto at_set = forked(run, "/do/1/b");
  EXPECT_EQ(end_of(at_set, {"/do/1/b", json::Value(7)}), R"({"c":{"got":{"b":7}},"context":{"a":1}})") << "between two events";
  auto first = forked(run, "/do/0/a");
  EXPECT_EQ(end_of(first, {"/do/0/a", {}}), R"({"c":{"got":{"b":{"got":{}}}},"context":{"a":{"got":{}}}})");
  EXPECT_FALSE(has_stopped(forked(run, "/do/9/x")));
}

TEST(ForkRun, W5_WorksInsideOfLoopsAndGraphsAndAfterFaults) {
  TestRun loop("do: [{l: {for: {each: n, in: '[1,2]'}, do: [{a: {call: fetch}}, {b: {call: fetch}}]}}]");
  for (const auto* name : {"a", "b", "a", "b"}) loop.succeed(name, "0");
  auto in_loop = forked(loop, "/do/0/l/do/1/b");
  EXPECT_EQ(end_of(in_loop, {"/do/0/l/do/1/b", json::Value(5)}), R"({"got":{"got":{"got":5}}})") << "the first round's";
  TestRun graph("name: list\ntasks: [{id: a, type: fetch}, {id: b, type: fetch, depends_on: [a]}]");
  graph.succeed("a", "1");
  graph.fail("b");
  auto in_graph = forked(graph, "/tasks/1");
  std::vector<Action> actions;
  ASSERT_TRUE(in_graph.check_retry({"/tasks/1", {}}).has_value());
  in_graph.apply({in_graph.ended_at().value(), RetryRequested{"/tasks/1", {}}}, actions);
  ASSERT_EQ(in_graph.pending_effects().size(), 1U);
  in_graph.apply({in_graph.started_at(), EffectSucceeded{in_graph.pending_effects()[0].effect, json::Value(2), {}}}, actions);
  EXPECT_EQ(json::to_text(in_graph.output()), R"({"a":1,"b":2})");
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
