/// How a mail leaves: SMTP, or files in a folder.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/time.hpp"

namespace pawl::mail {

/// One composed mail on its way.
struct Parcel {
  std::string id;    ///< fit for a file name
  std::string from;  ///< bare addresses
  std::string to;
  std::string content;
};

/// Blocks. `deliver` is called on the sender's thread only.
///
/// Errors: `mail.refused` (the server has answered 5xx to this very mail: trying again is of no use), `mail.unavailable` (everything else:
/// later, perhaps). Messages name no credentials and no content.
class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;
  [[nodiscard]] virtual Result<void> deliver(const Parcel& parcel) = 0;
  /// Could a mail leave now? Sends none. Any thread; waits `patience` at most.
  [[nodiscard]] virtual Result<void> check(Millis patience) = 0;
  /// Removes what it has kept of mails to this address: only files are kept. Any thread.
  [[nodiscard]] virtual Result<void> forget(std::string_view /*recipient*/) { return {}; }
  /// Ends a delivery in the middle, and all later ones. Any thread.
  virtual void stop() {}
};

struct SmtpOptions {
  std::string host;
  std::uint16_t port = 587;
  std::string username{};
  std::string password{};
  /// Port 465: TLS from the first byte. Other ports: STARTTLS is required, never optional. False: no encryption at all, for a relay on
  /// the same host; then a password is not sent either.
  bool use_tls = true;
  std::string ca_file{};  ///< empty: the system's authorities
  Millis connect_timeout{10'000};
  Millis timeout{30'000};
};
[[nodiscard]] std::unique_ptr<Transport> make_smtp_transport(SmtpOptions options);

/// Writes `<id>.eml` (mode 0600) into the folder, which is made with mode 0700.
[[nodiscard]] std::unique_ptr<Transport> make_file_transport(std::filesystem::path folder);

}  // namespace pawl::mail
