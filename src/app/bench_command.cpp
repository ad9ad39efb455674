// pawl bench: durable workflows over HTTP on a real server process, beside the machine's own limits (module bench).
#include <fmt/core.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp is POSIX

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "bench/bench.hpp"
#include "json/write.hpp"

namespace pawl::app {

namespace fs = std::filesystem;

int run_bench(const BenchOptions& options) {
  if (options.hello_port > 0) return bench::serve_hello(options.hello_port);
  const auto names = bench::benchmark_names();
  if (!options.name.empty() && std::find(names.begin(), names.end(), options.name) == names.end()) {
    fmt::print(stderr, "pawl: there is no benchmark `{}`; there are", options.name);
    for (const auto& name : names) fmt::print(stderr, " {}", name);
    fmt::print(stderr, "\n");
    return kUsage;
  }
  // In the folder of the moment and not in /tmp, which may be memory: durable means a disk.
  std::error_code error;
  auto folder = (fs::current_path(error) / "pawl-bench-XXXXXX").string();
  if (error || ::mkdtemp(folder.data()) == nullptr) {
    fmt::print(stderr, "pawl: cannot make a folder here\n");
    return kFailed;
  }
  bench::BenchOptions bench;
  bench.name = options.name;
  bench.program = fs::read_symlink("/proc/self/exe", error).string();
  bench.folder = folder;
  bench.quick = options.quick;
  bench.database_url = options.database_url;
  const auto figures = bench::run_benchmarks(bench);
  if (figures.has_error()) {
    fmt::print(stderr, "pawl: {} (the logs stay in {})\n", figures.error().message, folder);
    return kFailed;
  }
  fmt::print("{}", options.json ? json::to_text(bench::to_json(figures.value())) + "\n" : bench::to_table(figures.value()));
  fs::remove_all(folder, error);
  return kOk;
}

}  // namespace pawl::app
