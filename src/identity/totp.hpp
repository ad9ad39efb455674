/// Time-based one-time passwords (RFC 6238 over RFC 4226): SHA-1, six digits, steps of 30 seconds, one step of leeway on both sides. What
/// every authenticator app speaks. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace pawl::identity {

inline constexpr std::size_t kTotpSeedBytes = 20;

/// 20 random bytes.
[[nodiscard]] std::string make_totp_seed();
/// The number of the step that `time` lies in.
[[nodiscard]] std::int64_t totp_step(TimePoint time);
/// Six digits.
[[nodiscard]] std::string totp_code(std::string_view seed, std::int64_t step);
/// The step that `code` belongs to, among the current one and its neighbours, but only if it is later than `last_used`: a code works once.
/// Spaces within the code are skipped. Compares in constant time.
[[nodiscard]] std::optional<std::int64_t> match_totp(std::string_view seed, std::string_view code, TimePoint now, std::int64_t last_used);
/// What the QR code says: `otpauth://totp/Issuer:account?secret=...`.
[[nodiscard]] std::string totp_uri(std::string_view seed, std::string_view issuer, std::string_view account);

}  // namespace pawl::identity
