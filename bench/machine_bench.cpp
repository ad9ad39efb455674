// What the machine costs per run, without journal and world: one `set`; ten calls answered at once; a loop; a fan-out; a snapshot and back.
//   build/release/bench/machine_bench
#include <benchmark/benchmark.h>

#include "dsl/compile.hpp"
#include "engine/machine/machine.hpp"

namespace {

using namespace pawl;
using namespace pawl::engine;

class Catalog final : public dsl::FunctionCatalog {
 public:
  [[nodiscard]] const Signature* find(std::string_view name) const override { return name == noop_.name ? &noop_ : nullptr; }
  [[nodiscard]] std::vector<std::string> names() const override { return {noop_.name}; }

 private:
  Signature noop_{"noop", {}};
};

dsl::PlanPtr plan_of(std::string_view body) {
  std::string text = "document: {dsl: '1.0.3', namespace: bench, name: bench, version: '1.0.0'}\n";
  text += body;
  auto compiled = dsl::compile(std::string_view(text), Catalog());
  if (!compiled.value) std::abort();
  return *compiled.value;
}

/// Runs to the end, answering each effect at once with its arguments.
Phase run_to_end(const dsl::PlanPtr& plan, const RunInfo& info, std::vector<Action>& actions) {
  const TimePoint at{Millis(1'760'000'000'000)};
  Machine machine(plan, info);
  actions.clear();
  machine.apply({at, RunStarted{json::Value::object()}}, actions);
  for (std::size_t next = 0; next < actions.size(); ++next) {
    const auto* start = std::get_if<StartEffect>(&actions[next]);
    if (start == nullptr) continue;
    Event answer{at, EffectSucceeded{start->effect, start->arguments, {}}};
    machine.apply(answer, actions);
  }
  return machine.phase();
}

void run_plan(benchmark::State& state, std::string_view body) {
  const auto plan = plan_of(body);
  RunInfo info;
  std::vector<Action> actions;
  for (auto _ : state) {
    if (run_to_end(plan, info, actions) != Phase::completed) state.SkipWithError("the run did not complete");
  }
}

void BM_OneSet(benchmark::State& state) { run_plan(state, "do: [{a: {set: {x: 1}}}]"); }
BENCHMARK(BM_OneSet);

void BM_OneSetWithExpressions(benchmark::State& state) { run_plan(state, "do: [{a: {set: {x: '${ .a }', y: '${ $input.b }'}}}]"); }
BENCHMARK(BM_OneSetWithExpressions);

void BM_TenNoops(benchmark::State& state) {
  std::string body = "do:\n";
  for (int i = 0; i < 10; ++i) body += "  - s" + std::to_string(i) + ": {call: noop, with: {n: " + std::to_string(i) + "}}\n";
  run_plan(state, body);
}
BENCHMARK(BM_TenNoops);

void BM_LoopOfThousandSets(benchmark::State& state) {
  run_plan(state, "do: [{l: {for: {each: n, in: '[range(1000)]'}, do: [{a: {set: {x: '${ $n }'}}}]}}]");
}
BENCHMARK(BM_LoopOfThousandSets);

void BM_FanOutHundred(benchmark::State& state) {
  std::string body = "do: [{f: {fork: {branches: [";
  for (int i = 0; i < 100; ++i) body += "{b" + std::to_string(i) + ": {call: noop, with: {}}},";
  run_plan(state, body + "]}}}]");
}
BENCHMARK(BM_FanOutHundred);

void BM_SnapshotAndRestoreOfAWaitingRun(benchmark::State& state) {
  const auto plan = plan_of("do: [{a: {do: [{w: {wait: {seconds: 60}}}]}}]");
  Machine machine(plan, {});
  std::vector<Action> actions;
  machine.apply({TimePoint(Millis(1)), RunStarted{json::Value::object()}}, actions);
  for (auto _ : state) {
    auto restored = Machine::restore(plan, {}, machine.snapshot());
    benchmark::DoNotOptimize(restored);
  }
}
BENCHMARK(BM_SnapshotAndRestoreOfAWaitingRun);

}  // namespace

BENCHMARK_MAIN();
