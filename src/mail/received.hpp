/// Reads mails that others have written (RFC 5322, MIME): header fields with encoded words, multipart bodies, quoted-printable and base64,
/// any charset that iconv knows.
///
/// Everything in such a mail may be a lie or a mistake. Reading never fails on one: what cannot be decoded stays as it is, with U+FFFD for
/// what is no text, and what is nested too deep or has too many parts is left out. All texts that come out are UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::mail {

struct ReceivedAttachment {
  std::string name;  ///< as the sender calls it; not fit for a path
  std::string type;
  std::size_t size = 0;  ///< decoded
};

struct Received {
  std::string from;
  std::string to;
  std::string cc;
  std::string subject;
  std::string date;  ///< as written
  std::string message_id;
  std::string text;  ///< the first plain text
  std::string html;  ///< the first HTML; empty where there is plain text only
  std::vector<ReceivedAttachment> attachments;
};

/// `message`: one whole mail, with either line end. A text without header fields is a body.
[[nodiscard]] Received read_message(std::string_view message);

/// The mails of an mbox file (RFC 4155): each begins with a line `From `. Quoted `>From ` lines come back as they were. A text that is no
/// mbox is one mail. At most `limit` mails.
[[nodiscard]] std::vector<std::string> split_mbox(std::string_view mailbox, std::size_t limit);

/// RFC 2047: `=?utf-8?q?Gr=C3=BC=C3=9Fe?=` becomes text.
[[nodiscard]] std::string decode_words(std::string_view field);

/// Bytes of a charset as UTF-8; as they are, made valid, where iconv does not know it.
[[nodiscard]] std::string to_utf8_from(std::string_view charset, std::string_view bytes);

}  // namespace pawl::mail
