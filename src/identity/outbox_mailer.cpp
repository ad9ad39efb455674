#include "identity/outbox_mailer.hpp"

#include "mail/outbox.hpp"

namespace pawl::identity {

Result<void> OutboxMailer::send(storage::Transaction& transaction, const Message& message) {
  mail::Message out;
  out.kind = message.kind;
  out.to = message.to;
  out.subject = message.subject;
  out.text = message.text;
  out.html = mail::html_of(message.text);
  out.keep = message.keep;
  return outbox_.enqueue(transaction, out, clock_.now());
}

}  // namespace pawl::identity
