/// What only the parts that use a setting, the file system and the database can judge: told together with everything else that is wrong
/// with a configuration, so that a server does not fail once for each of them.
#pragma once

#include "base/error.hpp"
#include "config/config.hpp"

namespace pawl::app {

/// Reads files that the configuration names, and opens those that are written (which makes them where they are missing). Looks into the
/// database only where something is wrong already: by itself a migration that is missing is told by the start. Blocks.
void check_parts(const config::Config& config, Findings& findings);

}  // namespace pawl::app
