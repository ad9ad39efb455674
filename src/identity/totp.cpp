#include "identity/totp.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "crypto/crypto.hpp"
#include "crypto/encoding.hpp"
#include "crypto/hmac.hpp"

namespace pawl::identity {
namespace {

constexpr std::int64_t kStepMillis = 30'000;
constexpr std::size_t kDigits = 6;

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kSafe = "-._~@";
  std::string out;
  for (const char c : text) {
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (alphanumeric || kSafe.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

std::string make_totp_seed() { return crypto::random_bytes(kTotpSeedBytes); }

std::int64_t totp_step(TimePoint time) { return time.time_since_epoch().count() / kStepMillis; }

std::string totp_code(std::string_view seed, std::int64_t step) {
  std::string counter(8, '\0');
  for (std::size_t i = 0; i < counter.size(); ++i) counter[i] = static_cast<char>(static_cast<std::uint64_t>(step) >> (56 - 8 * i));
  const auto mac = crypto::hmac_sha1(seed, counter);
  // RFC 4226 section 5.3: dynamic truncation.
  const std::size_t offset = mac.back() & 0x0FU;
  const std::uint32_t bits = (static_cast<std::uint32_t>(mac[offset] & 0x7FU) << 24U) |
                             (static_cast<std::uint32_t>(mac[offset + 1]) << 16U) | (static_cast<std::uint32_t>(mac[offset + 2]) << 8U) |
                             static_cast<std::uint32_t>(mac[offset + 3]);
  return fmt::format("{:06}", bits % 1'000'000U);
}

std::optional<std::int64_t> match_totp(std::string_view seed, std::string_view code, TimePoint now, std::int64_t last_used) {
  std::string digits(code);
  std::erase(digits, ' ');
  if (digits.size() != kDigits) return std::nullopt;
  std::optional<std::int64_t> found;
  const auto current = totp_step(now);
  for (const auto step : {current - 1, current, current + 1}) {
    const bool same = crypto::equal(totp_code(seed, step), digits);
    if (same && step > last_used && !found) found = step;
  }
  return found;
}

std::string totp_uri(std::string_view seed, std::string_view issuer, std::string_view account) {
  return fmt::format("otpauth://totp/{}:{}?secret={}&issuer={}&algorithm=SHA1&digits=6&period=30", percent_encoded(issuer),
                     percent_encoded(account), crypto::to_base32(seed), percent_encoded(issuer));
}

}  // namespace pawl::identity
