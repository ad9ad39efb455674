/// The mail server that the arguments of a call name: host, port, security, credentials, timeout.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.hpp"
#include "functions/detail/builtin.hpp"
#include "json/value.hpp"
#include "mail/server.hpp"

namespace pawl::functions {

/// What is usual for a protocol.
struct MailPorts {
  std::uint16_t usual = 0;         ///< where none is named
  std::uint16_t implicit_tls = 0;  ///< where TLS begins with the first byte, unless `security` says otherwise
};

/// `prefix` stands in front of `host`, `port`, `username` and `password`. The address guard and the authorities are those of the
/// installation. Errors `mail.arguments` (credentials without encryption), those of `duration_argument`.
[[nodiscard]] Result<mail::MailServer> mail_server(const json::Value& arguments, std::string_view prefix, const MailPorts& ports,
                                                   const Parts& parts);

}  // namespace pawl::functions
