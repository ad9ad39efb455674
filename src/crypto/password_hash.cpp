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

std::string hash_of_nobody(const PasswordCost& cost) {
  ensure_initialised();
  constexpr std::size_t kSalt = 16;
  constexpr std::size_t kHash = 32;
  const auto random = [](std::size_t size) {
    std::string bytes(size, '\0');
    randombytes_buf(bytes.data(), bytes.size());
    std::string text(sodium_base64_ENCODED_LEN(size, sodium_base64_VARIANT_ORIGINAL_NO_PADDING), '\0');
    sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    text.pop_back();  // the terminating zero
    return text;
  };
  return "$argon2id$v=19$m=" + std::to_string(cost.memory_bytes / 1024) + ",t=" + std::to_string(cost.passes) + ",p=1$" + random(kSalt) +
         "$" + random(kHash);
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
