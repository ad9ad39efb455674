#include "functions/detail/encoding.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>

#include "json/write.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kShortestSecret = 4;  // shorter ones would blot out ordinary words

void replace_all(std::string& text, std::string_view secret) {
  for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 3)) text.replace(at, secret.size(), "***");
}

}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string text(sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();  // the terminating NUL
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  std::size_t length = 0;
  std::string_view trimmed = text;
  while (!trimmed.empty() && (trimmed.back() == '=' || trimmed.back() == '\n' || trimmed.back() == '\r' || trimmed.back() == ' '))
    trimmed.remove_suffix(1);
  const int outcome = sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), trimmed.data(), trimmed.size(),
                                        " \r\n", &length, nullptr, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
  if (outcome != 0) return std::nullopt;
  bytes.resize(length);
  return bytes;
}

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  std::string text(digest.size() * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), digest.data(), digest.size());
  text.pop_back();
  return text;
}

std::string as_text(const json::Value& value) { return value.is_string() ? std::string(value.as_string()) : json::to_text(value); }

std::string redact(std::string text, const json::Value& secrets) {
  if (secrets.is_string()) {
    if (secrets.size() >= kShortestSecret) replace_all(text, secrets.as_string());
  } else if (secrets.is_array()) {
    for (const json::Value& item : secrets.items()) text = redact(std::move(text), item);
  } else if (const json::Value* fields = secrets.find("secret_fields"); fields != nullptr && fields->is_array()) {
    // An integration's configuration: the rest of it (hosts, names) is no secret.
    for (const json::Value& field : fields->items()) {
      if (field.is_string()) text = redact(std::move(text), secrets.get(field.as_string()));
    }
  } else if (secrets.is_object()) {
    for (const json::Member& member : secrets.members()) text = redact(std::move(text), member.value);
  }
  return text;
}

}  // namespace pawl::functions
