/// The program's own log (`observe::Log`): lines about its life, from every part that `app/` puts together. Thread-safe.
#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <string_view>

#include "base/error.hpp"
#include "observe/log.hpp"

namespace pawl::app {

using observe::Level;

/// Says where lines go and how they look. Called once, before any thread starts; until then: text on standard error from `info` on. Error
/// `log.file`.
[[nodiscard]] Result<void> open_log(const observe::LogOptions& options);
void log(Level level, std::string_view sentence);
/// `event`: a stable dotted name, as alerts look for it.
void log(Level level, std::string_view event, std::string_view sentence, std::initializer_list<observe::Field> fields);

/// Tells `watcher` of every line of level `error`, on the thread that writes it; an empty one takes it away, and is not called any more
/// when this returns. It must not block, nor write such a line itself.
void watch_errors(std::function<void(std::string_view event, std::string_view sentence, std::span<const observe::Field> fields)> watcher);

}  // namespace pawl::app
