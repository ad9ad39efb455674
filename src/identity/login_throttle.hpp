/// Slows down guessing of one account's password, whatever the request limits let through.
///
/// Failures are counted per address of e-mail *and* place they come from, and per address of e-mail alone, within 15 minutes:
///
/// | failures                     | then                                                        |
/// | ---                          | ---                                                         |
/// | 10 from one place            | that place waits 30 s, and twice as long after each further failure, at most 5 minutes |
/// | 100 from everywhere together | everybody waits 30 s after each failure                     |
///
/// So a stranger who guesses locks himself out soon, and the owner elsewhere not at all; only an attack from many places slows the owner
/// down, and a reset of the password ends that. Attempts while one has to wait are refused without being looked at or counted: nobody is
/// locked out for ever. An address without an account behaves the same. Survives restarts; kept as digests.
///
/// Blocks: on a worker thread.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/time.hpp"
#include "crypto/crypto.hpp"

namespace pawl::storage {
class Session;
class Transaction;
}  // namespace pawl::storage

namespace pawl::identity {

class LoginThrottle {
 public:
  static constexpr std::chrono::minutes kWindow{15};
  static constexpr int kFreeFailures = 10;
  static constexpr int kFreeFailuresTogether = 100;
  static constexpr std::chrono::seconds kFirstWait{30};
  static constexpr std::chrono::minutes kLongestWait{5};

  /// `key` keeps the digests from being computed by whoever reads the database.
  explicit LoginThrottle(const crypto::Key& key) : key_(key) {}

  /// Error `auth.too_many_attempts` (429) with the seconds to wait in its message.
  [[nodiscard]] Result<void> check(storage::Session& session, std::string_view email_key, std::string_view address, TimePoint now) const;
  [[nodiscard]] Result<void> failed(storage::Transaction& transaction, std::string_view email_key, std::string_view address,
                                    TimePoint now) const;
  /// After a sign-in: what this place did is forgotten.
  [[nodiscard]] Result<void> succeeded(storage::Transaction& transaction, std::string_view email_key, std::string_view address) const;
  /// After a reset of the password: also what all others did.
  [[nodiscard]] Result<void> reset(storage::Transaction& transaction, std::string_view email_key, std::string_view address) const;

 private:
  [[nodiscard]] std::string subject(std::string_view email_key, std::string_view address) const;
  crypto::Key key_;
};

}  // namespace pawl::identity
