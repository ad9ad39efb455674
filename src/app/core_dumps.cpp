#include "app/core_dumps.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>

namespace pawl::app {

Result<void> keep_memory_private() {
  const rlimit none{0, 0};
  // A pipe in kernel.core_pattern is not bound by the limit: what is not dumpable is never dumped.
  if (setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0) return {};
  return Error(ErrorClass::internal, "app.core_dumps", std::string("core dumps cannot be switched off: ") + std::strerror(errno));
}

}  // namespace pawl::app
