/// Pieces of reading mails: transfer encodings, charsets, header fields and their parameters.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pawl::mail::detail {

[[nodiscard]] std::string lower(std::string_view text);
[[nodiscard]] std::string_view trim(std::string_view text);

/// Lenient: what is not of the alphabet is skipped, the end may be missing.
[[nodiscard]] std::string decode_base64(std::string_view text);
/// `in_header`: `_` is a space (RFC 2047, "Q").
[[nodiscard]] std::string decode_quoted(std::string_view text, bool in_header);

/// Header fields with their lines joined, in order; names in lower case.
using Fields = std::vector<std::pair<std::string, std::string>>;
/// `rest` becomes what follows the empty line. No field at all: everything is the rest.
[[nodiscard]] Fields read_fields(std::string_view text, std::string_view& rest);
/// The first of that name; empty where there is none.
[[nodiscard]] std::string_view field_of(const Fields& fields, std::string_view name);

/// `text/plain; charset="utf-8"`: the value in lower case and its parameters, with RFC 2231's pieces joined and decoded.
struct Parameterized {
  std::string value;
  std::vector<std::pair<std::string, std::string>> parameters;

  [[nodiscard]] std::string parameter(std::string_view name) const;
};
[[nodiscard]] Parameterized read_parameterized(std::string_view field);

}  // namespace pawl::mail::detail
