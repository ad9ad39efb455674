/// Passwords: which ones are taken, and hashing them without letting sign-ins eat the machine.
///
/// A hash costs tens of milliseconds and 64 MiB by design, so only a few run at once; a bounded number of callers waits for a turn, one
/// more is told `auth.busy` (503). `verify` does the same work whether or not there is such a user: without a hash it verifies against one
/// that belongs to nobody, so the time says nothing about which addresses have accounts.
///
/// `PasswordHasher` blocks: on a worker thread. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "crypto/password_hash.hpp"

namespace pawl::identity {

inline constexpr std::size_t kMinPasswordCharacters = 10;
inline constexpr std::size_t kMaxPasswordBytes = 1024;

/// Nothing where the password will do, else what is wrong with it as a sentence: at least 10 characters, at most 1024 bytes, valid UTF-8,
/// none of the commonest, not the e-mail address or a part of it, not one character or a short pattern over and over. No rule about which
/// kinds of characters (NIST SP 800-63B section 5.1.1.2).
[[nodiscard]] std::optional<std::string> password_weakness(std::string_view password, std::string_view email);
/// The same as an error: `auth.weak_password` (422), with a finding at `pointer`.
[[nodiscard]] Result<void> check_password(std::string_view password, std::string_view email, std::string_view pointer = "/password");

struct PasswordHasherOptions {
  crypto::PasswordCost cost{};
  std::uint32_t parallel = 2;
  std::uint32_t max_waiting = 32;
};

class PasswordHasher {
 public:
  explicit PasswordHasher(const PasswordHasherOptions& options);
  PasswordHasher(const PasswordHasher&) = delete;
  PasswordHasher& operator=(const PasswordHasher&) = delete;
  ~PasswordHasher() = default;

  /// Errors `auth.busy`; `auth.no_memory` (503) where the machine has none to give.
  [[nodiscard]] Result<std::string> hash(std::string_view password);
  /// Error `auth.busy`. Nobody's password is never right.
  [[nodiscard]] Result<bool> verify(const std::optional<std::string>& hash, std::string_view password);
  /// Should a new hash take the place of this one, because the cost has changed?
  [[nodiscard]] bool is_outdated(std::string_view hash) const;

  struct Statistics {
    std::uint64_t hashes = 0;  ///< argon2 runs since the start
    std::uint64_t refused = 0;
  };
  [[nodiscard]] Statistics statistics() const;

 private:
  class Turn;
  [[nodiscard]] bool take_turn();
  void give_turn();

  PasswordHasherOptions options_;
  std::string nobody_;
  mutable std::mutex mutex_;
  std::condition_variable free_;
  std::uint32_t running_ = 0;
  std::uint32_t waiting_ = 0;
  Statistics statistics_;
};

}  // namespace pawl::identity
