/// What carries live events between the processes of one installation. One process alone needs none.
///
/// Best effort, at most once: a message that the carrier loses is not repeated, because the database is the record and a client that was
/// told of a gap reads it again. A relay may hand a message back to its sender; the hub knows its own and drops them.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace pawl::live {

class Relay {
 public:
  struct Receiver {
    std::function<void(std::string_view message)> message;  ///< one message, in the order of its sender
    std::function<void()> gap;                              ///< the carrier was away: anything may have been missed
  };

  Relay() = default;
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  virtual ~Relay() = default;

  /// Hands one message (JSON text, at most 64 KiB) to every other process. Any thread, also one that must not wait: never blocks. False
  /// when it cannot be sent now, or when an earlier one turned out to be lost since the last call.
  virtual bool publish(std::string message) = 0;

  /// From now on `receiver` is called, on a thread of the relay's. With empty functions: no more, and when this returns no call is under
  /// way. Not from inside a call.
  virtual void receive(Receiver receiver) = 0;
};

}  // namespace pawl::live
