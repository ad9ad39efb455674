/// Landlock rulesets (Linux 5.13), and what else stands in for a namespace where there is none.
#pragma once

#include <sys/resource.h>

#include <string>
#include <vector>

#include "base/error.hpp"
#include "functions/detail/fd.hpp"

namespace pawl::functions {

struct LandlockRules {
  std::vector<std::string> read_and_run;  ///< paths that do not exist are skipped
  std::vector<std::string> write;         ///< everything below: read, write, make, remove, run
  std::vector<std::string> devices;       ///< read and write, no more
  bool network = false;
};

/// The version of Landlock that the kernel offers; 0: none.
[[nodiscard]] int landlock_version();
[[nodiscard]] Result<Fd> make_ruleset(const LandlockRules& rules);
/// Processes and threads of our user, for RLIMIT_NPROC, which counts them all.
[[nodiscard]] rlim_t tasks_of_user();

}  // namespace pawl::functions
