// `finally`: what a run does at every end.
#include <gmock/gmock.h>

#include "engine/machine/detail/test_wind_up.hpp"

namespace pawl::engine {
namespace {

using json::Value;
using testing::arguments;
using testing::kBookings;
using testing::parsed;
using testing::TestRun;
using testing::with_finally;

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
    EXPECT_EQ(run.machine().ending(), each.phase) << "what it will be";
    run.apply(CancelRequested{});
    EXPECT_EQ(run.machine().ending(), each.phase) << "whoever cancels it now";
    EXPECT_EQ(run.machine().waiting_reason(), "answer of fetch /document/metadata/finally/0/f");
    EXPECT_EQ(arguments(run, "f"), each.arguments);
    run.succeed("f", "7");
    EXPECT_EQ(run.phase(), each.phase);
    EXPECT_EQ(run.machine().ending(), std::nullopt) << "it is";
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

TEST(Finally, W10_OnlyACancelOfASuspendedRunEndsIt) {
  const auto plan = with_finally("[{f: {call: fetch}}, {g: {call: fetch}}]", "do: [{a: {call: fetch}}]");
  TestRun run(plan, Value::object());
  run.apply(CancelRequested{"first"});
  run.succeed("f");
  run.apply(CancelRequested{"once more"});
  EXPECT_THAT(run.pending(), ::testing::ElementsAre("g"));
  run.apply(SuspendRequested{});
  run.apply(CancelRequested{"second"});
  EXPECT_EQ(run.phase(), Phase::cancelled);
  EXPECT_EQ(run.error("detail"), "second");
  EXPECT_EQ(run.machine().error().get("cause").get("detail"), Value("first"));
  EXPECT_EQ(run.history(), "a:cancelled f:completed g:cancelled");

  TestRun through(plan, Value::object());
  through.succeed("a", "1");
  through.apply(CancelRequested{});
  EXPECT_THAT(through.pending(), ::testing::ElementsAre("f")) << "the main part had completed";
  through.apply(SuspendRequested{});
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

}  // namespace
}  // namespace pawl::engine
