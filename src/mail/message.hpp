/// A mail as the product writes it: one recipient, text, perhaps HTML. `letter.hpp` says how it travels.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/time.hpp"
#include "mail/letter.hpp"

namespace pawl::mail {

struct Message {
  std::string kind;  ///< for people and figures: `invitation`, `password-reset`
  std::string to;    ///< a bare address
  std::string subject;
  std::string text;
  std::string html{};                        ///< empty: text only
  Millis keep = std::chrono::hours(3 * 24);  ///< not worth sending after this long: what its link leads to has expired
};

/// Error `mail.invalid_message`: recipient or subject cannot be sent. Checked before a message is kept, too.
[[nodiscard]] Result<void> check(const Message& message);

/// The whole text with CRLF line ends. Errors: those of `check`, and `mail.invalid_message` for the sender's address or the id.
[[nodiscard]] Result<std::string> compose(const Message& message, const Envelope& envelope);

/// Text within HTML: `<`, `>`, `&` and quotes as entities.
[[nodiscard]] std::string escape_html(std::string_view text);
/// Plain text as a page: a paragraph for each block of lines; a line that is an http(s) address becomes a link.
[[nodiscard]] std::string html_of(std::string_view text);

}  // namespace pawl::mail
