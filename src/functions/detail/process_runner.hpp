/// Runs processes and watches them from one thread of its own: pipes, time, output size, number of subprocesses, end.
///
/// The thread starts with the first process, and so does the search for a sandbox that works here. At most `max_running_processes` run at
/// once; others wait in order. Whatever ends a process, its whole group (and under bubblewrap its whole process namespace) is killed, so
/// nothing of it stays behind; and all of them die with the server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "functions/detail/process.hpp"
#include "functions/functions.hpp"

namespace pawl::functions {

class ProcessRunner {
 public:
  using Id = std::uint64_t;
  /// Comes once, on the runner's thread; must not block or throw.
  using Done = std::function<void(ProcessResult)>;

  explicit ProcessRunner(FunctionsOptions options);
  /// Kills what runs, answers `cancelled` to all, joins the thread; on that thread itself (a `Done` held the last
  /// owner) it lets it end.
  ~ProcessRunner();
  ProcessRunner(const ProcessRunner&) = delete;
  ProcessRunner& operator=(const ProcessRunner&) = delete;

  /// Any thread; does not block.
  Id start(ProcessSpec spec, Done done);
  /// Any thread, any time. `Done` follows with `cancelled` unless the process has ended already.
  void cancel(Id id);
  /// Any thread, any time: whoever talks with that process has something to tell it (`ProcessSpec::converse`).
  void nudge(Id id);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  ///< and its thread's
};

}  // namespace pawl::functions
