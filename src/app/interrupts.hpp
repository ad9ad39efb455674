/// Waiting for Ctrl-C, SIGTERM, or another thread.
///
/// The first signal wakes `wait`; a second one ends the process at once (the journal is recovered at the next start). Handlers, not a
/// blocked mask, so that child processes start with the default behaviour.
#pragma once

#include <optional>

#include "base/time.hpp"

namespace pawl::app {

class Interrupts {
 public:
  /// Installs the handlers. One object at a time.
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  /// Returns after a signal, after `wake`, or when the time is over (none: never).
  void wait(std::optional<Millis> patience = std::nullopt);
  /// Any thread.
  void wake();
  /// The signal that came, or 0.
  [[nodiscard]] int signal() const;
};

}  // namespace pawl::app
