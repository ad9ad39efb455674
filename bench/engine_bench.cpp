// The engine alone, in process: what the journal and the shards can do, beside what SQLite can do at the same batch size in the same run.
//
//   bench_engine [--seconds N] [--folder DIR] [NAME...]     NAME: noop, one, once, read, fanout, disk
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "async/io_threads.hpp"
#include "dsl/compile.hpp"
#include "engine/engine.hpp"
#include "storage/database.hpp"
#include "storage/migrations.hpp"

namespace pawl::bench {
namespace {

using Steady = std::chrono::steady_clock;

class Noop final : public engine::Function {
 public:
  Noop() { info_.name = "noop"; }
  [[nodiscard]] const Info& info() const override { return info_; }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override { return engine::EffectClass::pure; }
  [[nodiscard]] Result<json::Value> plan(const engine::Invocation& /*call*/) const override { return json::Value::array(); }
  [[nodiscard]] engine::Cancel start(engine::Invocation call, engine::Done done) override {
    done(engine::Outcome::success(std::move(call.arguments)));
    return {};
  }

 private:
  Info info_;
};

class NoPlans final : public engine::PlanSource {
 public:
  [[nodiscard]] Result<dsl::PlanPtr> plan(const WorkflowId& /*workflow*/, std::uint32_t /*version*/) override { return missing(); }
  [[nodiscard]] Result<Resolved> find(const OrganizationId& /*organization*/, std::string_view /*namespace_name*/,
                                      std::string_view /*name*/, std::string_view /*version*/) override {
    return missing();
  }
  [[nodiscard]] bool author_may_destroy(const OrganizationId& /*organization*/, const WorkflowId& /*workflow*/,
                                        std::uint32_t /*version*/) override {
    return false;
  }

 private:
  static Error missing() { return {ErrorClass::not_found, "workflow.not_found", "the benchmark keeps no workflows"}; }
};

std::string steps(int count, std::string_view effect) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += "\n  - s" + std::to_string(i) + ": {call: noop, with: {n: " + std::to_string(i) +
            "}, metadata: {effect: " + std::string(effect) + "}}";
  }
  return text;
}

std::string fan_out(int count) {
  std::string text = "\n  - all: {fork: {branches: [";
  for (int i = 0; i < count; ++i)
    text += (i > 0 ? ", " : "") + std::string("{b") + std::to_string(i) + ": {call: noop, with: {n: 1}, metadata: {effect: once}}}";
  return text + "]}}";
}

struct Figures {
  double per_second = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  double rows_per_commit = 0;
  double rows_per_second = 0;
};

class Bench {
 public:
  Bench(std::filesystem::path folder, double seconds) : folder_(std::move(folder)), seconds_(seconds) {
    functions_.add(std::make_unique<Noop>());
    storage::DatabaseOptions options;
    options.folder = folder_;
    database_ = std::move(storage::Database::open(options).value());
    static_cast<void>(storage::migrate_up(*database_, clock_).value());
    threads_ = std::make_unique<async::IoThreads>(2);
    threads_->start();
    engine_ = std::make_unique<engine::Engine>(
        engine::Engine::Dependencies{*threads_, *database_, functions_, plans_, clock_, random_, {}, {}}, engine::EngineOptions{});
    if (engine_->start().has_error()) std::abort();
  }
  ~Bench() {
    engine_->stop(Millis(5000));
    engine_.reset();
    threads_->stop();
    threads_.reset();
    database_.reset();
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  [[nodiscard]] dsl::PlanPtr compile(const std::string& name, const std::string& tasks) {
    const auto text = "document: {dsl: '1.0.0', namespace: bench, name: " + name + ", version: '1.0.0'}\ndo:" + tasks + "\n";
    auto checked = dsl::compile(std::string_view(text), functions_);
    if (!checked.ok()) {
      for (const auto& finding : checked.findings) std::fprintf(stderr, "%s: %s\n", finding.pointer.c_str(), finding.message.c_str());
      std::abort();
    }
    return *checked.value;
  }

  /// `width` clients, each starting its next run when the last has ended, until the time or the count is used up.
  Figures load(const dsl::PlanPtr& plan, std::size_t width, std::uint64_t limit = UINT64_MAX) {
    struct Client {
      std::vector<float> times;
      Steady::time_point started;
    };
    std::vector<Client> clients(width);
    std::atomic<std::uint64_t> begun{0};
    std::atomic<std::size_t> active{width};
    std::promise<void> over;
    const auto before = engine_->statistics();
    const auto writes_before = database_->statistics();
    const auto start = Steady::now();
    const auto end = start + std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(seconds_));
    WorkflowId workflow = WorkflowId::make(clock_.now(), random_);
    std::function<void(std::size_t)> next = [&](std::size_t i) {
      if (begun.fetch_add(1) >= limit || Steady::now() >= end) {
        if (--active == 0) over.set_value();
        return;
      }
      engine::StartRequest request;
      request.plan = plan;
      request.organization = organization_;
      request.workflow = workflow;
      request.shard = i % threads_->size();
      clients[i].started = Steady::now();
      engine_->start_run(std::move(request), {}, [&, i](const engine::RunView& view) {
        if (view.phase != engine::Phase::completed) std::abort();
        clients[i].times.push_back(std::chrono::duration<float, std::milli>(Steady::now() - clients[i].started).count());
        next(i);
      });
    };
    for (std::size_t i = 0; i < width; ++i) threads_->post(i % threads_->size(), [&next, i] { next(i); });
    over.get_future().wait();
    const auto elapsed = std::chrono::duration<double>(Steady::now() - start).count();
    const auto after = engine_->statistics();
    std::vector<float> times;
    for (const auto& client : clients) times.insert(times.end(), client.times.begin(), client.times.end());
    std::sort(times.begin(), times.end());
    Figures figures;
    const auto runs = static_cast<double>(times.size());
    const auto rows = static_cast<double>(after.journal_rows - before.journal_rows) + runs;
    figures.per_second = runs / elapsed;
    figures.p50_ms = times.empty() ? 0 : static_cast<double>(times[times.size() / 2]);
    figures.p99_ms = times.empty() ? 0 : static_cast<double>(times[times.size() * 99 / 100]);
    const auto commits = static_cast<double>(database_->statistics().commits - writes_before.commits);
    figures.rows_per_commit = rows / commits;
    figures.rows_per_second = rows / elapsed;
    return figures;
  }

  /// Rows of 200 bytes, `batch` in a transaction, straight into the database.
  double raw_rows(std::size_t batch) {
    static_cast<void>(database_->write_and_wait([](storage::Transaction& t) {
      return t.execute_script("create table if not exists raw (run blob, seq integer, data blob, primary key (run, seq)) without rowid");
    }));
    const std::string data(200, 'x');
    const auto start = Steady::now();
    std::uint64_t rows = 0;
    while (std::chrono::duration<double>(Steady::now() - start).count() < std::min(seconds_, 1.0)) {
      static_cast<void>(database_->write_and_wait([&](storage::Transaction& t) -> Result<void> {
        for (std::size_t i = 0; i < batch; ++i) {
          const auto id = WorkflowId::make(clock_.now(), random_);
          PAWL_TRY_VOID(t.execute("insert into raw values ($1, $2, $3)", {id, 0, storage::Parameter::blob(data)}));
        }
        return {};
      }));
      rows += batch;
    }
    const auto elapsed = std::chrono::duration<double>(Steady::now() - start).count();
    static_cast<void>(database_->write_and_wait([](storage::Transaction& t) { return t.execute_script("drop table raw"); }));
    return static_cast<double>(rows) / elapsed;
  }

 private:
  std::filesystem::path folder_;
  double seconds_;
  SystemClock clock_;
  SystemRandom random_;
  OrganizationId organization_;
  engine::FunctionRegistry functions_;
  NoPlans plans_;
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<async::IoThreads> threads_;
  std::unique_ptr<engine::Engine> engine_;
};

void print(const char* name, Bench& bench, const Figures& f) {
  const auto batch = std::max<std::size_t>(1, static_cast<std::size_t>(f.rows_per_commit + 0.5));
  const auto raw = bench.raw_rows(batch);
  std::printf("%-28s %9.0f runs/s   p50 %7.3f ms   p99 %7.3f ms   %6.1f rows/commit   %8.0f rows/s = %3.0f %% of raw SQLite (%.0f)\n", name,
              f.per_second, f.p50_ms, f.p99_ms, f.rows_per_commit, f.rows_per_second, 100 * f.rows_per_second / raw, raw);
  std::fflush(stdout);
}

std::uintmax_t folder_bytes(const std::filesystem::path& folder) {
  std::uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

void disk(const std::filesystem::path& folder) {
  constexpr std::uint64_t kRuns = 10'000;
  for (const std::string_view effect : {"once", "read"}) {
    const auto place = folder / ("disk-" + std::string(effect));
    std::uintmax_t empty = 0;
    { const Bench bench(place, 60); }
    empty = folder_bytes(place);
    {
      Bench bench(place, 60);
      static_cast<void>(bench.load(bench.compile("ten", steps(10, effect)), 64, kRuns));
    }
    std::printf("disk, 10,000 runs of ten %-5s steps: %.2f MB\n", std::string(effect).c_str(),
                static_cast<double>(folder_bytes(place) - empty) / 1e6);
  }
}

int run(const std::filesystem::path& folder, double seconds, const std::vector<std::string>& names) {
  const auto wanted = [&names](std::string_view name) {
    return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
  };
  {
    Bench bench(folder / "load", seconds);
    const auto noop = bench.compile("noop", "\n  - a: {set: {x: 1}}");
    const auto once = bench.compile("once", steps(10, "once"));
    const auto read = bench.compile("read", steps(10, "read"));
    const auto fan = bench.compile("fan", fan_out(100));
    static_cast<void>(bench.load(noop, 64, 2000));  // warm up
    if (wanted("one")) print("no-op, 1 client", bench, bench.load(noop, 1));
    if (wanted("noop")) print("no-op, 64 clients", bench, bench.load(noop, 64));
    if (wanted("read")) print("ten read steps, 64", bench, bench.load(read, 64));
    if (wanted("once")) print("ten once steps, 64", bench, bench.load(once, 64));
    if (wanted("once")) print("ten once steps, 1", bench, bench.load(once, 1));
    if (wanted("fanout")) print("fan-out 100 once, 1", bench, bench.load(fan, 1));
  }
  if (wanted("disk")) disk(folder);
  return 0;
}

}  // namespace
}  // namespace pawl::bench

int main(int argc, char** argv) {
  double seconds = 2;
  std::filesystem::path folder;
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--seconds" && i + 1 < argc) {
      seconds = std::strtod(argv[++i], nullptr);
    } else if (option == "--folder" && i + 1 < argc) {
      folder = argv[++i];
    } else {
      names.push_back(option);
    }
  }
  const bool own = folder.empty();
  if (own) {
    std::string pattern = (std::filesystem::temp_directory_path() / "pawl-bench-XXXXXX").string();
    folder = mkdtemp(pattern.data());
  }
  const auto result = pawl::bench::run(folder, seconds, names);
  if (own) std::filesystem::remove_all(folder);
  return result;
}
