#include "crypto/hmac.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#include "base/assert.hpp"

namespace pawl::crypto {
namespace {

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

}  // namespace

Digest hmac_sha256(std::string_view key, std::string_view data) {
  crypto_auth_hmacsha256_state state;
  Digest mac{};
  static_assert(std::tuple_size_v<Digest> == crypto_auth_hmacsha256_BYTES);
  crypto_auth_hmacsha256_init(&state, bytes_of(key), key.size());
  crypto_auth_hmacsha256_update(&state, bytes_of(data), data.size());
  crypto_auth_hmacsha256_final(&state, mac.data());
  return mac;
}

std::array<std::uint8_t, 20> hmac_sha1(std::string_view key, std::string_view data) {
  std::array<std::uint8_t, 20> mac{};
  unsigned int size = 0;
  const auto* made = HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()), bytes_of(data), data.size(), mac.data(), &size);
  PAWL_ASSERT(made != nullptr && size == mac.size(), "OpenSSL needs memory for a SHA-1");
  return mac;
}

std::string random_bytes(std::size_t bytes) {
  static const bool ready = sodium_init() >= 0;
  PAWL_ASSERT(ready, "libsodium needs the system's random source");
  std::string raw(bytes, '\0');
  randombytes_buf(raw.data(), raw.size());
  return raw;
}

}  // namespace pawl::crypto
