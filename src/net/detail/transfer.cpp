#include "net/detail/transfer.hpp"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace pawl::net::detail {
namespace {

constexpr int kMaxRedirects = 10;
constexpr std::size_t kMaxHeaderBytes = 256 * 1024;

std::chrono::milliseconds millis_between(SteadyTime from, SteadyTime to) { return std::chrono::ceil<std::chrono::milliseconds>(to - from); }

bool same_name(std::string_view left, std::string_view right) noexcept {
  return left.size() == right.size() && ::strncasecmp(left.data(), right.data(), left.size()) == 0;
}

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char letter) {
    return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           std::strchr("!#$%&'*+-.^_`|~", letter) != nullptr;
  });
}

bool has_line_break(std::string_view text) noexcept { return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos; }

/// Fields that frame the message: the client's own business, or a request could be smuggled in a body.
bool is_framing_field(std::string_view name) noexcept {
  return same_name(name, "content-length") || same_name(name, "transfer-encoding") || same_name(name, "connection") ||
         same_name(name, "expect");
}

bool is_credential_field(std::string_view name) noexcept {
  return same_name(name, "authorization") || same_name(name, "cookie") || same_name(name, "proxy-authorization");
}

/// Whether bytes of a TLS record lie in the library that nobody has taken: the socket does not know of them any more.
bool has_decrypted(CURL* easy) noexcept {
  curl_tlssessioninfo* session = nullptr;
  if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK || session == nullptr) return false;
  if (session->backend != CURLSSLBACKEND_OPENSSL || session->internals == nullptr) return false;
  return SSL_has_pending(static_cast<SSL*>(session->internals)) == 1;
}

Error invalid(std::string message) { return {ErrorClass::invalid, "net.invalid_request", std::move(message)}; }

}  // namespace

Transfer::Transfer(RequestHandle request_handle, OutboundRequest request, Outbound::Done on_done, const CurlOptions& options,
                   HostBreakers& breakers, KeptSockets& kept)
    : handle(request_handle),
      done(std::move(on_done)),
      options_(options),
      breakers_(breakers),
      kept_(kept),
      request_(std::move(request)),
      began_(std::chrono::steady_clock::now()) {
  deadline_ = began_ + std::clamp(request_.timeout, std::chrono::milliseconds(1), options_.max_timeout);
}

Result<void> Transfer::prepare(EasyHandle easy) {
  easy_ = std::move(easy);
  auto url = parse_url(request_.url);
  if (!url) return invalid("\"" + request_.url + "\" is not an http or https URL.");
  url_ = std::move(*url);
  if (std::holds_alternative<std::monostate>(request_.credentials) && !url_.user.empty()) {
    request_.credentials = BasicCredentials{url_.user, url_.password};
  }
  PAWL_TRY_VOID(check_fields());
  has_body_ = !request_.body.empty();
  return prepare_hop();
}

Result<void> Transfer::check_fields() const {
  if (!is_token(request_.method)) return invalid("The request's method is not a token.");
  for (const auto& [name, value] : request_.headers) {
    if (!is_token(name)) return invalid("The request has a header whose name is not a token.");
    if (has_line_break(value)) return invalid("The value of the header \"" + name + "\" has a line break.");
  }
  if (const auto* bearer = std::get_if<BearerToken>(&request_.credentials); bearer != nullptr && has_line_break(bearer->token)) {
    return invalid("The bearer token has a line break.");
  }
  return {};
}

Result<void> Transfer::prepare_hop() {
  CURL* const easy = easy_.get();
  curl_easy_reset(easy);  // keeps connections and caches, which belong to the multi handle
  response_ = OutboundResponse();
  header_bytes_ = 0;
  body_bytes_ = 0;
  refused_address_.clear();
  opened_.clear();
  message_[0] = '\0';

  std::string connect_to = url_.text;
  mapped_ = false;
  bool map_target = false;
  for (const auto& [from, to] : options_.policy.host_map) {
    map_target = map_target || to == url_.origin();
    if (from != url_.origin()) continue;
    const auto target = at_origin(url_, to);
    if (!target) return invalid("The host map of " + from + " does not lead to a URL.");
    connect_to = target->text;
    mapped_ = true;
  }
  fields_ = make_fields(url_);
  hop_began_ = std::chrono::steady_clock::now();
  PAWL_TRY(permit, breakers_.try_acquire(url_.origin(), hop_began_));
  permit_ = std::move(permit);

  const auto left = std::max(millis_between(std::chrono::steady_clock::now(), deadline_), std::chrono::milliseconds(1));
  const auto connect = std::clamp(request_.connect_timeout, std::chrono::milliseconds(1), left);
  curl_easy_setopt(easy, CURLOPT_URL, connect_to.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // or giving up on a slow name lookup waits for it, and with it everybody else
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, message_);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect.count()));
  curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(request_.max_response_bytes));
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fields_.get());
  if (!find_header(request_.headers, "accept-encoding")) curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &Transfer::on_open_socket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &Transfer::on_close_socket);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, &kept_);  // the connection may outlive this
  // A kept connection that a mapped request opened has not passed the guard: a plain request to the same place must not ride on it.
  const bool renews = std::exchange(unclean_, false);
  const bool fresh = renews || (map_target && !mapped_) || request_.at_most_once;
  if (fresh) curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, &Transfer::on_connection);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, this);
  if (url_.scheme == "https") {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, request_.verify_tls ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, request_.verify_tls ? 2L : 0L);
    if (!options_.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
  }
  set_method();
  if (!foreign_) set_credentials();
  return {};
}

FieldList Transfer::make_fields(const Url& url) const {
  FieldList fields;
  const auto append = [&](const std::string& line) {
    curl_slist* const longer = curl_slist_append(fields.get(), line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    static_cast<void>(fields.release());
    fields.reset(longer);
  };
  bool has_type = false;
  bool has_host = false;
  for (const auto& [name, value] : request_.headers) {
    if (is_framing_field(name) || (foreign_ && is_credential_field(name))) continue;
    if (!has_body_ && redirects_ > 0 && same_name(name, "content-type")) continue;
    has_type = has_type || same_name(name, "content-type");
    if (same_name(name, "host")) {
      if (foreign_) continue;
      has_host = true;
    }
    append(value.empty() ? name + ";" : name + ": " + value);  // "Name;" is libcurl's way to send an empty value
  }
  if (mapped_ && !has_host) append("Host: " + url.host_field());
  if (!has_type) append("Content-Type:");  // or libcurl calls every body a form
  append("Expect:");
  if (const auto* bearer = std::get_if<BearerToken>(&request_.credentials); bearer != nullptr && !foreign_) {
    append("Authorization: Bearer " + bearer->token);
  }
  return fields;
}

void Transfer::set_method() {
  CURL* const easy = easy_.get();
  const std::string& method = request_.method;
  if (has_body_ || method == "POST" || method == "PUT" || method == "PATCH") {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(has_body_ ? request_.body.size() : 0));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, has_body_ ? request_.body.data() : "");  // not copied: the request outlives the hop
    if (method != "POST") curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
  } else if (method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (method != "GET") {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
  }
}

void Transfer::set_credentials() {
  const auto use = [this](const std::string& user, const std::string& password, unsigned long scheme) {
    curl_easy_setopt(easy_.get(), CURLOPT_HTTPAUTH, static_cast<long>(scheme));
    curl_easy_setopt(easy_.get(), CURLOPT_USERNAME, user.c_str());
    curl_easy_setopt(easy_.get(), CURLOPT_PASSWORD, password.c_str());
  };
  if (const auto* basic = std::get_if<BasicCredentials>(&request_.credentials)) use(basic->user, basic->password, CURLAUTH_BASIC);
  if (const auto* digest = std::get_if<DigestCredentials>(&request_.credentials)) use(digest->user, digest->password, CURLAUTH_DIGEST);
  if (const auto* aws = std::get_if<AwsSignature>(&request_.credentials)) {
    use(aws->access_key_id, aws->secret_access_key, CURLAUTH_AWS_SIGV4);
    const auto scope = "aws:amz:" + aws->region + ":" + aws->service;
    curl_easy_setopt(easy_.get(), CURLOPT_AWS_SIGV4, scope.c_str());
  }
}

/// What the hop's end says about the other side.
void Transfer::report(CURLcode code) {
  using Outcome = CircuitBreaker::Outcome;
  const auto now = std::chrono::steady_clock::now();
  auto outcome = Outcome::failure;
  if (code == CURLE_OK || too_large_ || code == CURLE_FILESIZE_EXCEEDED) outcome = Outcome::success;
  if (code == CURLE_COULDNT_CONNECT && !refused_address_.empty()) outcome = Outcome::ignored;
  if (code == CURLE_URL_MALFORMAT || unclean_) outcome = Outcome::ignored;
  if (code == CURLE_OPERATION_TIMEDOUT && now - hop_began_ < HostBreakers::kMinPatience) outcome = Outcome::ignored;
  HostBreakers::report(permit_, outcome, now);
}

std::optional<Result<OutboundResponse>> Transfer::hop_ended(CURLcode code) {
  report(code);
  if (unclean_) {
    // Nothing has been sent yet but, with digest authentication, what was refused: this is no second call whatever the method is. A new
    // connection is unclean where more than the challenge has come on it: another one would be the same.
    if (std::exchange(renewed_, true)) {
      return Error(ErrorClass::unavailable, "net.protocol",
                   request_.method + " " + url_.text + ": the server says what nobody has asked for.");
    }
    if (std::chrono::steady_clock::now() >= deadline_) return error_of(CURLE_OPERATION_TIMEDOUT);
    if (auto again = prepare_hop(); again.has_error()) return std::move(again).error();
    return std::nullopt;
  }
  if (code != CURLE_OK) return error_of(code);
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  if (auto followed = follow_redirect()) {
    if (followed->has_error()) return std::move(*followed).error();
    return std::nullopt;
  }
  response_.effective_url = url_.text;
  response_.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began_);
  return std::move(response_);
}

std::optional<Result<void>> Transfer::follow_redirect() {
  const int status = response_.status;
  if (!request_.follow_redirects || (status != 301 && status != 302 && status != 303 && status != 307 && status != 308))
    return std::nullopt;
  const auto location = find_header(response_.headers, "location");
  if (!location) return std::nullopt;
  if (++redirects_ > kMaxRedirects) {
    return Error(ErrorClass::unavailable, "net.too_many_redirects", "More than ten redirects, beginning at " + request_.url + ".");
  }
  auto next = resolve_url(url_, std::string(*location));
  if (!next) {
    return Error(ErrorClass::unavailable, "net.protocol", url_.text + " redirects to something that is not an http or https URL.");
  }
  // Once credentials have been left behind they stay behind, even if a later hop comes back.
  if (next->origin() != url_.origin()) foreign_ = true;
  url_ = std::move(*next);
  renewed_ = false;
  if ((status == 303 && request_.method != "HEAD") || ((status == 301 || status == 302) && request_.method == "POST")) {
    request_.method = "GET";
    has_body_ = false;
  }
  if (std::chrono::steady_clock::now() >= deadline_) return error_of(CURLE_OPERATION_TIMEDOUT);
  return prepare_hop();
}

std::optional<SteadyTime> Transfer::quiet_until() const noexcept {
  const auto patience = last_byte_ ? request_.idle_timeout : request_.first_byte_timeout;
  if (patience.count() <= 0) return std::nullopt;
  return last_byte_.value_or(began_) + patience;
}

Error Transfer::gone_quiet() {
  report(CURLE_OPERATION_TIMEDOUT);
  const auto patience = last_byte_ ? request_.idle_timeout : request_.first_byte_timeout;
  return {ErrorClass::timeout, "net.timeout",
          request_.method + " " + url_.text + ": nothing came for " + std::to_string(patience.count()) + " ms."};
}

EasyHandle Transfer::release() noexcept {
  HostBreakers::report(permit_, CircuitBreaker::Outcome::ignored, std::chrono::steady_clock::now());  // where the hop has not ended
  if (easy_) curl_easy_reset(easy_.get());
  return std::move(easy_);
}

Error Transfer::error_of(CURLcode code) const {
  const auto make = [&](ErrorClass kind, const char* name, std::string_view what) {
    std::string message = request_.method + " " + url_.text + ": " + std::string(what);
    if (const std::string_view detail = message_; !detail.empty()) message.append(" (").append(detail).append(")");
    return Error(kind, name, message + ".");
  };
  if (too_large_ || code == CURLE_FILESIZE_EXCEEDED) {
    return Error(
        ErrorClass::too_large, "net.too_large",
        request_.method + " " + url_.text + ": the answer is larger than " + std::to_string(request_.max_response_bytes) + " bytes.");
  }
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST: return make(ErrorClass::unavailable, "net.dns", "the name does not resolve");
    case CURLE_COULDNT_CONNECT:
      if (!refused_address_.empty()) {
        return Error(
            ErrorClass::denied, "net.refused_address",
            request_.method + " " + url_.text + ": calls to " + refused_address_ + " are refused (private, local or reserved address).");
      }
      return make(ErrorClass::unavailable, "net.connect", "no connection");
    case CURLE_OPERATION_TIMEDOUT: return make(ErrorClass::timeout, "net.timeout", "not finished in time");
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS: return make(ErrorClass::unavailable, "net.tls", "the TLS connection failed");
    case CURLE_URL_MALFORMAT: return make(ErrorClass::invalid, "net.invalid_request", "not a URL that can be called");
    default: return make(ErrorClass::unavailable, "net.protocol", std::string("the exchange failed: ") + curl_easy_strerror(code));
  }
}

// ---- libcurl's callbacks: C above and below, so nothing may be thrown through them ------------------------------

std::size_t Transfer::on_header(char* data, std::size_t size, std::size_t count, void* self) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::size_t bytes = size * count;
  std::string_view line(data, bytes);
  transfer.header_bytes_ += bytes;
  transfer.last_byte_ = std::chrono::steady_clock::now();
  if (transfer.header_bytes_ > kMaxHeaderBytes) return 0;
  while (line.ends_with('\n') || line.ends_with('\r') || line.ends_with(' ') || line.ends_with('\t')) line.remove_suffix(1);
  // What is as long as nobody knows ends with its connection. libcurl does not read that of a HEAD, and would keep the connection.
  if (line.empty() && transfer.request_.method == "HEAD" && !find_header(transfer.response_.headers, "content-length") &&
      !find_header(transfer.response_.headers, "transfer-encoding")) {
    curl_easy_setopt(transfer.easy(), CURLOPT_FORBID_REUSE, 1L);
  }
  try {
    if (line.starts_with("HTTP/")) {
      // A new head: what came before was a 100 Continue or the challenge of a digest exchange.
      transfer.response_.headers.clear();
      transfer.response_.body.clear();
      transfer.body_bytes_ = 0;
    } else if (const auto colon = line.find(':'); colon != std::string_view::npos) {
      auto value = line.substr(colon + 1);
      while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
      transfer.response_.headers.emplace_back(line.substr(0, colon), value);
    }
  } catch (...) {
    return 0;
  }
  return bytes;
}

std::size_t Transfer::on_body(char* data, std::size_t size, std::size_t count, void* self) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::size_t bytes = size * count;
  if (transfer.body_bytes_ + bytes > transfer.request_.max_response_bytes) {
    transfer.too_large_ = true;
    return 0;
  }
  transfer.body_bytes_ += bytes;
  transfer.last_byte_ = std::chrono::steady_clock::now();
  try {
    long status = 0;
    if (transfer.request_.on_body) curl_easy_getinfo(transfer.easy(), CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300) {
      transfer.request_.on_body(std::string_view(data, bytes));
    } else {
      transfer.response_.body.append(data, bytes);
    }
  } catch (...) {
    return 0;
  }
  return bytes;
}

/// Before the request goes out. On a kept connection nothing may have come since: libcurl would take it for the answer to this request.
int Transfer::on_connection(void* self, char* peer, char*, int peer_port, int local_port) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  try {
    ConnectionEnds ends{peer, peer_port, local_port};
    auto& opened = transfer.opened_;
    const auto own =
        std::find_if(opened.begin(), opened.end(), [local_port](curl_socket_t socket) { return local_port_of(socket) == local_port; });
    if (own != opened.end()) {
      transfer.kept_.used(std::move(ends), *own);
      opened.erase(own);  // the second request of a digest exchange goes out on it as on any kept one
      return CURL_PREREQFUNC_OK;
    }
    if (!has_decrypted(transfer.easy()) && transfer.kept_.silent(ends)) return CURL_PREREQFUNC_OK;
  } catch (...) {
    // Without memory for the look it is not used either.
  }
  transfer.unclean_ = true;
  curl_easy_setopt(transfer.easy(), CURLOPT_FORBID_REUSE, 1L);  // or it would be kept and looked at again by the next request
  return CURL_PREREQFUNC_ABORT;
}

curl_socket_t Transfer::on_open_socket(void* self, curlsocktype, curl_sockaddr* address) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  // `addr` is declared as a plain sockaddr, but libcurl allocates room for any.
  const auto ip = IpAddress::of_socket(address->family, &address->addr);
  if (!ip) return CURL_SOCKET_BAD;
  if (!transfer.mapped_ && !transfer.options_.policy.permits(transfer.url_.host, *ip)) {
    try {
      transfer.refused_address_ = ip->to_string();
    } catch (...) {
      // Refused all the same; only the sentence about it is poorer.
    }
    return CURL_SOCKET_BAD;
  }
  const int socket = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (socket < 0) return CURL_SOCKET_BAD;
  try {
    transfer.opened_.push_back(socket);
  } catch (...) {
    // Without memory for it the connection is not known, and no request goes out on it.
  }
  return socket;
}

int Transfer::on_close_socket(void* kept, curl_socket_t socket) noexcept {
  static_cast<KeptSockets*>(kept)->closed(socket);
  return ::close(socket);
}

}  // namespace pawl::net::detail
