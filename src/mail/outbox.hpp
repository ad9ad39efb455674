/// Mails that wait in the database until they are sent.
///
/// A mail is put in by the transaction that causes it: both happen, or none. Its text is sealed at rest, because it may carry a one-time
/// token; once sent it is erased, and the row (who, what, when) remains for a while.
///
///     outbox.enqueue(transaction, message, now);     // in the transaction
///     ...                                            // after the commit the sender finds it within a second
///
/// Thread-safe; state lives in the database. The key ring outlives it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "crypto/key_ring.hpp"
#include "mail/message.hpp"
#include "storage/sealed_columns.hpp"

namespace pawl::mail {

using MailId = Id<struct MailTag>;

inline constexpr storage::SealedColumn kSealedBody{
    .name = "outbox.sealed_body",
    .key = storage::SealedColumn::Key::blob,
    .select = "select id, null, sealed_body from outbox where id > $1 and sealed_body is not null order by id limit $2",
    .update = "update outbox set sealed_body = $1 where id = $2 and sealed_body = $3"};

class Outbox {
 public:
  Outbox(const crypto::KeyRing& seals, Random& random) : seals_(seals), random_(random) {}

  /// Errors: `mail.invalid_message`, those of storage.
  [[nodiscard]] Result<void> enqueue(storage::Transaction& transaction, const Message& message, TimePoint now) const;

  struct Waiting {
    MailId id;
    Message message;
    std::uint32_t attempts = 0;  ///< with this one
  };
  /// Takes the mail that has waited longest, if one is due; nobody else gets it before `now + lease`. A mail beyond its time, or one that
  /// no key of the ring opens, is marked as failed and passed over.
  [[nodiscard]] Result<std::optional<Waiting>> take(storage::Transaction& transaction, TimePoint now, Millis lease) const;
  [[nodiscard]] static Result<void> mark_sent(storage::Transaction& transaction, const MailId& id, TimePoint now);
  [[nodiscard]] static Result<void> mark_failed(storage::Transaction& transaction, const MailId& id, std::string_view error, TimePoint now);
  /// `error` is shown to operators.
  [[nodiscard]] static Result<void> put_off(storage::Transaction& transaction, const MailId& id, std::string_view error, TimePoint next);
  /// Removes rows of mails that ended before `before`; answers how many.
  [[nodiscard]] static Result<std::int64_t> purge(storage::Transaction& transaction, TimePoint before);

  struct Status {
    std::int64_t waiting = 0;
    std::int64_t failed = 0;
    std::optional<TimePoint> oldest_waiting;
    std::string last_error;  ///< of the mail that waits longest
  };
  [[nodiscard]] static Result<Status> status(storage::Session& session);

 private:
  const crypto::KeyRing& seals_;
  Random& random_;
};

}  // namespace pawl::mail
