// Mail by SMTP: greeting, TLS, log-in and NOOP; no message is sent.
#include <curl/curl.h>
#include <fmt/core.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>

#include "integrations/detail/probe.hpp"

namespace pawl::integrations::detail {
namespace {

constexpr std::string_view kService = "The mail server";

struct FreeEasy {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
};

struct Guard {
  const net::AddressPolicy& policy;
  std::string host;
  bool refused = false;
};

/// As for HTTP: the address is looked at when it is really connected to.
curl_socket_t open_socket(void* context, curlsocktype, curl_sockaddr* address) noexcept {
  auto& guard = *static_cast<Guard*>(context);
  // `addr` is declared as a plain sockaddr, but libcurl allocates room for any.
  const auto ip = net::IpAddress::of_socket(address->family, &address->addr);
  if (!ip) return CURL_SOCKET_BAD;
  if (!guard.policy.permits(guard.host, *ip)) {
    guard.refused = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t drop(char*, std::size_t size, std::size_t count, void*) noexcept { return size * count; }

Verdict verdict_of(CURLcode code, bool refused) {
  const auto failure = [](const char* error_code) { return no_answer(kService, Error(ErrorClass::unavailable, error_code, "")); };
  switch (code) {
    case CURLE_OK: return {true, "The mail server accepts the log-in."};
    case CURLE_COULDNT_RESOLVE_HOST: return failure("net.dns");
    case CURLE_COULDNT_CONNECT: return failure(refused ? "net.refused_address" : "net.connect");
    case CURLE_OPERATION_TIMEDOUT: return failure("net.timeout");
    case CURLE_LOGIN_DENIED: return {false, "The mail server refused the log-in."};
    case CURLE_USE_SSL_FAILED: return {false, "The mail server offers no TLS on this port."};
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE: return failure("net.tls");
    case CURLE_URL_MALFORMAT: return failure("net.invalid_request");
    default: return lied(kService);
  }
}

Verdict test(const json::Value& config, const ProbeTools& tools) {
  const std::unique_ptr<CURL, FreeEasy> easy(curl_easy_init());
  if (!easy) return {false, "There is no memory for the test."};
  auto host = text_of(config, "smtp_host");
  std::transform(host.begin(), host.end(), host.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  Guard guard{tools.policy, host};
  const auto security = text_of(config, "security", "starttls");
  const auto url = fmt::format("{}://{}:{}/pawl", security == "tls" ? "smtps" : "smtp",
                               host.find(':') == std::string::npos ? host : "[" + host + "]", integer_of(config, "smtp_port", 587));
  const auto user = text_of(config, "username");
  const auto password = text_of(config, "password");
  const auto left = static_cast<long>(time_left(tools).count());
  CURL* const handle = easy.get();
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(handle, CURLOPT_PROXY, "");
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, left);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, left);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, &guard);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &drop);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &drop);
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, "NOOP");
  if (security == "starttls") curl_easy_setopt(handle, CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
  if (!user.empty()) {
    curl_easy_setopt(handle, CURLOPT_USERNAME, user.c_str());
    curl_easy_setopt(handle, CURLOPT_PASSWORD, password.c_str());
  }
  const auto code = curl_easy_perform(handle);
  return verdict_of(code, guard.refused);
}

}  // namespace

Connector email() {
  Connector connector;
  connector.name = "email";
  connector.title = "E-mail";
  connector.summary = "Mail by an SMTP server";
  connector.schema = literal(R"({
    "type": "object",
    "properties": {
      "smtp_host": {"type": "string", "title": "Server", "pattern": "^[A-Za-z0-9.:-]+$", "maxLength": 253},
      "smtp_port": {"type": "integer", "title": "Port", "minimum": 1, "maximum": 65535, "default": 587},
      "security": {"type": "string", "title": "Encryption", "enum": ["starttls", "tls", "none"], "default": "starttls"},
      "username": {"type": "string", "title": "User", "minLength": 1, "maxLength": 320},
      "password": {"type": "string", "title": "Password", "minLength": 1, "maxLength": 1000, "writeOnly": true},
      "from_email": {"type": "string", "title": "Sender", "pattern": "^[^@\\s]+@[^@\\s]+$", "maxLength": 320}
    },
    "required": ["smtp_host", "username", "password", "from_email"],
    "additionalProperties": false
  })");
  connector.hosts = [](const json::Value& config) { return std::vector<std::string>{text_of(config, "smtp_host")}; };
  connector.test = test;
  return connector;
}

}  // namespace pawl::integrations::detail
