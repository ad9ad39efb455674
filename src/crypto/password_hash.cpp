#include "crypto/password_hash.hpp"

#include <sodium.h>

#include <array>

#include "base/assert.hpp"

namespace pawl::crypto {
namespace {

void ensure_initialised() {
  static const bool ready = sodium_init() >= 0;
  PAWL_ASSERT(ready, "libsodium needs the system's random source");
}

}  // namespace

std::optional<std::string> hash_password(std::string_view password, const PasswordCost& cost) {
  ensure_initialised();
  std::array<char, crypto_pwhash_STRBYTES> text{};
  const int made =
      crypto_pwhash_str_alg(text.data(), password.data(), password.size(), cost.passes, cost.memory_bytes, crypto_pwhash_ALG_ARGON2ID13);
  if (made != 0) return std::nullopt;
  return std::string(text.data());
}

bool verify_password(std::string_view hash, std::string_view password) {
  ensure_initialised();
  const std::string text(hash);  // libsodium wants a terminating zero
  return crypto_pwhash_str_verify(text.c_str(), password.data(), password.size()) == 0;
}

bool needs_rehash(std::string_view hash, const PasswordCost& cost) {
  ensure_initialised();
  const std::string text(hash);
  return crypto_pwhash_str_needs_rehash(text.c_str(), cost.passes, cost.memory_bytes) != 0;
}

}  // namespace pawl::crypto
