// Machine, shard and journal against a disk that forgets, in virtual time: every seed is a world of its own, with workflows, a schedule and
// crashes that follow from it. Each world is lived twice, once quietly, and both lives must end alike.
//
//   pawl_simulation [--seeds N] [--first N]    that many seeds; the last line is `N passed, M failed`
//   pawl_simulation --seed N               one seed, with a trace
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "dsl/compile.hpp"
#include "json/write.hpp"
#include "simulation/world.hpp"

namespace pawl::simulation {
namespace {

/// What workflows call. The world decides how a call ends (World::start_function), so this never runs.
class Step final : public engine::Function {
 public:
  [[nodiscard]] const Info& info() const override { return info_; }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override { return engine::EffectClass::once; }
  [[nodiscard]] Result<json::Value> plan(const engine::Invocation& /*call*/) const override { return json::Value::array(); }
  [[nodiscard]] engine::Cancel start(engine::Invocation /*call*/, engine::Done /*done*/) override { return {}; }

 private:
  Info info_{.name = "step", .summary = "A step of the simulation", .parameters = json::Value::object(), .output = {}, .examples = {}};
};

dsl::PlanPtr compiled(const json::Value& document, const engine::FunctionRegistry& functions) {
  auto checked = dsl::compile_data(document, functions);
  if (checked.ok()) return *checked.value;
  std::printf("%s\n", json::to_text(document, {.indent = 2}).c_str());
  for (const auto& finding : checked.findings) std::printf("%s: %s\n", finding.pointer.c_str(), finding.message.c_str());
  std::abort();
}

struct Totals {
  std::uint64_t crashes = 0;
  std::uint64_t interrupted = 0;
  std::uint64_t repeated = 0;
  std::uint64_t slept = 0;
};

std::string difference(const WorldResult& quiet, const WorldResult& stormy) {
  for (std::size_t i = 0; i < quiet.runs.size(); ++i) {
    const auto& a = quiet.runs[i];
    const auto& b = stormy.runs[i];
    if (b.outcome_unknown) continue;  // a `once` step was interrupted, which a quiet life does not know
    if (a.phase != b.phase || !(a.result == b.result)) {
      return "run " + std::to_string(i) + " ended " + std::string(to_text(b.phase)) + " with " + json::to_text(b.result) + " instead of " +
             std::string(to_text(a.phase)) + " with " + json::to_text(a.result);
    }
  }
  return {};
}

/// Empty, or what went wrong.
std::string live(std::uint64_t seed, bool trace, Totals& totals) {
  engine::FunctionRegistry functions;
  functions.add(std::make_unique<Step>());
  Dice dice(seed);
  const auto parent = random_workflow(dice, true);
  const auto child = random_workflow(dice, false);
  if (trace) std::printf("%s\n%s\n", json::to_text(parent, {.indent = 1}).c_str(), json::to_text(child, {.indent = 1}).c_str());
  Plans plans(compiled(parent, functions), compiled(child, functions));

  WorldOptions options;
  options.schedule = dice.next();
  options.trace = trace;
  const auto quiet = World(plans, functions, options).live();
  if (!quiet.failure.empty()) return "in the quiet life: " + quiet.failure;
  options.schedule = dice.next();
  options.max_crashes = 1 + dice.below(8);
  const auto stormy = World(plans, functions, options).live();
  totals.crashes += stormy.crashes;
  totals.repeated += stormy.repeated_idempotent;
  totals.slept += stormy.slept + quiet.slept;
  for (const auto& run : stormy.runs) totals.interrupted += run.outcome_unknown ? 1 : 0;
  if (!stormy.failure.empty()) return stormy.failure;
  return difference(quiet, stormy);
}

int run(std::uint64_t first, std::uint64_t count, bool trace) {
  Totals totals;
  std::uint64_t failed = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const auto failure = live(seed, trace, totals);
    if (failure.empty()) continue;
    ++failed;
    std::printf("seed %llu: %s\n  again: pawl_simulation --seed %llu\n", static_cast<unsigned long long>(seed), failure.c_str(),
                static_cast<unsigned long long>(seed));
  }
  std::printf("%llu crashes, %llu runs with an interrupted once step, %llu repeated idempotent calls, %llu sleepers seen\n",
              static_cast<unsigned long long>(totals.crashes), static_cast<unsigned long long>(totals.interrupted),
              static_cast<unsigned long long>(totals.repeated), static_cast<unsigned long long>(totals.slept));
  // A simulation that never gets into trouble proves nothing.
  if (count >= 500 && (totals.crashes == 0 || totals.interrupted == 0 || totals.repeated == 0 || totals.slept == 0)) {
    std::printf("the seeds did not reach what they are to test\n");
    ++failed;
  }
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(count - std::min(failed, count)),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace pawl::simulation

int main(int argc, char** argv) {
  std::uint64_t first = 1;
  std::uint64_t count = 2000;
  bool trace = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (i + 1 < argc && option == "--seed") {
      first = std::strtoull(argv[++i], nullptr, 10);
      count = 1;
      trace = true;
    } else if (i + 1 < argc && option == "--seeds") {
      count = std::strtoull(argv[++i], nullptr, 10);
    } else if (i + 1 < argc && option == "--first") {
      first = std::strtoull(argv[++i], nullptr, 10);
    } else {
      std::fprintf(stderr, "usage: pawl_simulation [--seeds N] [--first N] | --seed N\n");
      return 2;
    }
  }
  return pawl::simulation::run(first, count, trace);
}
