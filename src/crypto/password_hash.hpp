/// Argon2id (RFC 9106) over libsodium. Slow and hungry on purpose: callers bound how many run at once (identity/passwords.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pawl::crypto {

/// What one hash takes. The default is above OWASP's least (19 MiB, 2 passes); see docs/authentication.md for its measured time.
struct PasswordCost {
  std::uint32_t passes = 2;
  std::size_t memory_bytes = std::size_t{64} << 20U;
};

/// The PHC text `$argon2id$v=19$m=...$salt$hash`, with a random salt. Nothing where the memory is not to be had.
[[nodiscard]] std::optional<std::string> hash_password(std::string_view password, const PasswordCost& cost);
/// A text of the same form that no password is known to belong to: verifying against it costs what `cost` says, making it nothing.
[[nodiscard]] std::string hash_of_nobody(const PasswordCost& cost);
/// Does the password belong to `hash`? Takes the time that the parameters within `hash` ask for; false for text that is no hash.
[[nodiscard]] bool verify_password(std::string_view hash, std::string_view password);
/// Was `hash` made with other parameters than `cost`?
[[nodiscard]] bool needs_rehash(std::string_view hash, const PasswordCost& cost);

}  // namespace pawl::crypto
