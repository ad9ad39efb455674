/// One conversation with a mail server by libcurl: its address behind the guard, its encryption, its credentials, its end on request.
#pragma once

#include <curl/curl.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "mail/server.hpp"

namespace pawl::mail::detail {

struct EasyDeleter {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const noexcept { curl_multi_cleanup(multi); }
};

class Session {
 public:
  /// `scheme` without its `s`: `smtp`, `imap`. `path` begins with a slash or is empty.
  Session(const MailServer& server, std::string_view scheme, std::string_view path);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  /// Connects, with TLS and credentials, and leaves the conversation to `say` and `hear`. All of it together has the server's timeout.
  /// Each blocks until it is over or `stop` is set (looked at every 50 ms). Errors: those of server.hpp.
  [[nodiscard]] Result<void> open(const std::atomic<bool>& stop);
  [[nodiscard]] Result<void> say(std::string_view text, const std::atomic<bool>& stop);
  /// Appends what has come, at least one byte. The server's end is an error.
  [[nodiscard]] Result<void> hear(std::string& into, const std::atomic<bool>& stop);

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  [[nodiscard]] CURLcode connect(const std::atomic<bool>& stop);
  [[nodiscard]] Result<void> check_credentials() const;
  [[nodiscard]] Result<void> check_time(const std::atomic<bool>& stop) const;
  /// Until the socket is ready, or 50 ms are over.
  [[nodiscard]] Result<void> wait(short events, const std::atomic<bool>& stop) const;
  [[nodiscard]] Error error_of(CURLcode code) const;
  static curl_socket_t on_open_socket(void* self, curlsocktype purpose, curl_sockaddr* address) noexcept;

  const MailServer& server_;
  std::string host_;  ///< lower case, as the policy wants it
  std::unique_ptr<CURL, EasyDeleter> easy_;
  std::array<char, CURL_ERROR_SIZE> message_{};
  std::string refused_address_;
  std::unique_ptr<CURLM, MultiDeleter> multi_;
  SteadyTime until_{};
};

}  // namespace pawl::mail::detail
