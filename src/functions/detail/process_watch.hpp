/// A small process beside the server that outlives it: when the server is gone, in whatever way, it kills what the server had started and
/// not yet waited for.
///
/// The kernel kills the process that the server itself has started (`launch`), and bubblewrap asks for the same for those below it, but
/// only once it has set everything up: before, a server that is killed leaves a command that runs on without anybody who watches its time.
/// Those are in the process group of the first, which is killed here, or in a session of their own under bubblewrap's name, which carries a
/// mark of this watch for that.
///
/// Not thread-safe: the runner's own.
#pragma once

#include <optional>
#include <string>

#include "base/error.hpp"
#include "functions/detail/launch.hpp"

namespace pawl::functions {

class ProcessWatch {
 public:
  ProcessWatch();
  /// Everything has been waited for by now.
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  /// As `launch`; the new process has told the watch about itself before its program begins. Starts the watch where there is none (any
  /// more; it is told of nothing that was started before).
  [[nodiscard]] Result<Launched> launch(LaunchPlan plan);
  /// As `wait_for_exit`; from then on the process is nobody's concern.
  ExitStatus wait(const Launched& launched) const;

 private:
  [[nodiscard]] Result<void> begin();

  std::string mark_;  ///< what the command lines of bubblewrap's processes begin with
  std::optional<Launched> watch_;
};

}  // namespace pawl::functions
