/// The thread that tells channels and mail readers, and whoever looks at the moment.
///
/// A notification that is new, or has counted on, is handed to whom it concerns once, in one transaction; each of them is then told at most
/// every `interval`, everything that has come together in one digest: a storm of failures is one message now and one later. A mail is
/// exactly one (the outbox takes it in the same transaction); a channel is told at least once, again after 5 s, 10 s ... where it fails,
/// for a day. What is older than `keep` is removed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "identity/mailer.hpp"
#include "notify/channels.hpp"

namespace pawl::notify {

/// How long a channel is left alone after its `attempts`-th failure in a row.
[[nodiscard]] Millis pause_after(std::int64_t attempts);

class Dispatcher {
 public:
  struct Dependencies {
    storage::Database& database;
    Channels& channels;
    identity::Mailer* mailer = nullptr;  ///< null: no mails
    const Clock& clock;
    std::string public_url;  ///< start of links
    Millis interval{300'000};
    Millis keep = std::chrono::hours(90 * 24);
    /// Somebody may be looking: a notification is there. On the thread.
    std::function<void(const OrganizationId&, const NotificationId&, std::string_view kind, int least_role)> raise{};
    std::function<void(const std::string&)> report{};  ///< a sentence for the log; may be empty
  };
  explicit Dispatcher(Dependencies dependencies);
  /// Like `stop`.
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  void start();
  /// What a channel answers later is not waited for: it is told again after the next start.
  void stop();

  /// One look, for tests: hands out what is new and tells who is due.
  [[nodiscard]] Result<void> look();
  /// Removes what is old.
  [[nodiscard]] Result<void> purge();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace pawl::notify
