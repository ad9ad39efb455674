#include "app/log.hpp"

#include <memory>
#include <shared_mutex>

#include "base/time.hpp"

namespace pawl::app {
namespace {

// The one global of the program besides the assertion handler: whoever puts parts together may have something to say.
std::unique_ptr<observe::Log>& current() {
  static const SystemClock clock;
  static auto log = observe::Log::open(clock, {}).value();
  return log;
}

struct Watching {
  std::shared_mutex mutex;
  std::function<void(std::string_view, std::string_view, std::span<const observe::Field>)> watcher;
};
Watching& watching() {
  static Watching one;
  return one;
}

}  // namespace

Result<void> open_log(const observe::LogOptions& options) {
  static const SystemClock clock;
  auto opened = observe::Log::open(clock, options);
  if (opened.has_error()) return std::move(opened).error();
  current() = std::move(*opened);
  return {};
}

void log(Level level, std::string_view sentence) { log(level, "app.message", sentence, {}); }

void log(Level level, std::string_view event, std::string_view sentence, std::initializer_list<observe::Field> fields) {
  current()->write(level, event, sentence, fields);
  if (level != Level::error) return;
  auto& [mutex, watcher] = watching();
  const std::shared_lock lock(mutex);
  if (watcher) watcher(event, sentence, {fields.begin(), fields.size()});
}

void watch_errors(std::function<void(std::string_view, std::string_view, std::span<const observe::Field>)> watcher) {
  auto& watched = watching();
  const std::unique_lock lock(watched.mutex);
  watched.watcher = std::move(watcher);
}

}  // namespace pawl::app
