#include "app/log.hpp"

#include <memory>

#include "base/time.hpp"

namespace pawl::app {
namespace {

// The one global of the program besides the assertion handler: whoever puts parts together may have something to say.
std::unique_ptr<observe::Log>& current() {
  static const SystemClock clock;
  static auto log = observe::Log::open(clock, {}).value();
  return log;
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
}

}  // namespace pawl::app
