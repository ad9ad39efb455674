// The task-list form: dependencies, gates, skips, retries, the cap.
#include "engine/machine/detail/test_run.hpp"

namespace pawl::engine {
namespace {

using testing::TestRun;
using namespace std::chrono_literals;
using Names = std::vector<std::string>;

TEST(Graph, W2StartsTasksAsSoonAsWhatTheyDependOnHasFinished) {
  TestRun run(R"(
name: list
tasks:
  - {id: last, type: fetch, depends_on: [left, right], params: {sum: '${ .left.n + .right.n + .input.n }'}}
  - {id: left, type: fetch, depends_on: [first], params: {from: '${ .first.n }'}}
  - {id: right, type: fetch, depends_on: [first]}
  - {id: first, type: fetch}
)",
              R"({"n":100})");
  EXPECT_EQ(run.pending(), Names{"first"});
  run.succeed("first", R"({"n":1})");
  EXPECT_EQ(run.pending(), (Names{"left", "right"}));
  run.succeed("right", R"({"n":3})");
  EXPECT_EQ(run.pending(), Names{"left"});
  run.succeed("left", R"({"n":2})");
  EXPECT_EQ(run.pending(), Names{"last"});
  run.succeed("last", "6");
  EXPECT_EQ(run.output(), R"({"last":6,"left":{"n":2},"right":{"n":3},"first":{"n":1}})");
  run.verify();
}

TEST(Graph, W2HandsEvaluatedParametersOver) {
  TestRun run(
      "name: list\ntasks: [{id: a, type: fetch, params: {n: '${ .input.n }'}}, {id: b, type: fetch, depends_on: [a], params: {n: '${ .a "
      "}'}}]",
      R"({"n":5})");
  EXPECT_EQ(json::to_text(run.pending_effect("a").arguments), R"({"n":5})");
  run.succeed(1, json::Value("x"));
  EXPECT_EQ(json::to_text(run.machine().pending_effects().at(0).arguments), R"({"n":"x"})");
}

constexpr std::string_view kGated = R"(
name: list
tasks:
  - {id: a, type: fetch}
  - {id: gate, type: fetch, depends_on: [a], run_if: '${ .a.go }'}
  - {id: anyway, type: fetch, depends_on: [gate]}
  - {id: strict, type: fetch, depends_on: [{id: gate, status: completed}]}
  - {id: after, type: fetch, depends_on: [{id: strict, status: completed}]}
)";

TEST(Graph, N19RunIfFalseSkipsTheTaskAndOnlyThoseThatAskForCompletion) {
  TestRun run(kGated);
  run.succeed(1, testing::parsed(R"({"go":false})"));
  EXPECT_EQ(run.pending(), Names{"anyway"});
  run.succeed(2, json::Value(1));
  EXPECT_EQ(run.output(), R"({"a":{"go":false},"anyway":1})");
}

TEST(Graph, N19RunIfTrueLetsAllRun) {
  TestRun run(kGated);
  run.succeed(1, testing::parsed(R"({"go":true})"));
  EXPECT_EQ(run.pending(), Names{"gate"});
  run.succeed(2, json::Value(2));
  EXPECT_EQ(run.pending(), (Names{"anyway", "strict"}));
  run.succeed(4, json::Value(4));
  run.succeed(3, json::Value(3));
  run.succeed(5, json::Value(5));
  EXPECT_EQ(run.output(), R"({"a":{"go":true},"gate":2,"anyway":3,"strict":4,"after":5})");
}

TEST(Graph, N19AFailedTaskBlocksWhatDependsOnItAndTheRestRunsToItsEnd) {
  TestRun run(R"(
name: list
tasks:
  - {id: slow, type: fetch}
  - {id: bad, type: fetch}
  - {id: blocked, type: fetch, depends_on: [bad]}
  - {id: too, type: fetch, depends_on: [blocked]}
  - {id: next, type: fetch, depends_on: [slow]}
)");
  run.fail("bad", 418);
  EXPECT_EQ(run.pending(), Names{"slow"});
  run.succeed(1, json::Value(1));
  EXPECT_EQ(run.pending(), Names{"next"});
  run.succeed(3, json::Value(2));
  EXPECT_EQ(run.phase(), Phase::faulted);
  EXPECT_EQ(run.error("status"), "418");
  run.verify();
}

TEST(Graph, RunsAtMostSoManyAtOnce) {
  std::string text = "name: list\ntasks:\n";
  for (int i = 0; i < 25; ++i) text += "  - {id: t" + std::to_string(i) + ", type: fetch}\n";
  TestRun run(text);
  const auto cap = run.machine().pending_effects().size();
  EXPECT_EQ(cap, 10U);
  run.succeed(1, json::Value(1));
  EXPECT_EQ(run.machine().pending_effects().size(), cap);
  for (EffectId effect = 2; effect <= 25; ++effect) run.succeed(effect, json::Value(1));
  EXPECT_EQ(run.phase(), Phase::completed);
  EXPECT_EQ(run.machine().output().size(), 25U);
}

TEST(Graph, RetriesATaskByItsPolicy) {
  TestRun run("name: list\ntasks: [{id: a, type: fetch, max_retries: 2}, {id: b, type: fetch}]");
  run.fail("a", 503);
  EXPECT_EQ(run.machine().records()[0].status, TaskStatus::retrying);
  EXPECT_EQ(run.pending(), Names{"b"});
  EXPECT_EQ(run.fire(), 2s);
  run.fail("a", 503);
  EXPECT_EQ(run.fire(), 4s);
  EXPECT_EQ(run.pending_effect("a").step.attempt, 3U);
  run.succeed("a", "1");
  run.succeed("b", "2");
  EXPECT_EQ(run.output(), R"({"a":1,"b":2})");
  EXPECT_EQ(run.history(), "a:completed#3 b:completed");
  run.verify();
}

TEST(Graph, TimesOutPerTask) {
  TestRun run("name: list\ntasks: [{id: a, type: fetch, timeout: 30s}]");
  EXPECT_EQ(run.fire(), 30s);
  EXPECT_EQ(run.error_kind(), "timeout");
}

TEST(Graph, ARunIfThatFailsFailsItsTask) {
  TestRun run("name: list\ntasks: [{id: a, type: fetch, run_if: '${ error(\"x\") }'}, {id: b, type: fetch, depends_on: [a]}]");
  EXPECT_EQ(run.error_kind(), "expression");
  EXPECT_EQ(run.history(), "a:faulted b:skipped");
}

}  // namespace
}  // namespace pawl::engine
