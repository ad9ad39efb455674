/// System call filters for sandboxed processes, as classic BPF programs made at run time.
///
/// A deny list: what a script has no use for and what widens the kernel's attack surface (mounts, namespaces, keyrings, io_uring, tracing,
/// modules) answers `EPERM`. It stands in addition to bubblewrap's namespaces; under Landlock it also closes what Landlock leaves open.
#pragma once

#include <linux/filter.h>

#include <vector>

namespace pawl::functions {

struct FilterOptions {
  bool network = false;  ///< internet sockets may be made
  bool alone = false;    ///< no namespaces around the process: forbid leaving the process group, named sockets, change of modes and owners
  int landlock_version = 0;  ///< with `alone`: below 6 signals are forbidden, below 3 truncation without write access
};

/// A program for `SECCOMP_MODE_FILTER`.
[[nodiscard]] std::vector<sock_filter> make_filter(const FilterOptions& options);

}  // namespace pawl::functions
