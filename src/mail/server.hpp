/// A mail server to speak to, by SMTP or IMAP, and what may go wrong on the way.
///
/// | code | class | meaning |
/// | --- | --- | --- |
/// | `mail.refused` | invalid | the server says no to this very mail (550 to 554): trying again is of no use |
/// | `mail.arguments` | invalid | a text, date or credential that cannot be sent |
/// | `mail.log_in` | unauthenticated | the server does not take the credentials |
/// | `mail.not_encrypted` | invalid | credentials are not sent over a connection without encryption |
/// | `mail.server` | unavailable | the server answers with anything else that is no success |
/// | `mail.not_found` | not_found | there is no such mailbox |
/// | `mail.too_large` | too_large | it sends more than is wanted |
/// | `mail.cancelled` | unavailable | it was asked to stop |
/// | `net.refused_address`, `net.dns`, `net.connect`, `net.tls`, `net.timeout` | as in net/outbound.hpp | |
///
/// Messages name no credentials and no content.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.hpp"

namespace pawl::net {
struct AddressPolicy;
}

namespace pawl::mail {

enum class Security : std::uint8_t {
  starttls,  ///< begins in clear and must go over to TLS before anything is said
  tls,       ///< TLS from the first byte
  none,      ///< no encryption, and then no credentials either
};

struct MailServer {
  std::string host;  ///< a name or an address, without brackets
  std::uint16_t port = 587;
  Security security = Security::starttls;
  std::string username{};
  std::string password{};
  std::string ca_file{};                       ///< empty: the system's authorities
  const net::AddressPolicy* policy = nullptr;  ///< which addresses may be connected to; null: any (the operator's own server)
  Millis connect_timeout{10'000};
  Millis timeout{30'000};
};

}  // namespace pawl::mail
