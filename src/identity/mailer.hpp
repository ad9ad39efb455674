/// Mail that accounts ask for. The message joins the caller's transaction, so that a token is never kept without its mail or the reverse.
#pragma once

#include <string>

#include "base/error.hpp"
#include "base/time.hpp"

namespace pawl::storage {
class Transaction;
}

namespace pawl::identity {

/// Plain text. `text` may hold a one-time link: it must lie sealed, and never be logged.
struct Message {
  std::string kind;     ///< for people and figures: `password-reset`
  std::string to;       ///< one address, checked
  std::string subject;  ///< one line
  std::string text;
  Millis keep{};  ///< not worth sending after this long
};

class Mailer {
 public:
  Mailer() = default;
  Mailer(const Mailer&) = delete;
  Mailer& operator=(const Mailer&) = delete;
  virtual ~Mailer() = default;
  /// Queues it for delivery once the transaction is committed. On the writer thread.
  [[nodiscard]] virtual Result<void> send(storage::Transaction& transaction, const Message& message) = 0;
};

}  // namespace pawl::identity
