/// Starting a program from a process with many threads: everything is prepared beforehand, then the child makes system calls only.
#pragma once

#include <linux/filter.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "functions/detail/fd.hpp"

namespace pawl::functions {

struct LaunchPlan {
  std::string program;  ///< path
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  ///< NAME=VALUE
  std::string working_directory;         ///< empty: /
  std::vector<std::pair<int, rlim_t>> limits;
  std::vector<int> inherited;       ///< these become 3, 4, 5 ... in the child; all others are closed
  bool report = false;              ///< gives `kReportDescriptor` to the child
  int ruleset = -1;                 ///< Landlock
  std::vector<sock_filter> filter;  ///< seccomp; empty: none
  bool drop_capabilities = false;
  int announce = -1;      ///< where the child writes `+` and its number before the program begins; -1: nowhere
  bool outlives = false;  ///< goes on when the calling thread has ended
};

struct Launched {
  pid_t pid = -1;  ///< leads a process group and session of its own
  Fd pidfd;
  Fd input;  ///< our ends, non-blocking
  Fd output;
  Fd error_output;
  Fd report;  ///< where the plan asked for it
};

/// The child is killed when the calling thread ends, unless the plan says otherwise. Error `process.start`: names the step that failed.
[[nodiscard]] Result<Launched> launch(const LaunchPlan& plan);

struct ExitStatus {
  bool signalled = false;
  int code = 0;  ///< exit code or signal
};
/// Waits for the end and reaps. Blocks unless the pidfd is readable already.
ExitStatus wait_for_exit(const Launched& launched);

}  // namespace pawl::functions
