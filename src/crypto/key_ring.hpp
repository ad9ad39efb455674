/// Seals what must not lie readable in the database (credentials of integrations, TOTP seeds, mail bodies), under keys that can change.
///
///     const crypto::KeyRing ring(config_key, previous_keys);
///     const auto sealed = ring.seal(secret, {"integrations.sealed_config", id, organization});   // goes into a blob column
///     PAWL_TRY(secret, ring.open(sealed, {"integrations.sealed_config", id, organization}));
///
/// A value is sealed with XChaCha20-Poly1305 under the *current* key, whose id stands in front of it, and opens with the current key or
/// a previous one. So a key is exchanged without a gap: the new one becomes current, the old one stays as previous until
/// `pawl keys rotate` has sealed everything anew (storage/sealed_columns.hpp).
///
/// The place is authenticated: a value that was copied to another row, column or organization does not open.
///
/// A column that holds sealed values is called `sealed_...`, is a blob, and stands in `app/sealed_columns.cpp`; a test finds the one
/// that does not.
///
/// Layout: 1 byte version, 8 bytes key id, 24 bytes nonce, text, 16 bytes tag. Immutable after construction, so thread-safe. Keys are
/// wiped when the ring dies.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "crypto/crypto.hpp"

namespace pawl::crypto {

/// Where a sealed value belongs. A view: lives as long as what it was made from.
struct SealedPlace {
  std::string_view column;        ///< `table.column`
  std::string_view row;           ///< the row's key: the 16 bytes of an id, or a text
  OrganizationId organization{};  ///< nil where the row belongs to none (accounts)

  SealedPlace(std::string_view a_column, std::string_view a_row, const OrganizationId& an_organization = {})
      : column(a_column), row(a_row), organization(an_organization) {}
  SealedPlace(std::string_view a_column, const Uuid& a_row, const OrganizationId& an_organization = {})
      : SealedPlace(a_column, std::string_view(reinterpret_cast<const char*>(a_row.bytes.data()), a_row.bytes.size()), an_organization) {}
  template <class Tag>
  SealedPlace(std::string_view a_column, const Id<Tag>& a_row, const OrganizationId& an_organization = {})
      : SealedPlace(a_column, a_row.uuid, an_organization) {}
};

/// Names a key without saying anything about it.
using KeyId = std::array<std::uint8_t, 8>;
/// 16 hexadecimal digits.
[[nodiscard]] std::string to_text(const KeyId& id);

class KeyRing {
 public:
  /// From secret texts of any length (ENCRYPTION_KEY and ENCRYPTION_KEY_PREVIOUS).
  explicit KeyRing(std::string_view current, std::span<const std::string> previous = {});
  KeyRing(const KeyRing&) = default;
  KeyRing(KeyRing&&) noexcept = default;
  KeyRing& operator=(const KeyRing&) = default;
  KeyRing& operator=(KeyRing&&) noexcept = default;
  ~KeyRing();

  [[nodiscard]] std::string seal(std::string_view plain, const SealedPlace& place) const;
  /// Error `crypto.unknown_key`: sealed under a key that is neither current nor previous. Error `crypto.damaged`: changed, cut short,
  /// or sealed for another place.
  [[nodiscard]] Result<std::string> open(std::string_view sealed, const SealedPlace& place) const;

  [[nodiscard]] const KeyId& current() const { return keys_.front().id; }
  [[nodiscard]] bool knows(const KeyId& id) const;
  /// All of them, the current one first.
  [[nodiscard]] std::vector<KeyId> ids() const;
  [[nodiscard]] bool is_current(std::string_view sealed) const;
  /// The key that a value was sealed under; nothing where this is no sealed value.
  [[nodiscard]] static std::optional<KeyId> key_of(std::string_view sealed);

 private:
  struct Entry {
    KeyId id{};
    Key key{};
  };
  std::vector<Entry> keys_;  ///< the current one first
};

}  // namespace pawl::crypto
