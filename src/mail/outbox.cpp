#include "mail/outbox.hpp"

#include "json/parse.hpp"
#include "json/write.hpp"
#include "storage/database.hpp"

namespace pawl::mail {
namespace {

constexpr int kPassedOver = 16;  ///< rows that `take` may mark as failed in one call
constexpr std::size_t kMaxError = 300;

std::string to_body(const Message& message) { return json::to_text(json::Value::object({{"text", message.text}, {"html", message.html}})); }

bool from_body(std::string_view body, Message& message) {
  const auto value = json::parse(body);
  if (value.has_error() || !value->get("text").is_string() || !value->get("html").is_string()) return false;
  message.text = std::string(value->get("text").as_string());
  message.html = std::string(value->get("html").as_string());
  return true;
}

}  // namespace

Result<void> Outbox::enqueue(storage::Transaction& transaction, const Message& message, TimePoint now) const {
  PAWL_TRY_VOID(check(message));
  const auto id = MailId::make(now, random_);
  const auto sealed = seals_.seal(to_body(message), {kSealedBody.name, id});
  PAWL_TRY_VOID(
      transaction.execute("insert into outbox (id, kind, recipient, subject, sealed_body, state, next_at, expires_at, created_at) "
                          "values ($1, $2, $3, $4, $5, 'waiting', $6, $7, $8)",
                          {id, message.kind, message.to, message.subject, storage::Parameter::blob(sealed), now, now + message.keep, now}));
  return {};
}

Result<std::optional<Outbox::Waiting>> Outbox::take(storage::Transaction& transaction, TimePoint now, Millis lease) const {
  for (int round = 0; round < kPassedOver; ++round) {
    std::optional<Waiting> found;
    std::string sealed;
    TimePoint due{};
    TimePoint expires{};
    PAWL_TRY_VOID(
        transaction.query("select id, kind, recipient, subject, sealed_body, attempts, next_at, expires_at from outbox where state = "
                          "'waiting' and next_at <= $1 "
                          "order by next_at limit 1",
                          {now}, [&](const storage::Row& row) {
                            found.emplace();
                            found->id = row.id<MailId>(0);
                            found->message.kind = std::string(row.text(1));
                            found->message.to = std::string(row.text(2));
                            found->message.subject = std::string(row.text(3));
                            sealed = std::string(row.blob(4));
                            found->attempts = static_cast<std::uint32_t>(row.integer(5)) + 1;
                            due = row.time(6);
                            expires = row.time(7);
                          }));
    if (!found) return std::optional<Waiting>();
    if (expires <= now) {
      PAWL_TRY_VOID(mark_failed(transaction, found->id, "Not sent in time.", now));
      continue;
    }
    const auto body = seals_.open(sealed, {kSealedBody.name, found->id});
    if (body.has_error() || !from_body(*body, found->message)) {
      PAWL_TRY_VOID(mark_failed(transaction, found->id, "Cannot be opened: its ENCRYPTION_KEY is not there any more.", now));
      continue;
    }
    // Another process may have taken it between the look and this line.
    PAWL_TRY(taken, transaction.execute("update outbox set next_at = $1, attempts = attempts + 1 where id = $2 and next_at = $3",
                                        {now + lease, found->id, due}));
    if (taken == 1) return found;
  }
  return std::optional<Waiting>();
}

Result<void> Outbox::mark_sent(storage::Transaction& transaction, const MailId& id, TimePoint now) {
  PAWL_TRY_VOID(
      transaction.execute("update outbox set state = 'sent', sealed_body = null, last_error = '', ended_at = $1 where id = $2", {now, id}));
  return {};
}

Result<void> Outbox::mark_failed(storage::Transaction& transaction, const MailId& id, std::string_view error, TimePoint now) {
  PAWL_TRY_VOID(transaction.execute("update outbox set state = 'failed', sealed_body = null, last_error = $1, ended_at = $2 where id = $3",
                                    {error.substr(0, kMaxError), now, id}));
  return {};
}

Result<void> Outbox::put_off(storage::Transaction& transaction, const MailId& id, std::string_view error, TimePoint next) {
  PAWL_TRY_VOID(transaction.execute("update outbox set last_error = $1, next_at = $2 where id = $3 and state = 'waiting'",
                                    {error.substr(0, kMaxError), next, id}));
  return {};
}

Result<std::int64_t> Outbox::purge(storage::Transaction& transaction, TimePoint before) {
  return transaction.execute("delete from outbox where ended_at < $1", {before});
}

Result<Outbox::Status> Outbox::status(storage::Session& session) {
  Status status;
  PAWL_TRY_VOID(session.query("select state, count(*), min(created_at) from outbox where state <> 'sent' group by state", {},
                              [&](const storage::Row& row) {
                                if (row.text(0) == "failed") {
                                  status.failed = row.integer(1);
                                } else {
                                  status.waiting = row.integer(1);
                                  status.oldest_waiting = row.optional_time(2);
                                }
                              }));
  PAWL_TRY_VOID(session.query("select last_error from outbox where state = 'waiting' order by created_at limit 1", {},
                              [&](const storage::Row& row) { status.last_error = std::string(row.text(0)); }));
  return status;
}

}  // namespace pawl::mail
