/// Sends a composed mail to a server by SMTP. Blocks, on any thread.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "mail/server.hpp"

namespace pawl::mail {

struct SmtpEnvelope {
  std::string from;  ///< bare addresses
  std::vector<std::string> to;
};

/// The server has taken the mail for all recipients, or an error of server.hpp: then it was not sent, unless the connection broke after its
/// last byte.
[[nodiscard]] Result<void> send_by_smtp(const MailServer& server, const SmtpEnvelope& envelope, std::string_view content,
                                        const std::atomic<bool>& stop);

/// Connects, with TLS and credentials as a delivery would, and asks for nothing.
[[nodiscard]] Result<void> greet_by_smtp(const MailServer& server, const std::atomic<bool>& stop);

}  // namespace pawl::mail
