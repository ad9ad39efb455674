#include <algorithm>
#include <atomic>

#include "mail/smtp.hpp"
#include "mail/transport.hpp"

namespace pawl::mail {
namespace {

constexpr std::uint16_t kImplicitTlsPort = 465;

MailServer server_of(SmtpOptions options) {
  MailServer server;
  server.host = std::move(options.host);
  server.port = options.port;
  server.security = !options.use_tls ? Security::none : options.port == kImplicitTlsPort ? Security::tls : Security::starttls;
  if (options.use_tls) {
    server.username = std::move(options.username);
    server.password = std::move(options.password);
  }
  server.ca_file = std::move(options.ca_file);
  server.connect_timeout = options.connect_timeout;
  server.timeout = options.timeout;
  return server;
}

/// Anything but a clear no to this very mail, wrong credentials included, can be mended by the operator while the mail waits.
Result<void> final_or_later(Result<void> result) {
  if (result.has_value() || result.error().code == "mail.refused") return result;
  return Error(ErrorClass::unavailable, "mail.unavailable", result.error().message);
}

class SmtpTransport final : public Transport {
 public:
  explicit SmtpTransport(SmtpOptions options) : server_(server_of(std::move(options))) {}

  [[nodiscard]] Result<void> deliver(const Parcel& parcel) override {
    return final_or_later(send_by_smtp(server_, {parcel.from, {parcel.to}}, parcel.content, stopping_));
  }

  [[nodiscard]] Result<void> check(Millis patience) override {
    MailServer server = server_;
    server.connect_timeout = patience;
    server.timeout = patience;
    const auto greeted = greet_by_smtp(server, stopping_);
    if (greeted.has_error()) return Error(ErrorClass::unavailable, "mail.unavailable", greeted.error().message);
    return {};
  }

  void stop() override { stopping_ = true; }

 private:
  MailServer server_;
  std::atomic<bool> stopping_ = false;
};

}  // namespace

std::unique_ptr<Transport> make_smtp_transport(SmtpOptions options) { return std::make_unique<SmtpTransport>(std::move(options)); }

}  // namespace pawl::mail
