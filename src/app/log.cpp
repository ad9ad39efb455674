#include "app/log.hpp"

#include <unistd.h>

#include <fmt/core.h>

#include <atomic>

#include "base/time.hpp"

namespace pawl::app {
namespace {

std::atomic<Level> lowest{Level::info};

std::string_view name_of(Level level) {
  switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warning: return "warning";
    case Level::error: return "error";
  }
  return "";
}

}  // namespace

void set_log_level(Level level) { lowest = level; }

void log(Level level, std::string_view sentence) {
  if (level < lowest.load(std::memory_order_relaxed)) return;
  const auto line = fmt::format("{} {} {}\n", to_rfc3339(SystemClock().now()), name_of(level), sentence);
  // One call a line: lines of several threads do not mix. Nobody can act on a log that cannot be written.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace pawl::app
