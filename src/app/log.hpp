/// What the program says about itself while it runs: lines on standard error, `time level sentence`. Thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

namespace pawl::app {

enum class Level : std::uint8_t { debug, info, warning, error };

/// Lines below this level are dropped. Called once, before any thread starts.
void set_log_level(Level level);
void log(Level level, std::string_view sentence);

}  // namespace pawl::app
