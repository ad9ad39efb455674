#pragma once

#include <sys/types.h>

#include <cstddef>

namespace pawl::functions {

/// Processes in the tree below and including `root`, counting no further than `limit`. Zero where it has ended.
[[nodiscard]] std::size_t count_processes(pid_t root, std::size_t limit);

}  // namespace pawl::functions
