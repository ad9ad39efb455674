/// A mail as the product writes it, and as it travels (RFC 5322, MIME).
///
/// A field that holds a line break or another control character is refused, so nobody can add a recipient or a header through a name or a
/// subject. Text and HTML travel as base64 of UTF-8; what is not ASCII in a subject as encoded words (RFC 2047).
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/time.hpp"

namespace pawl::mail {

struct Message {
  std::string kind;  ///< for people and figures: `invitation`, `password-reset`
  std::string to;    ///< a bare address
  std::string subject;
  std::string text;
  std::string html{};                        ///< empty: text only
  Millis keep = std::chrono::hours(3 * 24);  ///< not worth sending after this long: what its link leads to has expired
};

/// A bare address in ASCII, `local@domain`, without quotes, comments, spaces or control characters, at most 254 bytes.
[[nodiscard]] bool is_address(std::string_view text);

/// Error `mail.invalid_message`: recipient or subject cannot be sent. Checked before a message is kept, too.
[[nodiscard]] Result<void> check(const Message& message);

struct Envelope {
  std::string from;        ///< a bare address
  std::string message_id;  ///< left of the `@`
  TimePoint date{};
};
/// The whole text with CRLF line ends. Errors: those of `check`, and `mail.invalid_message` for the sender's address.
[[nodiscard]] Result<std::string> compose(const Message& message, const Envelope& envelope);

/// Text within HTML: `<`, `>`, `&` and quotes as entities.
[[nodiscard]] std::string escape_html(std::string_view text);
/// Plain text as a page: a paragraph for each block of lines; a line that is an http(s) address becomes a link.
[[nodiscard]] std::string html_of(std::string_view text);

}  // namespace pawl::mail
