// Compensations: what a run that faulted or was cancelled undoes.
#include <gmock/gmock.h>

#include "engine/machine/detail/test_wind_up.hpp"

namespace pawl::engine {
namespace {

using json::Value;
using testing::arguments;
using testing::booking;
using testing::kBookings;
using testing::parsed;
using testing::TestRun;
using testing::with_finally;

TEST(Compensation, W10_OfAFaultedRunUndoesWhatFinishedNewestFirst) {
  TestRun run(kBookings, R"({"order": 7})");
  run.succeed("a", "11");
  run.succeed("b", "22");
  run.fail("c");
  EXPECT_EQ(run.phase(), Phase::running);
  EXPECT_THAT(run.pending(), ::testing::ElementsAre("compensate b")) << "one after the other";
  EXPECT_EQ(arguments(run, "compensate b"), R"({"undo":"b","id":22,"input":11,"why":"Failed","how":"faulted"})");
  EXPECT_TRUE(run.machine().error().is_null()) << "it has not ended";
  run.succeed("compensate b");
  EXPECT_EQ(arguments(run, "compensate a"), R"({"undo":"a","id":11,"input":{"order":7},"why":"Failed","how":"faulted"})");
  run.succeed("compensate a");
  EXPECT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.error("instance"), "/do/2/c");
  EXPECT_EQ(run.history(), "a:completed b:completed c:faulted compensate b:completed compensate a:completed");
  run.verify();
}

TEST(Compensation, W10_OfACompletedRunIsNone) {
  TestRun run(kBookings);
  for (const auto* name : {"a", "b", "c"}) run.succeed(name, "1");
  EXPECT_EQ(run.output(), "1");
  EXPECT_EQ(run.history(), "a:completed b:completed c:completed");
}

TEST(Compensation, W10_OfACancelledRunLeavesAloneWhatWasUnderWay) {
  TestRun run(kBookings);
  run.succeed("a", "11");
  run.apply(SuspendRequested{});
  run.apply(CancelRequested{"enough"});
  EXPECT_EQ(run.count<CancelEffect>(), 1U) << "b";
  EXPECT_EQ(arguments(run, "compensate a"), R"({"undo":"a","id":11,"input":{},"why":"Cancelled","how":"cancelled"})");
  run.succeed("compensate a");
  EXPECT_EQ(run.phase(), Phase::cancelled);
  EXPECT_EQ(run.error("detail"), "enough");
  EXPECT_EQ(run.history(), "a:completed b:cancelled compensate a:completed");
}

TEST(Compensation, W10_WhatWasAnsweredWhileTheRunWasSuspendedIsUndoneToo) {
  TestRun run(kBookings);
  run.succeed("a", "11");
  run.apply(SuspendRequested{});
  run.succeed("b", "22");
  run.apply(CancelRequested{"enough"});
  EXPECT_EQ(arguments(run, "compensate b"), R"({"undo":"b","id":22,"input":11,"why":"Cancelled","how":"cancelled"})");
  run.succeed("compensate b");
  run.succeed("compensate a");
  EXPECT_EQ(run.phase(), Phase::cancelled);
  EXPECT_TRUE(run.pending().empty()) << "what would have followed does not begin";
  run.verify();
}

TEST(Compensation, W10_AlsoOfARunThatIsOutOfTimeOrWhoseOutputIsWrong) {
  TestRun slow("timeout: {after: {seconds: 5}}\n" + kBookings);
  slow.succeed("a");
  slow.fire();
  EXPECT_THAT(slow.pending(), ::testing::ElementsAre("compensate a"));
  EXPECT_TRUE(slow.machine().pending_timers().empty()) << "the limit is of the main part";
  slow.succeed("compensate a");
  EXPECT_EQ(slow.error_kind(), "timeout");
  TestRun wrong("output: {schema: {document: {type: object}}}\ndo: [{" + booking("a") + "}]");
  wrong.succeed("a", "1");
  wrong.succeed("compensate a");
  EXPECT_EQ(wrong.error("instance"), "/output");
}

TEST(Compensation, W10_ThatFailsIsNamedAndTheOthersStillRun) {
  TestRun run("do: [{" + booking("a") + "}, {" + booking("b") +
              "}, {l: {call: fetch, metadata: {compensate: {try: [{again: {call: fetch}}], catch: {retry: {delay: {seconds: 1}, "
              "limit: {attempt: {count: 1}}}}}}}}, {c: {call: charge}}]");
  for (const auto* name : {"a", "b", "l"}) run.succeed(name, "1");
  run.fail("c");
  run.fail("again");
  run.fire();
  run.fail("again", 503);
  run.fail("compensate b", 409);
  run.succeed("compensate a");
  EXPECT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.error("instance"), "/do/3/c") << "the run's error stays the first";
  EXPECT_EQ(run.error("detail"), "Not undone: /do/1/b /do/2/l");
  const auto& failures = run.machine().error().get("compensation_failures");
  ASSERT_EQ(failures.size(), 2U);
  EXPECT_EQ(failures.at(0).get("error").get("instance"), Value("/do/1/b/metadata/compensate"));
  EXPECT_EQ(failures.at(1).get("error").get("instance"), Value("/do/2/l/metadata/compensate/try/0/again"));
  EXPECT_EQ(run.history(),
            "a:completed b:completed l:completed c:faulted "
            "compensate l:faulted#2 again:faulted again:faulted#2 compensate b:faulted compensate a:completed");
  run.verify();
}

TEST(Compensation, W10_ARetryRunsTheFailedOnesAgainAndNothingElse) {
  TestRun run(kBookings);
  run.succeed("a", "11");
  run.succeed("b", "22");
  run.fail("c");
  run.fail("compensate b");
  run.succeed("compensate a");
  ASSERT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.machine().check_retry({"/do/2/c", {}}).error().code, "run.not_retryable_from");
  EXPECT_EQ(run.machine().check_retry({"", Value(1)}).error().code, "run.not_retryable_from");
  run.apply(RetryRequested{});
  EXPECT_EQ(arguments(run, "compensate b"), R"({"undo":"b","id":22,"input":11,"why":"Failed","how":"faulted"})");
  EXPECT_EQ(run.pending_effect("compensate b").step.attempt, 2U);
  run.succeed("compensate b");
  EXPECT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.error("detail"), "null");
  EXPECT_EQ(run.history(), "a:completed b:completed c:faulted compensate b:faulted compensate a:completed compensate b:completed#2");
  EXPECT_EQ(run.machine().check_retry({}).error().code, "run.not_retryable") << "everything is undone";
  run.verify();
}

TEST(Compensation, W10_OfARunWithoutFinishedTasksLeavesItRetryable) {
  TestRun run("do: [{" + booking("a") + "}]");
  run.fail("a");
  EXPECT_EQ(run.phase(), Phase::faulted);
  run.apply(RetryRequested{});
  run.succeed("a", "1");
  EXPECT_EQ(run.output(), "1");
}

TEST(Compensation, W10_ReachesIntoLoopsBranchesFunctionsAndGraphs) {
  TestRun loop(R"(do: [{l: {for: {each: n, in: '[5, 6]'}, do: [{x: {call: fetch, export: {as: '{ last: $n }'},
    metadata: {compensate: {call: fetch, with: {n: '${ $n }', at: '${ $index }', context: '${ $context }', id: '${ . }'}}}}}]}},
    {c: {call: charge}}])");
  loop.succeed("x", "50");
  loop.succeed("x", "60");
  loop.fail("c");
  EXPECT_EQ(arguments(loop, "compensate x"), R"({"n":6,"at":1,"context":{"last":6},"id":60})");
  EXPECT_EQ(loop.pending_effect("compensate x").step.iteration, std::vector<std::uint32_t>{1});
  loop.succeed("compensate x");
  EXPECT_EQ(arguments(loop, "compensate x"), R"({"n":5,"at":0,"context":{"last":5},"id":50})");
  loop.succeed("compensate x");
  EXPECT_EQ(loop.phase(), Phase::faulted);
  EXPECT_EQ(loop.history(), "l:completed x[0]:completed x[1]:completed c:faulted compensate x[1]:completed compensate x[0]:completed");

  TestRun fork("do: [{f: {fork: {branches: [{" + booking("a") + "}, {" + booking("b") + "}, {c: {call: charge}}]}}}]");
  fork.succeed("b", "2");
  fork.succeed("a", "1");
  fork.fail("c");
  EXPECT_THAT(fork.pending(), ::testing::ElementsAre("compensate a")) << "in the order of completion, not of the document";
  fork.succeed("compensate a");
  fork.succeed("compensate b");
  EXPECT_EQ(fork.phase(), Phase::faulted);

  TestRun function(
      "use: {functions: {book: {call: fetch, metadata: {compensate: {call: fetch, with: {undo: '${ $task.input }'}}}}}}\n"
      "do: [{a: {call: book, with: {x: 1}}}, {c: {call: charge}}]");
  function.succeed("book");
  function.fail("c");
  EXPECT_EQ(arguments(function, "compensate book"), R"({"undo":{"x":1}})");
  function.succeed("compensate book");
  EXPECT_EQ(function.phase(), Phase::faulted);

  TestRun graph(
      "name: list\ntasks: [{id: a, type: fetch, metadata: {compensate: {type: fetch, params: {was: '${ $task.output }'}}}}, "
      "{id: b, type: fetch, depends_on: [a]}]");
  graph.succeed("a", "1");
  graph.fail("b");
  EXPECT_EQ(arguments(graph, "compensate a"), R"({"was":1})");
  graph.succeed("compensate a");
  EXPECT_EQ(graph.history(), "a:completed b:faulted compensate a:completed");
}

TEST(Compensation, W10_OfATaskThatHoldsOthersComesBeforeTheirs) {
  TestRun run("do: [{g: {do: [{" + booking("a") +
              "}], metadata: {compensate: {do: [{x: {call: fetch}}, {y: {call: fetch, then: end}}, "
              "{z: {call: fetch}}]}}}}, {c: {call: charge}}]");
  run.succeed("a");
  run.fail("c");
  run.succeed("x");
  run.succeed("y");
  EXPECT_THAT(run.pending(), ::testing::ElementsAre("compensate a")) << "`end` ends what it stands in";
  run.succeed("compensate a");
  EXPECT_EQ(run.phase(), Phase::faulted);
}

TEST(Compensation, W10_WhatFinishedTwiceIsUndoneTwiceUnderKeysOfItsOwn) {
  TestRun run("do: [{" + booking("a") + "}, {s: {switch: [{again: {when: '. < 2', then: a}}, {on: {then: c}}]}}, {c: {call: charge}}]");
  run.succeed("a", "1");
  run.succeed("a", "2");
  run.fail("c");
  EXPECT_EQ(run.pending_effect("compensate a").step.attempt, 1U);
  EXPECT_THAT(arguments(run, "compensate a"), ::testing::HasSubstr(R"("id":2)"));
  run.succeed("compensate a");
  EXPECT_EQ(run.pending_effect("compensate a").step.attempt, 2U);
  EXPECT_THAT(arguments(run, "compensate a"), ::testing::HasSubstr(R"("id":1)"));
  run.succeed("compensate a");
  EXPECT_EQ(run.phase(), Phase::faulted);
}

TEST(Compensation, W10_ACaughtErrorUndoesNothingByItself) {
  TestRun run("do: [{t: {try: [{" + booking("a") + "}, {b: {call: fetch}}], catch: {do: [{k: {call: fetch}}]}}}, {c: {call: charge}}]");
  run.succeed("a");
  run.fail("b");
  EXPECT_THAT(run.pending(), ::testing::ElementsAre("k"));
  run.succeed("k");
  run.fail("c");
  EXPECT_THAT(run.pending(), ::testing::ElementsAre("compensate a")) << "the run as a whole does";
  run.succeed("compensate a");
  EXPECT_EQ(run.phase(), Phase::faulted);
}

TEST(Compensation, W10_ATryThatSaysSoUndoesAFailedAttemptBeforeAnythingElse) {
  const auto body = "do: [{" + booking("o") + "}, {t: {try: [{" + booking("a") + "}, {b: {call: fetch}}], metadata: {compensate: true}, " +
                    "catch: {as: e, retry: {delay: {seconds: 1}, limit: {attempt: {count: 1}}}, do: [{k: {set: {e: '${ $e }'}}}]}}}]";
  TestRun run(body);
  run.succeed("o");
  run.succeed("a", "1");
  run.fail("b");
  EXPECT_THAT(run.pending(), ::testing::ElementsAre("compensate a"));
  EXPECT_THAT(arguments(run, "compensate a"), ::testing::HasSubstr(R"("why":"Failed","how":"faulted")"));
  run.succeed("compensate a");
  run.fire();
  run.succeed("a", "2");
  run.fail("b", 503);
  run.fail("compensate a");
  EXPECT_EQ(run.phase(), Phase::completed) << "caught; what stood before the `try` stays";
  const auto& problem = run.machine().output().get("e");
  EXPECT_EQ(problem.get("status"), Value(503));
  EXPECT_EQ(problem.get("compensation_failures").at(0).get("task"), Value("/do/1/t/try/0/a"));
  run.verify();
}

TEST(Compensation, W10_OneThatATryHasBegunGoesOnWhenTheRunEnds) {
  const auto body = "timeout: {after: {hours: 1}}\ndo: [{t: {try: [{" + booking("a") + "}, {" + booking("b") +
                    "}, {c: {call: fetch}}], metadata: {compensate: true}, catch: {}}}]";
  const std::pair<std::string_view, std::function<void(TestRun&)>> ends[] = {
      {"cancelled", [](TestRun& run) { run.apply(CancelRequested{}); }},
      {"out of time", [](TestRun& run) { run.fire(); }},
      {"cancelled while suspended",
       [](TestRun& run) {
         run.apply(SuspendRequested{});
         run.apply(CancelRequested{});
       }},
  };
  for (const auto& [name, end] : ends) {
    SCOPED_TRACE(name);
    TestRun run(body);
    run.succeed("a");
    run.succeed("b");
    run.fail("c");
    const auto begun = run.pending_effect("compensate b");
    end(run);
    EXPECT_EQ(run.count<CancelEffect>(), 0U) << "it is not broken off";
    ASSERT_THAT(run.pending(), ::testing::ElementsAre("compensate b")) << "nor begun once more, and the next waits";
    EXPECT_EQ(run.pending_effect("compensate b").effect, begun.effect);
    run.succeed("compensate b");
    EXPECT_EQ(run.pending_effect("compensate a").step.attempt, 1U);
    run.succeed("compensate a");
    EXPECT_TRUE(is_final(run.phase()));
    EXPECT_EQ(run.history(), "t:cancelled a:completed b:completed c:faulted compensate b:completed compensate a:completed");
    run.verify();
  }
}

TEST(Compensation, W10_WhatWasAnsweredOfItWhileTheRunWasSuspendedIsKnownToItsEnd) {
  TestRun run("do: [{t: {try: [{" + booking("a") + "}, {c: {call: fetch}}], metadata: {compensate: true}, catch: {}}}]");
  run.succeed("a");
  run.fail("c");
  run.apply(SuspendRequested{});
  run.succeed("compensate a");
  run.apply(CancelRequested{});
  EXPECT_EQ(run.phase(), Phase::cancelled);
  EXPECT_TRUE(run.pending().empty());
  EXPECT_EQ(run.machine().check_retry({}).error().code, "run.not_retryable") << "everything is undone";
  run.verify();
}

TEST(Compensation, W10_OneThatHasBegunOutlivesALimitOfTimeAroundItsTry) {
  const std::string inner = "try: [{" + booking("a") + "}, {c: {call: fetch}}], metadata: {compensate: true}, catch: {}";
  // A `try` further out that undoes waits for it, and does not begin it again.
  TestRun outer("do: [{o: {try: [{" + booking("f") + "}, {t: {" + inner +
                ", timeout: {after: {seconds: 5}}}}], metadata: {compensate: true}, catch: {do: [{k: {call: fetch}}]}}}]");
  outer.succeed("f");
  outer.succeed("a");
  outer.fail("c");
  outer.fire();
  EXPECT_THAT(outer.pending(), ::testing::ElementsAre("compensate a"));
  outer.succeed("compensate a");
  EXPECT_THAT(outer.pending(), ::testing::ElementsAre("compensate f"));
  outer.succeed("compensate f");
  EXPECT_THAT(outer.pending(), ::testing::ElementsAre("k"));
  outer.succeed("k", "1");
  EXPECT_EQ(outer.output(), "1");
  outer.verify();
  // One that does not goes on beside it; the run ends after both.
  TestRun beside("do: [{o: {try: [{t: {" + inner + ", timeout: {after: {seconds: 5}}}}], catch: {do: [{k: {call: fetch}}]}}}]");
  beside.succeed("a");
  beside.fail("c");
  const auto why = arguments(beside, "compensate a");
  beside.fire();
  EXPECT_THAT(beside.pending(), ::testing::UnorderedElementsAre("compensate a", "k"));
  beside.succeed("k", "1");
  EXPECT_EQ(beside.phase(), Phase::running);
  EXPECT_EQ(arguments(beside, "compensate a"), why);
  beside.succeed("compensate a");
  EXPECT_EQ(beside.output(), "1");
  beside.verify();
  // Where everything around fails, too, the run takes it over.
  TestRun alone("do: [{t: {" + inner + ", timeout: {after: {seconds: 5}}}}]");
  alone.succeed("a");
  alone.fail("c");
  alone.fire();
  alone.succeed("compensate a");
  EXPECT_EQ(alone.error_kind(), "timeout");
  EXPECT_EQ(alone.history(), "t:faulted a:completed c:faulted compensate a:completed");
}

TEST(Compensation, W10_SeveralThatHaveBegunInBranchesAllGoOn) {
  const auto branch = [](const std::string& name) {
    return "{t" + name + ": {try: [{" + booking(name) + "}, {c" + name + ": {call: fetch}}], metadata: {compensate: true}, catch: {}}}";
  };
  const auto begun = [&](TestRun& run) {
    for (const auto* name : {"a", "b"}) run.succeed(name);
    for (const auto* name : {"ca", "cb"}) run.fail(name);
    EXPECT_THAT(run.pending(), ::testing::ElementsAre("x", "compensate a", "compensate b"));
  };
  const auto body = "do: [{f: {fork: {branches: [" + branch("a") + ", " + branch("b") + ", {x: {call: charge}}]}}}]";
  TestRun run(body);
  begun(run);
  run.fail("x");
  EXPECT_THAT(run.pending(), ::testing::ElementsAre("compensate a", "compensate b"));
  run.succeed("compensate a");
  run.fail("compensate b");
  EXPECT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.error("detail"), "Not undone: /do/0/f/fork/branches/1/tb/try/0/b");
  run.verify();

  TestRun stopped(body);
  begun(stopped);
  stopped.apply(CancelRequested{});
  EXPECT_THAT(stopped.pending(), ::testing::ElementsAre("compensate a", "compensate b"));
  stopped.apply(SuspendRequested{});
  stopped.apply(CancelRequested{});
  EXPECT_EQ(stopped.phase(), Phase::cancelled) << "broken off";
  EXPECT_EQ(stopped.machine().error().get("cause").get("compensation_failures").size(), 2U);
  stopped.apply(RetryRequested{});
  stopped.succeed("compensate b");
  stopped.succeed("compensate a");
  EXPECT_EQ(stopped.phase(), Phase::cancelled);
  stopped.verify();

  TestRun over("do: [{f: {fork: {branches: [" + branch("a") + ", {x: {call: fetch, then: end}}]}}}, {y: {call: fetch}}]");
  over.succeed("a");
  over.fail("ca");
  over.succeed("x", "7");
  EXPECT_THAT(over.pending(), ::testing::ElementsAre("compensate a")) << "a run that completes waits for it as well";
  over.apply(CancelRequested{});
  over.succeed("compensate a");
  EXPECT_EQ(over.output(), "7");
  over.verify();
}

TEST(Compensation, W10_NoCancelBreaksItOffButOfASuspendedRunAndARetryGoesOn) {
  auto plan = with_finally("[{f: {call: fetch}}]", kBookings);
  TestRun run(plan, Value::object());
  run.succeed("a");
  run.succeed("b");
  run.fail("c");
  for (const auto* reason : {"replaced", "replaced again", "what is it doing?"}) {
    run.apply(CancelRequested{reason});
    EXPECT_THAT(run.pending(), ::testing::ElementsAre("compensate b")) << "it was ending already";
    EXPECT_EQ(run.phase(), Phase::running);
  }
  run.apply(SuspendRequested{});
  run.apply(CancelRequested{"a newer run", false});
  EXPECT_EQ(run.phase(), Phase::suspended) << "nobody asked for that by hand";
  run.apply(CancelRequested{"stop"});
  EXPECT_EQ(run.phase(), Phase::cancelled);
  EXPECT_EQ(run.error("detail"), "stop");
  EXPECT_EQ(run.machine().error().get("cause").get("instance"), Value("/do/2/c"));
  EXPECT_EQ(run.machine().error().get("cause").get("compensation_failures").size(), 1U);
  run.apply(RetryRequested{});
  run.succeed("compensate b");
  run.succeed("compensate a");
  EXPECT_THAT(run.pending(), ::testing::ElementsAre("f")) << "it had not run";
  run.succeed("f");
  EXPECT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.error("instance"), "/do/2/c");
  run.verify();
}

TEST(Compensation, W10_AFunctionThatCanBeUndoneIsNotWhereItUndoes) {
  TestRun run(
      "use: {functions: {book: {call: fetch, metadata: {compensate: {call: fetch}}}}}\n"
      "do: [{a: {call: fetch, metadata: {compensate: {call: book}}}}, {c: {call: charge}}]");
  run.succeed("a");
  run.fail("c");
  run.succeed("book");
  EXPECT_EQ(run.phase(), Phase::faulted);
}

TEST(Compensation, W10_AForkUndoesOnlyWhatItHasDoneItself) {
  TestRun run(kBookings);
  run.succeed("a", "1");
  run.succeed("b", "2");
  Machine fork(run.plan(), testing::test_info());
  std::vector<Action> actions;
  fork.apply({run.now(), RetryRequested{"/do/1/b", {}}}, actions);
  for (const auto& event : run.events()) {
    fork.apply(event, actions);
    if (is_final(fork.phase())) break;
  }
  fork.apply({run.now(), RetryRequested{"/do/1/b", {}}}, actions);
  const auto answer = [&](bool ok) {
    const auto effect = fork.pending_effects().at(0);
    if (ok) return fork.apply({run.now(), EffectSucceeded{effect.effect, Value(3), {}}}, actions);
    fork.apply({run.now(), EffectFailed{effect.effect, make_error("communication", 500, "Failed", {}), {}}}, actions);
  };
  answer(true);
  answer(false);
  ASSERT_EQ(fork.pending_effects().size(), 1U);
  EXPECT_EQ(fork.plan().task(fork.pending_effects()[0].step.task).name, "compensate b");
  answer(true);
  EXPECT_EQ(fork.phase(), Phase::faulted);
}

TEST(Compensation, W10_HasABound) {
  TestRun run("do: [{l: {for: {in: '[range(5)]'}, do: [{x: {call: fetch, metadata: {compensate: {call: fetch}}}}]}}]", "{}",
              {.max_undoable = 2});
  run.succeed("x");
  run.succeed("x");
  EXPECT_THAT(run.pending(), ::testing::ElementsAre("compensate x")) << "the third did not start";
  run.succeed("compensate x");
  run.succeed("compensate x");
  EXPECT_EQ(run.error("title"), "Too many tasks to undo");
}

TEST(Compensation, W10_WhatAnExtensionEndedBeforeItDidAnythingIsNotUndone) {
  for (const auto* flow : {"exit", "end"}) {
    for (const bool wanted : {true, false}) {
      SCOPED_TRACE(flow);
      TestRun run("use: {extensions: [{e: {extend: call, when: '${ $task.name == \"a\" }', before: [{s: {set: {x: 1}, if: '${ " +
                  std::string(wanted ? "true" : "false") + " }', then: " + flow + "}}]}}]}\n" +
                  "output: {schema: {document: {type: string}}}\ndo: [{" + booking("a") + "}, {c: {set: {y: 2}}}]");
      if (!wanted && run.pending().size() == 1) run.succeed("a", "1");
      EXPECT_EQ(run.pending().size(), wanted ? 0U : 1U) << "compensate a";
      if (!wanted) run.succeed("compensate a");
      EXPECT_EQ(run.phase(), Phase::faulted) << "the output is no text";
    }
  }
}

TEST(Compensation, W10_WhatIsKeptForItHasABound) {
  const auto plan =
      testing::plan_of("do: [{l: {for: {in: '[range(50)]'}, do: [{x: {call: fetch, metadata: {compensate: {call: fetch}}}}]}}]");
  Machine machine(plan, testing::test_info());
  std::vector<Action> actions;
  const Value large(std::string(std::size_t{30} << 20U, 'x'));
  machine.apply({TimePoint{Millis(1)}, RunStarted{Value::object()}}, actions);
  int done = 0;
  while (machine.plan().task(machine.pending_effects().at(0).step.task).name == "x") {
    machine.apply({TimePoint{Millis(1)}, EffectSucceeded{machine.pending_effects()[0].effect, large, {}}}, actions);
    ++done;
  }
  EXPECT_LT(done, 10);
  while (!is_final(machine.phase()))
    machine.apply({TimePoint{Millis(1)}, EffectSucceeded{machine.pending_effects().at(0).effect, Value(1), {}}}, actions);
  EXPECT_EQ(machine.error().get("title"), Value("Too much to undo"));
  EXPECT_EQ(machine.error().get("instance"), Value("/do/0/l/do/0/x"));
}

// ---- snapshots ----------------------------------------------------------------------------------------------------------------

TEST(WindUpSnapshot, ADamagedOneIsRefused) {
  TestRun run(kBookings);
  run.succeed("a");
  run.apply(CancelRequested{});
  const auto damaged = [&](const std::string& what, const std::string& with) {
    auto text = run.snapshot();
    const auto at = text.find(what);
    EXPECT_NE(at, std::string::npos) << text;
    if (at != std::string::npos) text.replace(at, what.size(), with);
    return Machine::restore(run.plan(), testing::test_info(), parsed(text)).has_error();
  };
  EXPECT_FALSE(damaged(R"("undid":true)", R"("undid":true)"));
  EXPECT_TRUE(damaged(R"("finished":[{)", R"("finished":[{"x":1,"task":9},{)"));
  EXPECT_TRUE(damaged(R"("role":5)", R"("role":6)")) << "the document has no `finally`";
  EXPECT_TRUE(damaged(R"("role":5)", R"("role":5,"number":3)"));
}

}  // namespace
}  // namespace pawl::engine
