// pawl bench: how fast this machine runs durable workflows, inside of one process. `bench/` in the sources measures over HTTP and beside
// peers.
#include <fmt/core.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp is POSIX

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <mutex>

#include "app/application.hpp"
#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/log.hpp"
#include "json/write.hpp"

namespace pawl::app {
namespace {

namespace fs = std::filesystem;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::chrono::milliseconds kMeasure{2000};

struct Benchmark {
  std::string_view name;
  std::string_view summary;
  std::string_view body;  ///< `do` of the document
  std::uint32_t concurrency = 1;
};

constexpr std::string_view kNoop = "do:\n  - say: {set: {answer: 42}}\n";
constexpr std::string_view kWriting =
    "do:\n  - steps:\n      for: {each: n, in: '[range(10)]'}\n      do:\n"
    "        - step: {call: noop, with: {n: '${ $n }'}, metadata: {effect: once}}\n";
constexpr std::string_view kReading =
    "do:\n  - steps:\n      for: {each: n, in: '[range(10)]'}\n      do:\n"
    "        - step: {call: noop, with: {n: '${ $n }'}, metadata: {effect: read}}\n";
constexpr std::string_view kFanOut =
    "do:\n  - all:\n      for: {each: n, in: '[range(100)]'}\n      metadata: {concurrency: 100}\n      do:\n"
    "        - step: {call: noop, with: {n: '${ $n }'}, metadata: {effect: once}}\n";

constexpr Benchmark kBenchmarks[] = {
    {"noop-1", "one task, one run at a time", kNoop, 1},
    {"noop-64", "one task, 64 runs at a time", kNoop, 64},
    {"steps-64", "ten steps that write, 64 at a time", kWriting, 64},
    {"reads-64", "ten steps that read, 64 at a time", kReading, 64},
    {"fan-out", "100 writing steps side by side, one run at a time", kFanOut, 1},
};

struct Measured {
  std::uint64_t runs = 0;
  double per_second = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  std::uint64_t commits = 0;
};

/// Keeps `concurrency` runs going until the time is over. Touched by engine threads: one lock, held for a moment.
class Load {
 public:
  Load(Application& app, catalog::ExecutablePtr executable) : app_(app), executable_(std::move(executable)) {}

  Measured measure(std::uint32_t concurrency) {
    begin_ = std::chrono::steady_clock::now();
    end_ = begin_ + kMeasure;
    for (std::uint32_t n = 0; n < concurrency; ++n) start_one();
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return in_flight_ == 0; });
    return result();
  }

 private:
  void start_one() {
    {
      const std::lock_guard lock(mutex_);
      ++in_flight_;
    }
    engine::StartRequest request;
    request.plan = executable_->plan;
    request.organization = executable_->organization;
    request.workflow = executable_->id;
    request.input = json::Value::object();
    const auto began = std::chrono::steady_clock::now();
    app_.engine().start_run(std::move(request), {}, [this, began](const engine::RunView&) { ended(began); });
  }

  void ended(SteadyTime began) {
    const auto now = std::chrono::steady_clock::now();
    if (now < end_) start_one();
    const std::lock_guard lock(mutex_);
    last_ = now;
    micros_.push_back(static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(now - began).count()));
    if (--in_flight_ == 0) idle_.notify_all();
  }

  [[nodiscard]] Measured result() {
    std::sort(micros_.begin(), micros_.end());
    Measured measured;
    measured.runs = micros_.size();
    measured.per_second = static_cast<double>(micros_.size()) / std::chrono::duration<double>(last_ - begin_).count();
    measured.p50_ms = micros_[micros_.size() / 2] / 1000.0;
    measured.p99_ms = micros_[micros_.size() * 99 / 100] / 1000.0;
    return measured;
  }

  Application& app_;
  catalog::ExecutablePtr executable_;
  SteadyTime begin_;
  SteadyTime end_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::uint32_t in_flight_ = 0;
  SteadyTime last_;
  std::vector<std::uint32_t> micros_;
};

Result<Measured> run_one(Application& app, const Benchmark& benchmark) {
  catalog::Definition definition;
  definition.text =
      fmt::format("document: {{dsl: '1.0.3', namespace: bench, name: {}, version: '1.0.0'}}\n{}", benchmark.name, benchmark.body);
  const auto checked = app.catalog().check(definition);
  if (!checked.ok()) return Error(ErrorClass::internal, "bench.document", checked.findings.front().message);
  PAWL_TRY(executable, app.catalog().keep_unlisted(app.organization(), definition, *checked.value));
  const auto before = app.engine().statistics().commits;
  auto measured = Load(app, executable).measure(benchmark.concurrency);
  measured.commits = app.engine().statistics().commits - before;
  return measured;
}

void print_one(const Benchmark& benchmark, const Measured& measured, bool json) {
  if (json) {
    fmt::print("{}\n", json::to_text(json::Value::object({{"name", benchmark.name},
                                                          {"concurrency", benchmark.concurrency},
                                                          {"runs", measured.runs},
                                                          {"runs_per_second", measured.per_second},
                                                          {"p50_ms", measured.p50_ms},
                                                          {"p99_ms", measured.p99_ms},
                                                          {"commits", measured.commits}})));
  } else {
    fmt::print("{:<10} {:>9.0f} runs/s   p50 {:>7.2f} ms   p99 {:>7.2f} ms   {:>6} commits   {}\n", benchmark.name, measured.per_second,
               measured.p50_ms, measured.p99_ms, measured.commits, benchmark.summary);
  }
  std::fflush(stdout);
}

int fail(const Error& error) {
  fmt::print(stderr, "pawl: {}\n", error.message);
  return kFailed;
}

int run_all(config::Config config, const BenchOptions& options, const std::string& folder) {
  config.data_dir = folder;
  config.database_url.clear();
  ApplicationOptions application;
  application.schedules = false;
  application.always_migrate = true;
  application.on_fatal = [](const Error& error) { log(Level::error, error.message); };
  auto app = Application::create(config, std::move(application));
  if (app.has_error()) return fail(app.error());
  if (const auto started = (*app)->start(); started.has_error()) return fail(started.error());
  for (const auto& benchmark : kBenchmarks) {
    if (!options.name.empty() && options.name != benchmark.name) continue;
    const auto measured = run_one(**app, benchmark);
    if (measured.has_error()) return fail(measured.error());
    print_one(benchmark, *measured, options.json);
  }
  return kOk;
}

}  // namespace

int run_bench(const CommonOptions& common, const BenchOptions& options) {
  const bool known = options.name.empty() || std::any_of(std::begin(kBenchmarks), std::end(kBenchmarks),
                                                         [&](const Benchmark& benchmark) { return benchmark.name == options.name; });
  if (!known) {
    fmt::print(stderr, "pawl: there is no benchmark `{}`; there are", options.name);
    for (const auto& benchmark : kBenchmarks) fmt::print(stderr, " {}", benchmark.name);
    fmt::print(stderr, "\n");
    return kUsage;
  }
  const auto config = load_config(common, config::Purpose::tool);
  if (!config) return kUsage;
  // In the folder of the moment and not in /tmp, which may be memory: durable means a disk.
  std::error_code error;
  auto folder = (fs::current_path(error) / "pawl-bench-XXXXXX").string();
  if (error || ::mkdtemp(folder.data()) == nullptr) {
    fmt::print(stderr, "pawl: cannot make a folder here\n");
    return kFailed;
  }
  const int code = run_all(*config, options, folder);
  fs::remove_all(folder, error);
  return code;
}

}  // namespace pawl::app
