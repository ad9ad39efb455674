/// A mail with everything that mails have (several recipients, attachments), and the one writer of messages (RFC 5322, MIME).
///
/// A field that holds a line break or another control character is refused, so nobody can add a recipient or a header through a name or a
/// subject. Text, HTML and attachments travel as base64; what is not ASCII in a subject as encoded words (RFC 2047), in a file name as RFC
/// 2231 has it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"

namespace pawl::mail {

/// A bare address in ASCII, `local@domain`, without quotes, comments, spaces or control characters, at most 254 bytes.
[[nodiscard]] bool is_address(std::string_view text);

struct Attachment {
  std::string name;  ///< a file name without folders
  std::string type;  ///< `application/pdf`
  std::string content;
};

struct Letter {
  std::vector<std::string> to;  ///< bare addresses, as all others here
  std::vector<std::string> cc{};
  std::vector<std::string> bcc{};  ///< get the mail, and stand nowhere in it
  std::string reply_to{};          ///< empty: none
  std::string subject{};
  std::string text{};  ///< empty beside HTML: HTML alone
  std::string html{};  ///< empty: text alone
  std::vector<Attachment> attachments{};
};

struct Envelope {
  std::string from;        ///< a bare address
  std::string message_id;  ///< left of the `@`
  TimePoint date{};
};

/// Error `mail.invalid_message`: no recipient, or a field that cannot be sent.
[[nodiscard]] Result<void> check(const Letter& letter);

/// The whole text with CRLF line ends. Errors: those of `check`, and `mail.invalid_message` for the sender's address or the id.
[[nodiscard]] Result<std::string> compose(const Letter& letter, const Envelope& envelope);

/// Every address that gets the mail, each once.
[[nodiscard]] std::vector<std::string> recipients_of(const Letter& letter);

}  // namespace pawl::mail
