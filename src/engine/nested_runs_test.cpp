// Workflows that start themselves: a chain of runs has an end, whoever forgot to give it one.
#include <gmock/gmock.h>

#include "engine/detail/test_support.hpp"
#include "json/write.hpp"

namespace pawl::engine {
namespace {

TEST(NestedRuns, A2_AWorkflowThatRunsItselfEndsWithAnErrorInsteadOfFillingTheServer) {
  TestBench bench;
  bench.boot();
  const auto workflow = bench.add("self", R"(
  - count: {call: noop}
  - again: {run: {workflow: {namespace: test, name: self, version: '1.0.0'}}})");
  const auto run = bench.start(workflow, {});
  const auto view = bench.wait_for_end(run);
  EXPECT_EQ(view.phase, Phase::faulted);
  EXPECT_EQ(view.error.get("title"), json::Value("Workflows nested too deeply")) << json::to_text(view.error);
  EXPECT_EQ(bench.noops(), 33U) << "the first one, and 32 below it";
}

TEST(NestedRuns, A2_AChainOfDifferentWorkflowsCountsAsWellAndSurvivesARestart) {
  TestBench bench;
  bench.boot();
  static_cast<void>(bench.add("pong", "\n  - p: {call: noop}\n  - r: {run: {workflow: {namespace: test, name: ping, version: '1.0.0'}}}"));
  const auto ping = bench.add("ping", "\n  - w: {call: manual}\n  - r: {run: {workflow: {namespace: test, name: pong, version: '1.0.0'}}}");
  const auto run = bench.start(ping, {});
  for (int i = 0; i < 17; ++i) {
    bench.manual().wait_for(1);
    if (i == 9) {
      bench.kill();
      bench.boot();
      bench.manual().wait_for(1);
    }
    bench.manual().answer(Outcome::success(i));
  }
  EXPECT_EQ(bench.wait_for_end(run).error.get("title"), json::Value("Workflows nested too deeply"));
}

constexpr std::string_view kCallsChild = "\n  - r: {run: {workflow: {namespace: test, name: child, version: '1.0.0'}}}";

// proves: S4-H3
TEST(NestedRuns, ARunThatLooksUpWhatItCallsHoldsUpNoOther) {
  TestBench bench;
  bench.boot();
  static_cast<void>(bench.add("child", "\n  - c: {call: noop}"));
  const auto parent = bench.add("parent", kCallsChild);
  const auto other = bench.add("other", "\n  - o: {call: noop}");
  bench.hold_lookups(true);
  auto request = bench.request(parent);
  request.trigger = json::Value::object({{"type", "schedule"}, {"unattended", true}});
  const auto run = bench.start(std::move(request));
  bench.wait_for_lookup(1);
  for (std::size_t shard = 0; shard < 2; ++shard) {
    auto beside = bench.request(other);
    beside.shard = shard;
    EXPECT_EQ(bench.execute(std::move(beside)).phase, Phase::completed) << "on shard " << shard;
  }
  EXPECT_EQ(bench.noops(), 2U);
  bench.hold_lookups(false);
  EXPECT_EQ(bench.wait_for_end(run).phase, Phase::completed);
  EXPECT_EQ(bench.noops(), 3U);
}

TEST(NestedRuns, ARunThatIsCancelledWhileItLooksUpWhatItCallsStartsNothing) {
  TestBench bench;
  bench.boot();
  static_cast<void>(bench.add("child", "\n  - c: {call: noop}"));
  const auto parent = bench.add("parent", kCallsChild);
  bench.hold_lookups(true);
  const auto run = bench.start(parent, {});
  bench.wait_for_lookup(1);
  ASSERT_FALSE(bench.cancel(run).has_error());
  EXPECT_EQ(bench.wait_for_end(run).phase, Phase::cancelled);
  bench.hold_lookups(false);
  // What the first one asked for is answered before this one is, or nobody wants it any more: in neither case is it started.
  EXPECT_EQ(bench.execute(parent, {}).phase, Phase::completed);
  EXPECT_EQ(bench.noops(), 1U);
  EXPECT_EQ(bench.list({}).runs.size(), 3U);
}

TEST(NestedRuns, ALookUpThatTheProcessDoesNotSurviveIsDoneAgain) {
  TestBench bench;
  bench.boot();
  static_cast<void>(bench.add("child", "\n  - c: {call: noop}"));
  const auto parent = bench.add("parent", kCallsChild);
  bench.hold_lookups(true);
  const auto run = bench.start(parent, {});
  bench.wait_for_lookup(1);
  auto killed = std::async(std::launch::async, [&] { bench.kill(); });
  bench.hold_lookups(false);
  killed.get();
  bench.boot();
  EXPECT_EQ(bench.wait_for_end(run).phase, Phase::completed);
  EXPECT_EQ(bench.list({}).runs.size(), 2U) << "the other one was started once";
}

// `await: false`: the step is over when the other run has begun, and not before.
TEST(NestedRuns, AWorkflowThatNobodyWaitsForBeginsAndGoesOnAlone) {
  TestBench bench;
  bench.boot();
  static_cast<void>(bench.add("child", "\n  - c: {call: manual}"));
  const auto parent = bench.add(
      "parent", "\n  - r: {run: {workflow: {namespace: test, name: child, version: '1.0.0'}, await: false}}\n  - n: {call: noop}");
  EXPECT_EQ(bench.execute(parent, {}).phase, Phase::completed);
  bench.manual().wait_for(1);
  bench.kill();
  bench.boot();
  bench.manual().wait_for(1);
  bench.manual().answer(Outcome::success("done"));
  const auto missing = bench.add("hopeless", "\n  - r: {run: {workflow: {namespace: test, name: nobody, version: '1.0.0'}, await: false}}");
  const auto view = bench.execute(missing, {});
  EXPECT_EQ(view.phase, Phase::faulted);
  EXPECT_EQ(view.error.get("title"), json::Value("Workflow not found")) << json::to_text(view.error);
}

}  // namespace
}  // namespace pawl::engine
