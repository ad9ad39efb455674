/// Bytes as text: base64url (RFC 4648 section 5, without padding) for tokens, base32 (section 6, without padding) for what people type.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pawl::crypto {

[[nodiscard]] std::string to_base64url(std::string_view bytes);
/// Nothing for text that is not exactly what `to_base64url` writes: padding, other letters, spare bits that are set.
[[nodiscard]] std::optional<std::string> from_base64url(std::string_view text);

/// Upper case.
[[nodiscard]] std::string to_base32(std::string_view bytes);

}  // namespace pawl::crypto
