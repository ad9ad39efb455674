/// HMAC (RFC 2104) as bytes, for signed tokens and one-time passwords; and random bytes as they are. Thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "crypto/crypto.hpp"

namespace pawl::crypto {

[[nodiscard]] Digest hmac_sha256(std::string_view key, std::string_view data);
/// Only for one-time passwords (RFC 4226), which prescribe it.
[[nodiscard]] std::array<std::uint8_t, 20> hmac_sha1(std::string_view key, std::string_view data);

[[nodiscard]] std::string random_bytes(std::size_t bytes);

}  // namespace pawl::crypto
