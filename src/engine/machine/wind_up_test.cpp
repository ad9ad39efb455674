// Compensations and `finally`: what a run does when its main part is over.
#include <gmock/gmock.h>

#include <map>

#include "engine/machine/detail/test_run.hpp"

namespace pawl::engine {
namespace {

using json::Value;
using testing::parsed;
using testing::TestRun;

/// Below the head of a document with this `finally`.
dsl::PlanPtr with_finally(const std::string& finally, const std::string& body) {
  const testing::TestCatalog catalog;
  auto compiled = dsl::compile(
      "document: {dsl: '1.0.3', namespace: tests, name: machine, version: '1.0.0', metadata: {finally: " + finally + "}}\n" + body,
      catalog);
  for (const auto& finding : compiled.findings) ADD_FAILURE() << finding.pointer << " " << finding.message;
  return compiled.value ? *compiled.value : nullptr;
}

/// A call that can be undone by one that is told what it gave.
std::string booking(const std::string& name, const std::string& more = "") {
  return name + ": {call: fetch, with: {book: " + name + "}, " + more + "metadata: {compensate: {call: fetch, with: {undo: " + name +
         ", id: '${ $task.output }', input: '${ $task.input }', why: '${ $error.title }', how: '${ $status }'}}}}";
}

const std::string kBookings = "do: [{" + booking("a") + "}, {" + booking("b") + "}, {c: {call: charge}}]";

std::string arguments(const TestRun& run, std::string_view name) { return json::to_text(run.pending_effect(name).arguments); }

// ---- compensation ----------------------------------------------------------------------------------------------------------------

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

TEST(Compensation, W10_AnAttemptThatIsBeingUndoneIsUndoneByTheRunWhenThatEnds) {
  TestRun run("do: [{t: {try: [{" + booking("a") + "}, {" + booking("b") +
              "}, {c: {call: fetch}}], metadata: {compensate: true}, catch: {}}}]");
  run.succeed("a");
  run.succeed("b");
  run.fail("c");
  run.succeed("compensate b");
  run.apply(CancelRequested{});
  EXPECT_THAT(run.pending(), ::testing::ElementsAre("compensate a"));
  EXPECT_EQ(run.pending_effect("compensate a").step.attempt, 2U) << "the first was broken off";
  run.succeed("compensate a");
  EXPECT_EQ(run.phase(), Phase::cancelled);
}

TEST(Compensation, W10_TheSecondCancelBreaksItOffAndARetryGoesOn) {
  auto plan = with_finally("[{f: {call: fetch}}]", kBookings);
  TestRun run(plan, Value::object());
  run.succeed("a");
  run.succeed("b");
  run.fail("c");
  run.apply(CancelRequested{"what is it doing?"});
  EXPECT_THAT(run.pending(), ::testing::ElementsAre("compensate b")) << "it was ending already";
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

// ---- finally -------------------------------------------------------------------------------------------------------------------

TEST(Finally, W10_RunsOnceAtEveryEndAndChangesNothingAboutIt) {
  const auto plan = with_finally(
      "[{f: {call: fetch, with: {how: '${ $status }', why: '${ $error.title }', context: '${ $context }', data: '${ . }', "
      "id: '${ $workflow.id | length }'}}}, {g: {set: {x: 1}}}]",
      "timeout: {after: {seconds: 9}}\ndo: [{a: {call: fetch, export: {as: '{ a: . }'}}}]");
  struct Case {
    std::string_view name;
    std::function<void(TestRun&)> end;
    Phase phase;
    std::string_view arguments;
  };
  const Case cases[] = {
      {"completed", [](TestRun& run) { run.succeed("a", "1"); }, Phase::completed,
       R"({"how":"completed","why":null,"context":{"a":1},"data":1,"id":36})"},
      {"faulted", [](TestRun& run) { run.fail("a"); }, Phase::faulted,
       R"({"how":"faulted","why":"Failed","context":{"in":1},"data":null,"id":36})"},
      {"cancelled", [](TestRun& run) { run.apply(CancelRequested{}); }, Phase::cancelled,
       R"({"how":"cancelled","why":"Cancelled","context":{"in":1},"data":null,"id":36})"},
      {"out of time", [](TestRun& run) { run.fire(); }, Phase::faulted,
       R"({"how":"faulted","why":"Timeout","context":{"in":1},"data":null,"id":36})"},
  };
  for (const auto& each : cases) {
    SCOPED_TRACE(each.name);
    TestRun run(plan, parsed(R"({"in":1})"));
    each.end(run);
    EXPECT_EQ(run.phase(), Phase::running);
    EXPECT_EQ(run.machine().waiting_reason(), "answer of fetch /document/metadata/finally/0/f");
    EXPECT_EQ(arguments(run, "f"), each.arguments);
    run.succeed("f", "7");
    EXPECT_EQ(run.phase(), each.phase);
    EXPECT_EQ(json::to_text(run.machine().output()), each.phase == Phase::completed ? "1" : "null");
    EXPECT_THAT(run.history(), ::testing::HasSubstr("f:completed g:completed"));
    run.verify();
  }
}

TEST(Finally, W10_ThatFailsMakesTheRunFaultWithTheFirstErrorAsItsCause) {
  const auto plan = with_finally("[{f: {call: fetch}}]", "do: [{a: {call: fetch}}]");
  TestRun fine(plan, Value::object());
  fine.succeed("a", "1");
  fine.fail("f", 503);
  EXPECT_EQ(fine.phase(), Phase::faulted);
  EXPECT_EQ(fine.error("instance"), "/document/metadata/finally/0/f");
  EXPECT_EQ(fine.machine().error().find("cause"), nullptr);
  fine.apply(RetryRequested{});
  EXPECT_THAT(fine.pending(), ::testing::ElementsAre("f")) << "only that is left to do";
  fine.succeed("f");
  EXPECT_EQ(fine.output(), "1");
  EXPECT_EQ(fine.history(), "a:completed f:completed#2");
  fine.verify();

  TestRun both(plan, Value::object());
  both.fail("a", 500);
  both.fail("f", 503);
  EXPECT_EQ(both.error("status"), "503");
  EXPECT_EQ(both.machine().error().get("cause").get("instance"), Value("/do/0/a"));
  both.apply(RetryRequested{});
  EXPECT_THAT(both.pending(), ::testing::ElementsAre("a")) << "the main part is what goes on";
  both.succeed("a", "2");
  EXPECT_EQ(both.pending_effect("f").step.attempt, 2U) << "it ends once more";
  both.succeed("f");
  EXPECT_EQ(both.output(), "2");
  both.verify();
}

TEST(Finally, W10_ComesAfterTheCompensations) {
  TestRun run(with_finally("[{f: {call: fetch, with: {why: '${ $error.title }'}}}]", kBookings), Value::object());
  run.succeed("a");
  run.succeed("b");
  run.fail("c");
  run.succeed("compensate b");
  run.fail("compensate a");
  run.succeed("f");
  EXPECT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.error("detail"), "Not undone: /do/0/a");
  run.apply(RetryRequested{});
  run.succeed("compensate a");
  EXPECT_EQ(run.phase(), Phase::faulted) << "`finally` has run";
  run.verify();
}

TEST(Finally, W10_TheSecondCancelEndsIt) {
  const auto plan = with_finally("[{f: {call: fetch}}, {g: {call: fetch}}]", "do: [{a: {call: fetch}}]");
  TestRun run(plan, Value::object());
  run.apply(CancelRequested{"first"});
  run.succeed("f");
  run.apply(CancelRequested{"second"});
  EXPECT_EQ(run.phase(), Phase::cancelled);
  EXPECT_EQ(run.error("detail"), "second");
  EXPECT_EQ(run.machine().error().get("cause").get("detail"), Value("first"));
  EXPECT_EQ(run.history(), "a:cancelled f:completed g:cancelled");

  TestRun through(plan, Value::object());
  through.succeed("a", "1");
  through.apply(CancelRequested{});
  EXPECT_THAT(through.pending(), ::testing::ElementsAre("f")) << "the main part had completed";
  through.apply(CancelRequested{});
  EXPECT_EQ(through.phase(), Phase::cancelled);
  through.apply(RetryRequested{});
  through.succeed("f");
  through.succeed("g");
  EXPECT_EQ(through.output(), "1");
  through.verify();
}

TEST(Finally, W10_MayWaitListenAndBeSuspended) {
  TestRun run(with_finally("[{w: {wait: {seconds: 5}}}, {l: {listen: {to: {one: {with: {type: go}}}}}}, {f: {call: fetch}}]",
                           "do: [{a: {call: fetch}}]"),
              Value::object());
  run.succeed("a", "1");
  EXPECT_EQ(run.phase(), Phase::waiting);
  EXPECT_EQ(run.fire(), Millis(5000));
  run.message("go");
  run.apply(SuspendRequested{});
  EXPECT_EQ(run.phase(), Phase::suspended);
  run.succeed("f");
  EXPECT_EQ(run.phase(), Phase::suspended);
  run.apply(ResumeRequested{});
  EXPECT_EQ(run.output(), "1");
}

TEST(Finally, W10_EndsEarlyByThenAndOfATaskListIsAGraph) {
  TestRun run(with_finally("[{f: {call: fetch, then: end}}, {g: {call: fetch}}]", "do: [{a: {call: fetch}}]"), Value::object());
  run.succeed("a", "1");
  run.succeed("f");
  EXPECT_EQ(run.output(), "1");
  TestRun list(
      "name: list\nmetadata: {finally: [{id: x, type: fetch, params: {how: '${ $status }', data: '${ .input }'}}, {id: y, type: fetch, "
      "depends_on: [x]}]}\n"
      "tasks: [{id: a, type: fetch}]");
  list.succeed("a", "1");
  EXPECT_EQ(arguments(list, "x"), R"({"how":"completed","data":{"a":1}})");
  list.succeed("x");
  list.succeed("y");
  EXPECT_EQ(list.output(), R"({"a":1})");
  EXPECT_EQ(list.history(), "a:completed x:completed y:completed");
}

TEST(Finally, W10_DoesNotRunForWhatNeverBegan) {
  const auto plan =
      with_finally("[{f: {call: fetch}}]", "input: {schema: {document: {type: object, required: [id]}}}\ndo: [{a: {call: fetch}}]");
  Machine queued(plan, testing::test_info());
  std::vector<Action> actions;
  queued.apply({TimePoint{Millis(1)}, RunQueued{Value::object()}}, actions);
  queued.apply({TimePoint{Millis(2)}, CancelRequested{}}, actions);
  EXPECT_EQ(queued.phase(), Phase::cancelled);
  TestRun wrong(plan, parsed(R"({"x":1})"));
  EXPECT_THAT(wrong.pending(), ::testing::ElementsAre("f")) << "it began, and its input was refused";
  wrong.succeed("f");
  EXPECT_EQ(wrong.error("instance"), "/input");
  wrong.apply(RetryRequested{"", parsed(R"({"id":1})")});
  wrong.succeed("a", "2");
  wrong.succeed("f");
  EXPECT_EQ(wrong.output(), "2");
}

TEST(Finally, W10_ARunawayMainPartLeavesItRoom) {
  const MachineLimits limits{.max_transitions = 100};
  const auto plan = with_finally("[{f: {call: fetch}}]", "do: [{a: {set: {x: 1}, then: b}}, {b: {set: {x: 1}, then: a}}]");
  TestRun run(plan, Value::object(), limits);
  EXPECT_THAT(run.pending(), ::testing::ElementsAre("f"));
  run.succeed("f");
  EXPECT_EQ(run.error("title"), "Too many steps");
  const auto endless = with_finally("[{a: {set: {x: 1}, then: b}}, {b: {set: {x: 1}, then: a}}]", "do: [{c: {set: {x: 1}}}]");
  EXPECT_EQ(TestRun(endless, Value::object(), limits).error("title"), "Too many steps");
}

TEST(Finally, W10_ForksMayBeginInIt) {
  TestRun run(with_finally("[{f: {call: fetch}}, {g: {call: fetch, with: {x: '${ . }'}}}]", "do: [{a: {call: fetch}}]"), Value::object());
  run.succeed("a", "1");
  run.succeed("f", "2");
  run.succeed("g");
  Machine fork(run.plan(), testing::test_info());
  std::vector<Action> actions;
  const std::string from = "/document/metadata/finally/1/g";
  fork.apply({run.now(), RetryRequested{from, {}}}, actions);
  for (const auto& event : run.events()) {
    fork.apply(event, actions);
    if (is_final(fork.phase())) break;
  }
  ASSERT_TRUE(fork.check_retry({from, {}}).has_value());
  fork.apply({run.now(), RetryRequested{from, {}}}, actions);
  ASSERT_EQ(fork.pending_effects().size(), 1U);
  EXPECT_EQ(json::to_text(fork.pending_effects()[0].arguments), R"({"x":2})");
  fork.apply({run.now(), EffectSucceeded{fork.pending_effects()[0].effect, Value(1), {}}}, actions);
  EXPECT_EQ(json::to_text(fork.output()), "1");
}

// ---- crashes -------------------------------------------------------------------------------------------------------------------

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
  for (std::size_t crash = 1; crash < events.size(); ++crash) {
    SCOPED_TRACE(crash);
    Machine machine(plan, testing::test_info());
    std::map<std::string, int> known;
    for (std::size_t i = 0; i < crash; ++i) {
      for (const auto& effect : machine.pending_effects()) {
        const auto* ok = std::get_if<EffectSucceeded>(&events[i].body);
        const auto* bad = std::get_if<EffectFailed>(&events[i].body);
        if ((ok != nullptr && ok->effect == effect.effect) || (bad != nullptr && bad->effect == effect.effect))
          ++known[idempotency_key(machine.info().id, effect.step)];
      }
      actions.clear();
      machine.apply(events[i], actions);
      if (crash % 2 == 0 && i == crash / 2) {
        auto restored = Machine::restore(plan, testing::test_info(), parsed(json::to_text(machine.snapshot())));
        ASSERT_TRUE(restored.has_value());
        machine = std::move(restored).value();
      }
    }
    std::vector<Event> rest;
    go_on(machine, known, rest);
    EXPECT_EQ(known, ledger) << "the same steps, each of them once";
    EXPECT_EQ(json::to_text(machine.error()), json::to_text(whole.error()));
    EXPECT_EQ(json::to_text(machine.snapshot()), json::to_text(whole.snapshot()));
    if (HasFailure()) return;
  }
}

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
