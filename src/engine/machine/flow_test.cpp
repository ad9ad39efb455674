// Data flow and control flow: set, do, switch, for, fork, functions, extensions.
#include "engine/machine/detail/test_run.hpp"

namespace pawl::engine {
namespace {

using testing::TestRun;

TEST(Flow, W1RunsASetTask) {
  TestRun run("do: [{a: {set: {shape: circle, size: '${ .size }'}}}]", R"({"size":{"w":6}})");
  EXPECT_EQ(run.output(), R"({"shape":"circle","size":{"w":6}})");
  EXPECT_EQ(run.history(), "a:completed");
  EXPECT_EQ(std::get<PhaseChanged>(run.actions().back()).phase, Phase::completed);
  run.verify();
}

TEST(Flow, S4_O4_AValueThatWouldBeTooLargeFaultsInsteadOfEatingTheServer) {
  TestRun doubling("do: [{grow: {for: {each: i, in: '[range(40)]'}, do: [{twice: {set: {x: '${ [.x, .x] }'}}}]}}]", "{}");
  EXPECT_EQ(doubling.machine().error().get("title"), json::Value("Value too large"));
  TestRun text("do: [{a: {set: {n: '${ \"a\" * 40000000 }'}}}]", "{}");
  EXPECT_EQ(text.machine().error().get("title"), json::Value("Value too large"));
}

TEST(Flow, AMissingInputIsAnEmptyObject) {
  TestRun run(testing::plan_of("do: [{a: {set: {in: '${ . }'}}}]"), json::Value());
  EXPECT_EQ(run.output(), R"({"in":{}})");
}

TEST(Flow, PassesTheOutputOfEachTaskOn) {
  TestRun run(R"(
do:
  - red: {set: {colors: '${ .colors + ["red"] }'}}
  - more:
      do:
        - green: {set: {colors: '${ .colors + ["green"] }'}}
        - blue: {set: {colors: '${ .colors + ["blue"] }'}}
)");
  EXPECT_EQ(run.output(), R"({"colors":["red","green","blue"]})");
  EXPECT_EQ(run.history(), "red:completed more:completed green:completed blue:completed");
}

TEST(Flow, TransformsInputOutputAndContext) {
  TestRun run(R"(
input: {from: .order}
do:
  - a:
      input: {from: .id}
      set: {id: '${ . }', whole: '${ $workflow.input.order.id }'}
      output: {as: '.id + 1'}
      export: {as: '{ last: $output, before: $context }'}
  - b: {set: {got: '${ . }', context: '${ $context }', input: '${ $input }'}}
output: {as: '{ result: ., context: $context.last }'}
)",
              R"({"order":{"id":7}})");
  EXPECT_EQ(run.output(), R"({"result":{"got":8,"context":{"last":8,"before":{"id":7}},"input":8},"context":8})");
}

TEST(Flow, ASkippedTaskPassesItsRawInputOnAndItsThenDoesNotFire) {
  TestRun run(R"(
do:
  - a: {if: .go, input: {from: .other}, set: {x: 1}, then: end}
  - b: {set: {y: '${ .go }'}}
)",
              R"({"go":false})");
  EXPECT_EQ(run.output(), R"({"y":false})");
  EXPECT_EQ(run.history(), "a:skipped b:completed");
}

TEST(Flow, FollowsDirectives) {
  TestRun run(R"(
do:
  - red: {set: {colors: '${ .colors + ["red"] }'}, then: green}
  - blue: {set: {colors: '${ .colors + ["blue"] }'}, then: end}
  - green: {set: {colors: '${ .colors + ["green"] }'}, then: blue}
)");
  EXPECT_EQ(run.output(), R"({"colors":["red","green","blue"]})");
  run.verify();
}

TEST(Flow, ExitLeavesTheListAndEndTheRun) {
  const std::string_view body = R"(
do:
  - outer:
      do:
        - inner: {set: {n: 1}, then: '%'}
        - never: {set: {n: 2}}
  - after: {set: {n: '${ .n + 10 }'}}
)";
  const auto with = [&](std::string_view directive) {
    std::string text(body);
    text.replace(text.find("'%'"), 3, directive);
    return text;
  };
  EXPECT_EQ(TestRun(with("exit")).output(), R"({"n":11})");
  TestRun ended(with("end"));
  EXPECT_EQ(ended.output(), R"({"n":1})");
  EXPECT_EQ(ended.history(), "outer:completed inner:completed");
}

TEST(Flow, ABackwardJumpGivesEachPassItsOwnStepKeys) {
  TestRun run(R"(
do:
  - poll: {call: fetch}
  - check: {switch: [{ready: {when: .ready, then: end}}], then: poll}
)");
  for (int i = 0; i < 3; ++i) run.succeed("poll", R"({"ready":false})");
  run.succeed("poll", R"({"ready":true})");
  EXPECT_EQ(run.output(), R"({"ready":true})");
  EXPECT_EQ(run.history().substr(0, 50), "poll:completed check:completed poll:completed#2 ch");
  run.verify();
}

TEST(Flow, SwitchTakesTheFirstCaseThatHoldsOrTheDefault) {
  const auto* body = R"(
do:
  - pick:
      switch:
        - other: {then: d}
        - red: {when: '.color == "red"', then: r}
        - alsoRed: {when: '.color == "red"', then: d}
  - r: {set: {took: red}, then: end}
  - d: {set: {took: default}, then: end}
)";
  EXPECT_EQ(TestRun(body, R"({"color":"red"})").output(), R"({"took":"red"})");
  EXPECT_EQ(TestRun(body, R"({"color":"blue"})").output(), R"({"took":"default"})");
  TestRun none("do: [{s: {switch: [{a: {when: .x, then: exit}}], then: end}}, {b: {set: {n: 1}}}]", R"({"c":1})");
  EXPECT_EQ(none.output(), R"({"c":1})");
}

TEST(For, FoldsEachRoundOverTheOneBefore) {
  TestRun run(R"(
do:
  - loop:
      for: {each: color, in: .colors}
      do:
        - mark: {set: {processed: '${ { colors: (.processed.colors + [ $color ]), indexes: (.processed.indexes + [ $index ])} }'}}
)",
              R"({"colors":["red","green","blue"]})");
  EXPECT_EQ(run.output(), R"({"processed":{"colors":["red","green","blue"],"indexes":[0,1,2]}})");
  EXPECT_EQ(run.history(), "loop:completed mark[0]:completed mark[1]:completed mark[2]:completed");
  run.verify();
}

TEST(For, StopsWhenWhileDoesNotHoldAndPassesItsInputWhenEmpty) {
  const auto* body = R"(
do:
  - loop:
      for: {each: n, at: i, in: .list}
      while: '(.sum // 0) < 3 and $i < 10'
      do: [{add: {set: {sum: '${ (.sum // 0) + $n }'}}}]
)";
  EXPECT_EQ(TestRun(body, R"({"list":[1,2,3,4]})").output(), R"({"sum":3})");
  EXPECT_EQ(TestRun(body, R"({"list":[]})").output(), R"({"list":[]})");
  TestRun wrong(body, R"({"list":5})");
  EXPECT_EQ(wrong.phase(), Phase::faulted);
  EXPECT_EQ(wrong.error_kind(), "expression");
  EXPECT_EQ(wrong.error("instance"), "/do/0/loop");
}

TEST(For, ExitLeavesTheLoop) {
  TestRun run(R"(
do:
  - loop:
      for: {each: n, in: '[1,2,3]'}
      do: [{add: {set: {n: '${ $n }'}}}, {stop: {switch: [{two: {when: '$n == 2', then: exit}}]}}]
  - after: {set: {last: '${ .n }'}}
)");
  EXPECT_EQ(run.output(), R"({"last":2})");
}

TEST(For, RunsRoundsSideBySideUpToTheConcurrency) {
  TestRun run(R"y(
do:
  - loop:
      for: {each: n, in: '[10,20,30]'}
      metadata: {concurrency: 2}
      do:
        - get: {call: fetch, with: {n: '${ $n }'}, export: {as: '$context + {("k\($n)"): .}'}}
  - after: {set: {all: '${ . }', context: '${ $context }'}}
)y");
  EXPECT_EQ(run.pending(), (std::vector<std::string>{"get", "get"}));
  run.succeed(2, json::Value("b"));
  EXPECT_EQ(run.machine().pending_effects().size(), 2U);
  run.succeed(3, json::Value("c"));
  run.succeed(1, json::Value("a"));
  EXPECT_EQ(run.output(), R"({"all":["a","b","c"],"context":{"k10":"a","k20":"b","k30":"c"}})");
  run.verify();
}

TEST(For, AMillionRoundsDoNotOverflowAnything) {
  MachineLimits limits;
  limits.max_transitions = 10'000'000;
  TestRun run("do: [{loop: {for: {each: n, in: '[range(200000)]'}, do: [{add: {set: {s: '${ .s + $n }'}}}]}}]", "{}", limits);
  EXPECT_EQ(run.output(), R"({"s":19999900000})");
  EXPECT_EQ(run.machine().records().size(), 10'000U);
  EXPECT_EQ(run.machine().records_dropped(), 190'001U);
}

TEST(Limits, ARunThatNeverWaitsFaults) {
  TestRun run("do: [{a: {set: {x: 1}, then: b}}, {b: {set: {x: 2}, then: a}}]");
  EXPECT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.error_kind(), "runtime");
}

TEST(Limits, TooManyTasksAtOnceFault) {
  MachineLimits limits;
  limits.max_activations = 50;
  TestRun run("do: [{loop: {for: {each: n, in: '[range(100)]'}, metadata: {concurrency: 100}, do: [{c: {call: fetch}}]}}]", "{}", limits);
  EXPECT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.error("title"), "Too many tasks in progress");
  EXPECT_EQ(run.count<StartEffect>(), 0U);
}

TEST(Fork, JoinsOutputsAndContextsInTheOrderOfTheBranches) {
  TestRun run(R"(
do:
  - both:
      fork:
        branches:
          - one: {call: fetch, with: {n: 1}, export: {as: '$context + {one: .}'}}
          - two: {call: fetch, with: {n: 2}, export: {as: '$context + {two: .}'}}
  - after: {set: {out: '${ . }', context: '${ $context }'}}
)",
              R"({"in":1})");
  EXPECT_EQ(run.pending(), (std::vector<std::string>{"one", "two"}));
  run.succeed("two", "2");
  run.succeed("one", "1");
  EXPECT_EQ(run.output(), R"({"out":[1,2],"context":{"in":1,"one":1,"two":2}})");
  run.verify();
}

TEST(Fork, AFailingBranchCancelsTheOthers) {
  TestRun run("do: [{f: {fork: {branches: [{a: {call: fetch}}, {b: {call: fetch}}, {c: {wait: {seconds: 1}}}]}}}]");
  run.fail("a", 503);
  EXPECT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.error("status"), "503");
  EXPECT_EQ(run.error("instance"), "/do/0/f/fork/branches/0/a");
  EXPECT_EQ(run.count<CancelEffect>(), 1U);
  EXPECT_EQ(run.count<CancelTimer>(), 1U);
  EXPECT_EQ(run.history(), "f:faulted a:faulted b:cancelled c:cancelled");
  run.verify();
}

TEST(Fork, TheFirstToCompleteWinsACompetition) {
  const auto* body = "do: [{f: {fork: {compete: true, branches: [{a: {call: fetch}}, {b: {call: fetch}}, {c: {call: fetch}}]}}}]";
  TestRun run(body);
  run.fail("a");
  EXPECT_EQ(run.phase(), Phase::running);
  run.succeed("b", R"({"from":"b"})");
  EXPECT_EQ(run.output(), R"({"from":"b"})");
  EXPECT_EQ(run.count<CancelEffect>(), 1U);
  TestRun lost(body);
  lost.fail("c", 501);
  lost.fail("b", 502);
  lost.fail("a", 503);
  EXPECT_EQ(lost.error("status"), "503");
  EXPECT_EQ(lost.error("instance"), "/do/0/f/fork/branches/0/a");
}

TEST(Fork, PureBranchesStartNoEffectAfterTheRaceIsDecided) {
  TestRun run("do: [{f: {fork: {compete: true, branches: [{a: {call: fetch}}, {b: {set: {x: 1}}}]}}}]");
  EXPECT_EQ(run.output(), R"({"x":1})");
  EXPECT_EQ(run.count<StartEffect>(), 0U) << "its start was taken back before anybody saw it";
  EXPECT_EQ(run.count<CancelEffect>(), 0U);
}

TEST(Function, RunsTheCalleeOnTheCallsArguments) {
  TestRun run(R"(
use:
  functions:
    double: {set: {n: '${ .value * 2 }'}}
do:
  - a: {call: double, with: {value: '${ .x }'}, output: {as: .n}}
  - b: {call: double, with: {value: '${ . }'}}
)",
              R"({"x":4})");
  EXPECT_EQ(run.output(), R"({"n":16})");
}

TEST(Call, HandsEvaluatedArgumentsToTheWorldAndTakesTheAnswer) {
  TestRun run(
      "do: [{a: {input: {from: .order}, call: fetch, with: {id: '${ .id }', who: '${ $secrets.token }'}, metadata: {effect: once}}}]",
      R"({"order":{"id":5}})");
  const auto effect = run.pending_effect("a");
  EXPECT_EQ(effect.function, "fetch");
  EXPECT_EQ(json::to_text(effect.arguments), R"({"id":5,"who":"s3cret"})");
  EXPECT_EQ(json::to_text(effect.input), R"({"id":5})");
  EXPECT_EQ(effect.declared, dsl::EffectClass::once);
  EXPECT_EQ(run.machine().waiting_reason(), "answer of fetch /do/0/a");
  run.apply(EffectBegun{effect.effect});
  EXPECT_TRUE(run.machine().has_begun(effect.effect));
  run.apply(EffectSucceeded{effect.effect, json::Value(3), {LogLine{run.now(), "info", "done"}}});
  EXPECT_EQ(run.output(), "3");
  EXPECT_EQ(run.machine().records()[0].logs[0].text, "done");
  run.verify();
}

TEST(Call, WithoutAwaitAndWithReturnNoneTheOutputIsTheInput) {
  TestRun run("do: [{a: {run: {shell: {command: ls}, return: none}}}, {b: {run: {shell: {command: ls}, await: false}}}]", R"({"x":1})");
  run.succeed("a", R"("listing")");
  run.succeed("b", "null");
  EXPECT_EQ(run.output(), R"({"x":1})");
}

TEST(Task, DescribesItselfToItsExpressions) {
  TestRun run(R"(
do:
  - a:
      set:
        name: '${ $task.name }'
        reference: '${ $task.reference }'
        type: '${ $task.definition | has("set") }'
        own: '${ $task.metadata.tag }'
        id: '${ $workflow.id }'
        name2: '${ $workflow.definition.document.name }'
        runtime: '${ $runtime.name }'
        at: '${ $task.startedAt.epoch.milliseconds }'
      metadata: {tag: here}
)");
  EXPECT_EQ(run.output(),
            R"({"name":"a","reference":"/do/0/a","type":true,"own":"here","id":"0190a000-0000-7000-8000-000000000001","name2":"machine",)"
            R"("runtime":"pawl","at":1760000000000})");
}

TEST(Extension, BeforeAndAfterRunAroundTheTaskAndNameIt) {
  TestRun run(R"y(
use:
  extensions:
    - log:
        extend: set
        when: $task.name == "a"
        before: [{first: {call: fetch, with: {text: '${ "before " + $task.reference }'}}}]
        after: [{last: {call: fetch, with: {text: '${ "after \($task.name) \(.)" }'}}}]
do: [{a: {set: {x: 1}, output: {as: .x}}}, {b: {set: {y: '${ . }'}}}]
)y");
  EXPECT_EQ(json::to_text(run.pending_effect("first").arguments), R"({"text":"before /do/0/a"})");
  run.succeed("first", R"("ignored")");
  EXPECT_EQ(json::to_text(run.pending_effect("last").arguments), R"({"text":"after a {\"x\":1}"})");
  run.succeed("last", R"("ignored")");
  EXPECT_EQ(run.output(), R"({"y":1})");
  run.verify();
}

TEST(Extension, ExitBeforeTheTaskReplacesIt) {
  TestRun run(R"(
use:
  extensions:
    - mock:
        extend: call
        when: $task.with.url == "mocked"
        before: [{answer: {set: {code: 200}, then: exit}}]
do: [{a: {call: fetch, with: {url: mocked}, output: {as: .code}}}, {b: {call: fetch, with: {url: real}}}]
)");
  EXPECT_EQ(run.pending(), std::vector<std::string>{"b"});
  EXPECT_EQ(json::to_text(run.pending_effect("b").input), "200");
}

TEST(Schema, ViolationsAreValidationErrorsOfTheTask) {
  const auto* body = R"(
do:
  - a:
      input: {schema: {document: {type: object, required: [id]}}}
      set: {id: '${ .id }'}
      output: {schema: {document: {type: object, properties: {id: {type: integer}}}}}
)";
  EXPECT_EQ(TestRun(body, R"({"id":1})").output(), R"({"id":1})");
  for (const auto* input : {R"({"x":1})", R"({"id":"text"})"}) {
    TestRun run(body, input);
    EXPECT_EQ(run.error_kind(), "validation");
    EXPECT_EQ(run.error("status"), "400");
    EXPECT_EQ(run.error("instance"), "/do/0/a");
  }
  TestRun workflow("input: {schema: {document: {type: object, required: [id]}}}\ndo: [{a: {set: {x: 1}}}]");
  EXPECT_EQ(workflow.error_kind(), "validation");
  EXPECT_EQ(workflow.error("instance"), "/input");
  EXPECT_EQ(workflow.history(), "");
}

TEST(Expressions, AFailingOneIsAnExpressionErrorOfItsTask) {
  TestRun run("do: [{a: {set: {x: '${ .a.b.c + {} | error(\"no\") }'}}}]");
  EXPECT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.error_kind(), "expression");
  EXPECT_EQ(run.error("status"), "400");
  EXPECT_EQ(run.error("instance"), "/do/0/a");
  EXPECT_EQ(run.history(), "a:faulted");
}

}  // namespace
}  // namespace pawl::engine
