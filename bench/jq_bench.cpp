/// Our jq against libjq (where its development files are installed): compiling and running the same expressions on the same input.
/// `jq_bench` prints each, then the ratios.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <map>
#include <string>
#include <string_view>

#include "jq/jq.hpp"
#include "json/parse.hpp"

#ifdef PAWL_HAVE_LIBJQ
extern "C" {
#include <jq.h>
}
#endif

namespace {

using namespace pawl;

struct Case {
  const char* name;
  const char* program;
  std::string input;
};

std::string numbers_text() {
  std::string text = "[";
  for (int i = 0; i < 1000; ++i)
    text += (i == 0 ? "" : ",") + ("{\"id\":" + std::to_string(i) + ",\"price\":" + std::to_string(i * 7 % 100) + "}");
  return text + "]";
}

const Case kCases[] = {
    {"path", ".a.b", R"({"a":{"b":1,"c":2},"d":3})"},
    {"condition", R"(.status == "ok" and .count > 3)", R"({"status":"ok","count":5})"},
    {"object", R"jq({id: .id, name: "order \(.id)", total: (.price * .count)})jq", R"({"id":7,"price":3,"count":4})"},
    {"map_select", "map(select(.price > 50) | .id)", numbers_text()},
    {"reduce", "reduce .[] as $x (0; . + $x.price)", numbers_text()},
    {"group", "group_by(.price) | map({price: .[0].price, ids: map(.id)})", numbers_text()},
    {"update", ".[].price |= . + 1", numbers_text()},
    {"regex", R"jq([.[] | "item \(.id)" | test("^item [0-9]+5$")])jq", numbers_text()},
};

std::map<std::string, double> seconds_per_round;

void compile_ours(benchmark::State& state, const Case& which) {
  for (auto _ : state) benchmark::DoNotOptimize(jq::compile(which.program));
}

void run_ours(benchmark::State& state, const Case& which) {
  const auto program = jq::compile(which.program).value();
  const auto input = json::parse(which.input).value();
  for (auto _ : state) benchmark::DoNotOptimize(jq::first(program, input, {}));
}

#ifdef PAWL_HAVE_LIBJQ
void compile_libjq(benchmark::State& state, const Case& which) {
  for (auto _ : state) {
    jq_state* machine = jq_init();
    jq_compile(machine, which.program);
    jq_teardown(&machine);
  }
}

void run_libjq(benchmark::State& state, const Case& which) {
  jq_state* machine = jq_init();
  jq_compile(machine, which.program);
  const jv input = jv_parse(which.input.c_str());
  for (auto _ : state) {
    jq_start(machine, jv_copy(input), 0);
    jv result = jq_next(machine);
    while (jv_is_valid(result)) {
      jv_free(result);
      result = jq_next(machine);
    }
    jv_free(result);
  }
  jv_free(input);
  jq_teardown(&machine);
}
#endif

/// Prints as usual and remembers the processor times for the ratios.
class Reporter : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const auto& run : runs) seconds_per_round[run.benchmark_name()] = run.GetAdjustedCPUTime();
    ConsoleReporter::ReportRuns(runs);
  }
};

}  // namespace

int main(int argc, char** argv) {
  for (const auto& which : kCases) {
    const std::string name = which.name;
    benchmark::RegisterBenchmark(("compile/" + name).c_str(), [&which](benchmark::State& state) {
      compile_ours(state, which);
    })->Unit(benchmark::kMicrosecond);
    benchmark::RegisterBenchmark(("run/" + name).c_str(), [&which](benchmark::State& state) {
      run_ours(state, which);
    })->Unit(benchmark::kMicrosecond);
#ifdef PAWL_HAVE_LIBJQ
    benchmark::RegisterBenchmark(("compile_libjq/" + name).c_str(), [&which](benchmark::State& state) { compile_libjq(state, which); })
        ->Unit(benchmark::kMicrosecond)
        ->Iterations(3);
    benchmark::RegisterBenchmark(("run_libjq/" + name).c_str(), [&which](benchmark::State& state) {
      run_libjq(state, which);
    })->Unit(benchmark::kMicrosecond);
#endif
  }
  benchmark::Initialize(&argc, argv);
  Reporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  for (const auto& which : kCases) {
    for (const std::string kind : {"compile", "run"}) {
      const auto ours = seconds_per_round.find(kind + "/" + which.name);
      auto theirs = seconds_per_round.find(kind + "_libjq/" + which.name);
      if (theirs == seconds_per_round.end()) theirs = seconds_per_round.find(kind + "_libjq/" + which.name + "/iterations:3");
      if (ours == seconds_per_round.end() || theirs == seconds_per_round.end()) continue;
      std::printf("%-8s %-12s ours %10.3f us, libjq %10.3f us: %8.1f times as fast\n", kind.c_str(), which.name, ours->second,
                  theirs->second, theirs->second / ours->second);
    }
  }
  return 0;
}
