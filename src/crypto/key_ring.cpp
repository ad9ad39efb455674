#include "crypto/key_ring.hpp"

#include <sodium.h>

#include <algorithm>

namespace pawl::crypto {
namespace {

constexpr char kVersion = 1;
constexpr std::size_t kHead = 1 + std::tuple_size_v<KeyId>;
constexpr std::size_t kShortest = kHead + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES;

/// A length in front of each part, so that no two places give the same text.
void append(std::string& out, std::string_view part) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((part.size() >> static_cast<unsigned>(shift)) & 0xFFU);
  out += part;
}

std::string bound_data(std::string_view head, const SealedPlace& place) {
  std::string out(head);
  append(out, place.column);
  append(out, place.row);
  const auto& organization = place.organization.uuid.bytes;
  out.append(reinterpret_cast<const char*>(organization.data()), organization.size());
  return out;
}

std::string head_of(const KeyId& id) {
  std::string head(1, kVersion);
  head.append(reinterpret_cast<const char*>(id.data()), id.size());
  return head;
}

}  // namespace

std::string to_text(const KeyId& id) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const auto byte : id) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0xFU];
  }
  return text;
}

KeyRing::KeyRing(std::string_view current, std::span<const std::string> previous) {
  const auto add = [this](std::string_view secret) {
    Entry entry{.id = {}, .key = derive_key(secret, "pawl sealed data")};
    const auto name = keyed_hash(entry.key, "pawl key id");
    std::copy_n(name.begin(), entry.id.size(), entry.id.begin());
    if (!knows(entry.id)) keys_.push_back(entry);
    sodium_memzero(entry.key.data(), entry.key.size());
  };
  keys_.reserve(1 + previous.size());  // no copies of keys left behind by a growing vector
  add(current);
  for (const auto& secret : previous) add(secret);
}

KeyRing::~KeyRing() {
  for (auto& entry : keys_) sodium_memzero(entry.key.data(), entry.key.size());
}

std::string KeyRing::seal(std::string_view plain, const SealedPlace& place) const {
  auto out = head_of(current());
  out += crypto::seal(keys_.front().key, plain, bound_data(out, place));
  return out;
}

Result<std::string> KeyRing::open(std::string_view sealed, const SealedPlace& place) const {
  const auto damaged = [&] {
    return Error(ErrorClass::internal, "crypto.damaged",
                 "A sealed value of " + std::string(place.column) + " does not open: it was changed, or belongs to another row.");
  };
  const auto id = key_of(sealed);
  if (!id) return damaged();
  const auto entry = std::find_if(keys_.begin(), keys_.end(), [&](const Entry& candidate) { return candidate.id == *id; });
  if (entry == keys_.end()) {
    return Error(ErrorClass::internal, "crypto.unknown_key",
                 "A sealed value of " + std::string(place.column) + " needs the key " + to_text(*id) +
                     ", which is neither ENCRYPTION_KEY nor in ENCRYPTION_KEY_PREVIOUS.");
  }
  auto plain = crypto::open(entry->key, sealed.substr(kHead), bound_data(sealed.substr(0, kHead), place));
  if (!plain) return damaged();
  return std::move(*plain);
}

bool KeyRing::knows(const KeyId& id) const {
  return std::any_of(keys_.begin(), keys_.end(), [&](const Entry& entry) { return entry.id == id; });
}

std::vector<KeyId> KeyRing::ids() const {
  std::vector<KeyId> out;
  for (const auto& entry : keys_) out.push_back(entry.id);
  return out;
}

bool KeyRing::is_current(std::string_view sealed) const { return key_of(sealed) == current(); }

std::optional<KeyId> KeyRing::key_of(std::string_view sealed) {
  if (sealed.size() < kShortest || sealed.front() != kVersion) return std::nullopt;
  KeyId id{};
  std::transform(sealed.begin() + 1, sealed.begin() + kHead, id.begin(), [](char letter) { return static_cast<std::uint8_t>(letter); });
  return id;
}

}  // namespace pawl::crypto
