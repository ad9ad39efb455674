#include "mail/detail/session.hpp"

#include <fmt/core.h>
#include <sys/socket.h>

#include <algorithm>
#include <new>

#include "base/assert.hpp"
#include "net/address_policy.hpp"

namespace pawl::mail::detail {
namespace {

constexpr int kPollMillis = 50;
constexpr long kFirstFinal = 550;
constexpr long kLastFinal = 554;

struct MultiDeleter {
  void operator()(CURLM* multi) const noexcept { curl_multi_cleanup(multi); }
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return out;
}

}  // namespace

Session::Session(const MailServer& server, std::string_view scheme, std::string_view path) : server_(server), host_(lower(server.host)) {
  static const bool kStarted = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  PAWL_ASSERT(kStarted, "libcurl does not start");
  easy_.reset(curl_easy_init());
  if (!easy_) throw std::bad_alloc();
  CURL* const easy = easy_.get();
  const bool is_v6 = host_.find(':') != std::string::npos;
  const auto url = fmt::format("{}{}://{}{}{}:{}{}", scheme, server.security == Security::tls ? "s" : "", is_v6 ? "[" : "", host_,
                               is_v6 ? "]" : "", server.port, path);
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps,imap,imaps");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // or giving up on a slow name lookup waits for it
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy, CURLOPT_USE_SSL, static_cast<long>(server.security == Security::none ? CURLUSESSL_NONE : CURLUSESSL_ALL));
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!server.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, server.ca_file.c_str());
  if (!server.username.empty()) {
    curl_easy_setopt(easy, CURLOPT_USERNAME, server.username.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, server.password.c_str());
  }
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(server.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(server.timeout.count()));
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, message_.data());
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Session::on_output);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &Session::on_open_socket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
}

void Session::keep_output(std::string& into, std::size_t limit) {
  output_ = &into;
  output_limit_ = limit;
}

Result<void> Session::perform(const std::atomic<bool>& stop) {
  if (server_.security == Security::none && !server_.username.empty()) {
    return Error(ErrorClass::invalid, "mail.not_encrypted", "Credentials are not sent to a mail server without encryption.");
  }
  const auto code = run(stop);
  if (code == CURLE_OK) return {};
  return error_of(code);
}

// A handle of its own that can be left at any time; curl_easy_perform looks up once a second.
CURLcode Session::run(const std::atomic<bool>& stop) {
  const std::unique_ptr<CURLM, MultiDeleter> multi(curl_multi_init());
  if (!multi || curl_multi_add_handle(multi.get(), easy_.get()) != CURLM_OK) throw std::bad_alloc();
  auto code = CURLE_ABORTED_BY_CALLBACK;
  while (!stop.load(std::memory_order_relaxed)) {
    int running = 0;
    if (curl_multi_perform(multi.get(), &running) != CURLM_OK) break;
    int left = 0;
    if (const CURLMsg* message = curl_multi_info_read(multi.get(), &left); message != nullptr && message->msg == CURLMSG_DONE) {
      code = message->data.result;
      break;
    }
    if (curl_multi_poll(multi.get(), nullptr, 0, kPollMillis, nullptr) != CURLM_OK) break;
  }
  curl_multi_remove_handle(multi.get(), easy_.get());
  return code;
}

Error Session::error_of(CURLcode code) const {
  const auto unavailable = [](const char* name, std::string what) { return Error(ErrorClass::unavailable, name, std::move(what)); };
  if (too_large_) return {ErrorClass::too_large, "mail.too_large", fmt::format("The mail server sends more than {} bytes.", output_limit_)};
  long answer = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &answer);
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK: return unavailable("mail.cancelled", "The exchange with the mail server was ended.");
    case CURLE_COULDNT_RESOLVE_HOST:
      return unavailable("net.dns", fmt::format("The mail server's name {} does not resolve.", server_.host));
    case CURLE_COULDNT_CONNECT:
      if (refused_address_.empty()) {
        return unavailable("net.connect", fmt::format("No connection to the mail server {}:{}.", server_.host, server_.port));
      }
      return {ErrorClass::denied, "net.refused_address",
              fmt::format("Connections to {} at {} are refused (private, local or reserved address).", server_.host, refused_address_)};
    case CURLE_OPERATION_TIMEDOUT: return {ErrorClass::timeout, "net.timeout", "The mail server has not answered in time."};
    case CURLE_LOGIN_DENIED: return {ErrorClass::unauthenticated, "mail.log_in", "The mail server does not take the credentials."};
    case CURLE_USE_SSL_FAILED: return unavailable("net.tls", "The mail server offers no TLS on this port.");
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return unavailable("net.tls", fmt::format("The TLS connection to the mail server failed ({}).",
                                                message_[0] != '\0' ? message_.data() : curl_easy_strerror(code)));
    case CURLE_REMOTE_FILE_NOT_FOUND: return {ErrorClass::not_found, "mail.not_found", "The mail server has no such mailbox."};
    default: break;
  }
  if (answer >= kFirstFinal && answer <= kLastFinal) {
    return {ErrorClass::invalid, "mail.refused", fmt::format("The mail server refused the mail with {}.", answer)};
  }
  const std::string_view what = message_[0] != '\0' ? message_.data() : curl_easy_strerror(code);
  return unavailable("mail.server", answer > 0 ? fmt::format("{} (the server's last answer was {})", what, answer) : std::string(what));
}

// ---- libcurl's callbacks: C above and below, so nothing may be thrown through them ------------------------------

std::size_t Session::on_output(char* data, std::size_t size, std::size_t count, void* self) noexcept {
  auto& session = *static_cast<Session*>(self);
  const std::size_t bytes = size * count;
  if (session.output_ == nullptr) return bytes;
  if (session.output_->size() + bytes > session.output_limit_) {
    session.too_large_ = true;
    return 0;
  }
  try {
    session.output_->append(data, bytes);
  } catch (...) {
    return 0;
  }
  return bytes;
}

curl_socket_t Session::on_open_socket(void* self, curlsocktype, curl_sockaddr* address) noexcept {
  auto& session = *static_cast<Session*>(self);
  if (session.server_.policy != nullptr) {
    // `addr` is declared as a plain sockaddr, but libcurl allocates room for any.
    const auto ip = net::IpAddress::of_socket(address->family, &address->addr);
    if (!ip) return CURL_SOCKET_BAD;
    if (!session.server_.policy->permits(session.host_, *ip)) {
      try {
        session.refused_address_ = ip->to_string();
      } catch (...) {
        // Refused all the same; only the sentence about it is poorer.
      }
      return CURL_SOCKET_BAD;
    }
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

}  // namespace pawl::mail::detail
