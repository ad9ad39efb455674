/// Processes that have been started before anybody needs them: inside their sandbox, waiting for their standard input. Each serves one
/// call and ends with it, so nothing of a call is there for the next one, whoever made it.
///
/// A kind is kept in stock from its first call on, and until nobody has called for it for `warm_idle`. Not thread-safe: the runner's own.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "functions/detail/launch.hpp"
#include "functions/detail/process.hpp"
#include "functions/detail/process_watch.hpp"
#include "functions/detail/sandbox.hpp"

namespace pawl::functions {

class ProcessStock {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Started {
    Launched process;
    std::string scratch;
  };

  ProcessStock(const FunctionsOptions& options, ProcessWatch& watch) : options_(options), watch_(watch) {}
  /// Like `end_all`.
  ~ProcessStock() { end_all(); }
  ProcessStock(const ProcessStock&) = delete;
  ProcessStock& operator=(const ProcessStock&) = delete;

  /// One that waits and is alive, for a call like `spec` (`kind` is not empty). From now on such processes are kept.
  [[nodiscard]] std::optional<Started> take(const ProcessSpec& spec, Time now);

  void end_all();
  /// Starts at most one process that is missing; `busy`: while a call runs, only where none is left. Ends what nobody has called for.
  void replenish(SandboxKind sandbox, bool busy, Time now);
  /// When `replenish` has something to do by itself: `Time::max()`: not before something is taken.
  [[nodiscard]] Time next(bool busy, Time now) const;

 private:
  struct Kind {
    ProcessSpec pattern;
    std::vector<Started> waiting;
    Time used{};
    unsigned failures = 0;  // in a row
  };
  void end(const Started& started);
  [[nodiscard]] bool wanted(const Kind& kind, bool busy) const;

  const FunctionsOptions& options_;
  ProcessWatch& watch_;
  std::vector<Kind> kinds_;
};

}  // namespace pawl::functions
