/// What stands between a script and the machine: bubblewrap (namespaces) or Landlock, with seccomp and resource limits on top of either.
///
/// What a sandboxed process has: the system's programs and libraries read-only, a private empty /tmp, the roots (read-only unless the call
/// may write them), and nothing else: not the data folder, no network unless asked for, no environment but what the call gives.
///
/// | | bubblewrap | Landlock |
/// | --- | --- | --- |
/// | needs | user namespaces | Linux 5.13 |
/// | other files | do not exist | cannot be opened |
/// | other processes | not visible | cannot be signalled or traced |
/// | /proc | its own | none |
/// | chmod, chown | allowed in the roots | refused everywhere |
/// | private folder | memory, limited | disk, removed at the end |
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "functions/detail/fd.hpp"
#include "functions/detail/launch.hpp"
#include "functions/detail/process.hpp"
#include "functions/functions.hpp"

namespace pawl::functions {

enum class SandboxKind : std::uint8_t { bubblewrap, landlock, none };

/// Finds out by trying which kind works here (some ten milliseconds). Error `sandbox.unavailable`: none does, or not the one that the
/// options ask for.
[[nodiscard]] Result<SandboxKind> choose_sandbox(const FunctionsOptions& options);

/// Fills in everything that a contained process needs. `prepared` owns what must live until it has started; the scratch folder until it has
/// ended.
struct PreparedProcess {
  LaunchPlan launch;
  std::vector<Fd> descriptors;
  std::string scratch;  ///< folder on disk to be removed at the end; empty: none
};
[[nodiscard]] Result<PreparedProcess> prepare(SandboxKind kind, const ProcessSpec& spec, const FunctionsOptions& options);

}  // namespace pawl::functions
