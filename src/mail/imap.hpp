/// Reads mails of a mailbox on a server by IMAP4rev1 (RFC 3501). Blocks, on any thread.
///
/// The mailbox stays as it is: it is opened by EXAMINE and mails are fetched by BODY.PEEK, so that nothing becomes "seen". The server is a
/// stranger: every line, literal and list that it sends has a limit, whatever sizes it announces.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "mail/server.hpp"

namespace pawl::mail {

/// What all mails must match. Texts are in ASCII without line breaks.
struct ImapSearch {
  bool unseen = false;
  std::string from{};     ///< part of the field; empty: any
  std::string subject{};  ///< likewise
  std::string since{};    ///< `2026-11-26`: received then or later; empty: any time
};

struct ImapQuery {
  std::string mailbox = "INBOX";  ///< in ASCII without line breaks
  ImapSearch search{};
  std::size_t max_mails = 100;        ///< the newest ones
  std::size_t max_mail = 10U << 20U;  ///< bytes; what is longer is cut off there
  std::size_t max_total = 64U << 20U;
};

struct ImapMail {
  std::uint32_t uid = 0;
  std::string content;
  bool is_cut = false;
};

struct ImapMails {
  std::size_t found = 0;  ///< that match, fetched or not
  std::vector<ImapMail> mails;
};

/// Oldest first. Errors of server.hpp.
[[nodiscard]] Result<ImapMails> read_by_imap(const MailServer& server, const ImapQuery& query, const std::atomic<bool>& stop);

}  // namespace pawl::mail
