#include "crypto/crypto.hpp"

#include <sodium.h>

#include "base/assert.hpp"

namespace pawl::crypto {
namespace {

void ensure_initialised() {
  static const bool ready = sodium_init() >= 0;
  PAWL_ASSERT(ready, "libsodium needs the system's random source");
}

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

}  // namespace

std::string random_token(std::size_t bytes) {
  ensure_initialised();
  std::string raw(bytes, '\0');
  randombytes_buf(raw.data(), raw.size());
  std::string text(sodium_base64_encoded_len(bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes_of(raw), raw.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  text.pop_back();  // the terminating zero
  return text;
}

Digest hash(std::string_view data) {
  ensure_initialised();
  Digest digest{};
  crypto_generichash(digest.data(), digest.size(), bytes_of(data), data.size(), nullptr, 0);
  return digest;
}

Digest keyed_hash(const Key& key, std::string_view data) {
  ensure_initialised();
  Digest digest{};
  crypto_generichash(digest.data(), digest.size(), bytes_of(data), data.size(), key.data(), key.size());
  return digest;
}

std::string hmac_sha256_hex(std::string_view key, std::string_view data) {
  ensure_initialised();
  crypto_auth_hmacsha256_state state;
  std::array<unsigned char, crypto_auth_hmacsha256_BYTES> mac{};
  crypto_auth_hmacsha256_init(&state, bytes_of(key), key.size());
  crypto_auth_hmacsha256_update(&state, bytes_of(data), data.size());
  crypto_auth_hmacsha256_final(&state, mac.data());
  std::string text(mac.size() * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), mac.data(), mac.size());
  text.pop_back();
  return text;
}

Key derive_key(std::string_view secret, std::string_view context) {
  // The secret is long and random (config refuses others outside of development), so one keyed hash is enough: no password hash needed.
  return keyed_hash(hash(secret), context);
}

ShortKey random_short_key() {
  ensure_initialised();
  static_assert(std::tuple_size_v<ShortKey> == crypto_shorthash_KEYBYTES);
  ShortKey key{};
  crypto_shorthash_keygen(key.data());
  return key;
}

std::uint64_t short_hash(const ShortKey& key, std::string_view data) noexcept {
  std::uint64_t result = 0;
  static_assert(sizeof result == crypto_shorthash_BYTES);
  crypto_shorthash(reinterpret_cast<unsigned char*>(&result), bytes_of(data), data.size(), key.data());
  return result;
}

bool equal(std::string_view left, std::string_view right) {
  return left.size() == right.size() && sodium_memcmp(left.data(), right.data(), left.size()) == 0;
}

bool equal(const Digest& left, const Digest& right) { return sodium_memcmp(left.data(), right.data(), left.size()) == 0; }

std::string seal(const Key& key, std::string_view plain, std::string_view bound) {
  ensure_initialised();
  constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
  std::string out(kNonce + plain.size() + crypto_aead_xchacha20poly1305_ietf_ABYTES, '\0');
  randombytes_buf(out.data(), kNonce);
  unsigned long long written = 0;
  crypto_aead_xchacha20poly1305_ietf_encrypt(bytes_of(out) + kNonce, &written, bytes_of(plain), plain.size(), bytes_of(bound), bound.size(),
                                             nullptr, bytes_of(out), key.data());
  return out;
}

std::optional<std::string> open(const Key& key, std::string_view sealed, std::string_view bound) {
  ensure_initialised();
  constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
  constexpr std::size_t kOverhead = kNonce + crypto_aead_xchacha20poly1305_ietf_ABYTES;
  if (sealed.size() < kOverhead) return std::nullopt;
  std::string plain(sealed.size() - kOverhead, '\0');
  unsigned long long written = 0;
  const int failed =
      crypto_aead_xchacha20poly1305_ietf_decrypt(bytes_of(plain), &written, nullptr, bytes_of(sealed) + kNonce, sealed.size() - kNonce,
                                                 bytes_of(bound), bound.size(), bytes_of(sealed), key.data());
  if (failed != 0) return std::nullopt;
  return plain;
}

}  // namespace pawl::crypto
