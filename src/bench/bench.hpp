/// The built-in benchmarks (`pawl bench`): durable workflows over HTTP on a real server process, beside the machine's own limits.
///
/// Everything is bounded in count and time, listens on loopback only and cleans up after itself.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "json/value.hpp"

namespace pawl::bench {

struct BenchOptions {
  std::string name;          ///< run only the benchmark of this name; empty: all
  std::string program;       ///< path of the pawl binary to start
  std::string folder;        ///< an empty folder on the disk to measure
  std::string database_url;  ///< what the servers store in; empty: SQLite in the folder
  bool quick = false;        ///< a tenth of the load: a smoke test, no figures to quote
};

/// One measured figure. `ratio` is to `yardstick` of the same run (0: none).
struct Figure {
  std::string benchmark;
  std::string metric;
  double value = 0;
  std::string unit;
  double target = 0;  ///< 0: none
  bool more_is_better = true;
  std::string yardstick{};
  double ratio = 0;
};

[[nodiscard]] Result<std::vector<Figure>> run_benchmarks(const BenchOptions& options);
[[nodiscard]] std::vector<std::string> benchmark_names();

[[nodiscard]] std::string to_table(const std::vector<Figure>& figures);
[[nodiscard]] json::Value to_json(const std::vector<Figure>& figures);

/// The bare server that requests per second are compared with (`pawl bench --hello PORT`): answers every GET with two bytes until SIGTERM,
/// and is the model that agents are measured with (`POST /v1/chat/completions`).
int serve_hello(std::uint16_t port);

}  // namespace pawl::bench
