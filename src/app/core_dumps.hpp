/// What a crash leaves: memory holds keys, passwords and tokens, and must not become a file or be read by another process.
#pragma once

#include "base/error.hpp"

namespace pawl::app {

/// For the rest of this process: no core dump, and nobody but root attaches to it. Programs that it starts are not affected by the second.
[[nodiscard]] Result<void> keep_memory_private();

}  // namespace pawl::app
