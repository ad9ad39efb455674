/// Text and bytes: what a JSON value may hold, and how the rest gets in.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "json/value.hpp"

namespace pawl::functions {

[[nodiscard]] std::string to_base64(std::string_view bytes);
/// Standard alphabet, padding and line breaks optional.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

/// SHA-256 as lower-case hexadecimal.
[[nodiscard]] std::string sha256(std::string_view bytes);

/// Text as it is; everything else as JSON.
[[nodiscard]] std::string as_text(const json::Value& value);

/// Replaces every occurrence of a secret in `text` by `***`. `secrets`: any value; its texts of four bytes and more count.
[[nodiscard]] std::string redact(std::string text, const json::Value& secrets);

}  // namespace pawl::functions
