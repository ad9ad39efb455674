/// The mailer of the product: what accounts and organizations write goes into the outbox, with a plain page of HTML beside the text.
#pragma once

#include "base/time.hpp"
#include "identity/mailer.hpp"

namespace pawl::mail {
class Outbox;
}

namespace pawl::identity {

class OutboxMailer final : public Mailer {
 public:
  OutboxMailer(const mail::Outbox& outbox, const Clock& clock) : outbox_(outbox), clock_(clock) {}
  [[nodiscard]] Result<void> send(storage::Transaction& transaction, const Message& message) override;

 private:
  const mail::Outbox& outbox_;
  const Clock& clock_;
};

}  // namespace pawl::identity
