#include "mail/detail/session.hpp"

#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <new>

#include "base/assert.hpp"
#include "net/address_policy.hpp"

namespace pawl::mail::detail {
namespace {

constexpr int kPollMillis = 50;
constexpr long kFirstFinal = 550;
constexpr long kLastFinal = 554;

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
  curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &Session::on_open_socket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
}

Session::~Session() {
  if (multi_) curl_multi_remove_handle(multi_.get(), easy_.get());
}

Result<void> Session::check_credentials() const {
  // libcurl writes them into the log-in as they are: a line break would begin a command of its own, and a NUL ends them.
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' '; };
  for (const auto* word : {&server_.username, &server_.password}) {
    if (std::any_of(word->begin(), word->end(), is_control)) {
      return Error(ErrorClass::invalid, "mail.arguments", "Credentials for a mail server have no line breaks or other control characters.");
    }
  }
  if (server_.security != Security::none || server_.username.empty()) return {};
  return Error(ErrorClass::invalid, "mail.not_encrypted", "Credentials are not sent to a mail server without encryption.");
}

// A handle of its own that can be left at any time; curl_easy_perform looks up once a second.
CURLcode Session::connect(const std::atomic<bool>& stop) {
  // The connection stays while the handle stays in it.
  multi_.reset(curl_multi_init());
  if (!multi_ || curl_multi_add_handle(multi_.get(), easy_.get()) != CURLM_OK) throw std::bad_alloc();
  while (!stop.load(std::memory_order_relaxed)) {
    int running = 0;
    if (curl_multi_perform(multi_.get(), &running) != CURLM_OK) break;
    int left = 0;
    if (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left); message != nullptr && message->msg == CURLMSG_DONE) {
      return message->data.result;
    }
    if (curl_multi_poll(multi_.get(), nullptr, 0, kPollMillis, nullptr) != CURLM_OK) break;
  }
  return CURLE_ABORTED_BY_CALLBACK;
}

Result<void> Session::open(const std::atomic<bool>& stop) {
  PAWL_TRY_VOID(check_credentials());
  until_ = std::chrono::steady_clock::now() + server_.timeout;
  const auto code = connect(stop);
  if (code == CURLE_OK) return {};
  return error_of(code);
}

Result<void> Session::check_time(const std::atomic<bool>& stop) const {
  if (stop.load(std::memory_order_relaxed)) return error_of(CURLE_ABORTED_BY_CALLBACK);
  if (std::chrono::steady_clock::now() >= until_) return error_of(CURLE_OPERATION_TIMEDOUT);
  return {};
}

Result<void> Session::wait(short events, const std::atomic<bool>& stop) const {
  PAWL_TRY_VOID(check_time(stop));
  curl_socket_t socket = CURL_SOCKET_BAD;
  curl_easy_getinfo(easy_.get(), CURLINFO_ACTIVESOCKET, &socket);
  pollfd look{socket, events, 0};
  ::poll(&look, 1, kPollMillis);
  return {};
}

Result<void> Session::say(std::string_view text, const std::atomic<bool>& stop) {
  while (!text.empty()) {
    PAWL_TRY_VOID(check_time(stop));  // with one who takes everything as well
    std::size_t sent = 0;
    const auto code = curl_easy_send(easy_.get(), text.data(), text.size(), &sent);
    if (code != CURLE_OK && code != CURLE_AGAIN) return error_of(code);
    text.remove_prefix(sent);
    if (code == CURLE_AGAIN) PAWL_TRY_VOID(wait(POLLOUT, stop));
  }
  return {};
}

Result<void> Session::hear(std::string& into, const std::atomic<bool>& stop) {
  std::array<char, 16 * 1024> buffer{};
  while (true) {
    std::size_t length = 0;
    const auto code = curl_easy_recv(easy_.get(), buffer.data(), buffer.size(), &length);
    if (code == CURLE_OK && length > 0) {
      into.append(buffer.data(), length);
      return check_time(stop);  // of one that never stops talking as well
    }
    if (code == CURLE_OK) return Error(ErrorClass::unavailable, "mail.server", "The mail server has hung up.");
    if (code != CURLE_AGAIN) return error_of(code);
    PAWL_TRY_VOID(wait(POLLIN, stop));
  }
}

Error Session::error_of(CURLcode code) const {
  const auto unavailable = [](const char* name, std::string what) { return Error(ErrorClass::unavailable, name, std::move(what)); };
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
    default: break;
  }
  if (answer >= kFirstFinal && answer <= kLastFinal) {
    return {ErrorClass::invalid, "mail.refused", fmt::format("The mail server refused the mail with {}.", answer)};
  }
  const std::string_view what = message_[0] != '\0' ? message_.data() : curl_easy_strerror(code);
  return unavailable("mail.server", answer > 0 ? fmt::format("{} (the server's last answer was {})", what, answer) : std::string(what));
}

// ---- libcurl's callback: C above and below, so nothing may be thrown through it ---------------------------------

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
