/// The thread that sends what waits in the outbox.
///
/// One mail at a time. A mail that could not be sent waits 5 seconds, then 10, 20 ... up to 15 minutes, until its time is over. After a
/// crash in the middle of a delivery the mail is sent again: at least once, not at most once.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/time.hpp"
#include "mail/outbox.hpp"
#include "mail/transport.hpp"

namespace pawl::storage {
class Database;
}

namespace pawl::mail {

/// How long a mail waits after its `attempts`-th failure.
[[nodiscard]] Millis pause_after(std::uint32_t attempts);

class Sender {
 public:
  struct Dependencies {
    storage::Database& database;
    const Outbox& outbox;
    Transport& transport;
    const Clock& clock;
    std::string from;                                  ///< a bare address
    std::function<void(const std::string&)> report{};  ///< a sentence for the log about a delivery that failed; may be empty
  };
  explicit Sender(Dependencies dependencies);
  /// Like `stop`.
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  void start();
  /// Ends a delivery in the middle (it is repeated after the next start) and joins. Idempotent.
  void stop();
  /// Look now: something was committed. Any thread. Without it, mails are found within a second.
  void wake();

  /// Sends what is due and returns how many deliveries were tried; what the thread does over and over, for tests.
  [[nodiscard]] Result<int> send_due();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::mail
