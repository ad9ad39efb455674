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

}  // namespace
}  // namespace pawl::engine
