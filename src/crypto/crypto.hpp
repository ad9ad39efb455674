/// Cryptographic building blocks over libsodium: random tokens, keyed hashes, sealing, comparison in constant time.
///
/// All functions are thread-safe. The library is initialised on first use; failing that ends the process.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pawl::crypto {

using Digest = std::array<std::uint8_t, 32>;
/// Key of `seal` and of `keyed_hash`.
using Key = std::array<std::uint8_t, 32>;

/// `bytes` random bytes as URL-safe base64 without padding (43 characters for 32 bytes).
[[nodiscard]] std::string random_token(std::size_t bytes = 32);

/// BLAKE2b-256.
[[nodiscard]] Digest hash(std::string_view data);
[[nodiscard]] Digest keyed_hash(const Key& key, std::string_view data);
/// HMAC-SHA256 in lower-case hexadecimal, as webhooks sign with it.
[[nodiscard]] std::string hmac_sha256_hex(std::string_view key, std::string_view data);
/// A key for one purpose from a secret of any length; different `context` texts give unrelated keys.
[[nodiscard]] Key derive_key(std::string_view secret, std::string_view context);

/// Key of `short_hash`.
using ShortKey = std::array<std::uint8_t, 16>;
[[nodiscard]] ShortKey random_short_key();
/// SipHash-2-4: for hash tables whose keys an outsider chooses.
[[nodiscard]] std::uint64_t short_hash(const ShortKey& key, std::string_view data) noexcept;

/// Takes the same time whatever the contents. Texts of different length differ (the length is not hidden: hash first where it matters).
[[nodiscard]] bool equal(std::string_view left, std::string_view right);
[[nodiscard]] bool equal(const Digest& left, const Digest& right);

/// XChaCha20-Poly1305 with a random nonce in front. `bound` is authenticated but not stored: the same text must be given to `open`.
[[nodiscard]] std::string seal(const Key& key, std::string_view plain, std::string_view bound);
/// Nothing where the key, the data or `bound` is not what was sealed.
[[nodiscard]] std::optional<std::string> open(const Key& key, std::string_view sealed, std::string_view bound);

}  // namespace pawl::crypto
