#include "functions/detail/mail_server.hpp"

#include <fmt/format.h>

#include "net/address_policy.hpp"

namespace pawl::functions {
namespace {

constexpr Millis kUsualTimeout{60'000};

}  // namespace

Result<mail::MailServer> mail_server(const json::Value& arguments, std::string_view prefix, const MailPorts& ports, const Parts& parts) {
  const auto named = [&](std::string_view name) { return fmt::format("{}{}", prefix, name); };
  PAWL_TRY(timeout, duration_argument(arguments, "timeout"));
  mail::MailServer server;
  const json::Value& port = arguments.get(named("port"));
  server.host = text_or(arguments, named("host"), "");
  server.port = static_cast<std::uint16_t>(port.is_integer() ? port.as_integer() : ports.usual);
  const std::string security = text_or(arguments, "security", server.port == ports.implicit_tls ? "tls" : "starttls");
  server.security = security == "none" ? mail::Security::none : security == "tls" ? mail::Security::tls : mail::Security::starttls;
  server.username = text_or(arguments, named("username"), "");
  server.password = text_or(arguments, named("password"), "");
  server.ca_file = parts.options.ca_file;
  static const net::AddressPolicy kPublic;
  server.policy = parts.dependencies.policy != nullptr ? parts.dependencies.policy : &kPublic;
  server.timeout = timeout.value_or(kUsualTimeout);
  if (server.security == mail::Security::none && !server.username.empty()) {
    return Error(ErrorClass::invalid, "mail.arguments",
                 fmt::format("credentials are not sent without encryption: leave out `{}` or change `security`", named("username")));
  }
  return server;
}

}  // namespace pawl::functions
