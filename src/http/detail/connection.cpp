#include "http/detail/connection.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <exception>
#include <utility>

#include "http/detail/compress.hpp"
#include "http/detail/serializer.hpp"
#include "http/detail/target.hpp"
#include "http/problem.hpp"

namespace pawl::http::detail {
namespace asio = boost::asio;
using std::chrono::steady_clock;

namespace {

/// All that an answer depends on, in one field.
void name_in_vary(Headers& headers, std::string_view name) {
  std::string all;
  for (const auto field : headers) {
    if (!equals_ignoring_case(field.name, "vary") || field.value == name) continue;
    all.append(field.value).append(", ");
  }
  headers.set("Vary", all.append(name));
}

constexpr std::size_t kBodyCopiedUpTo = 16 * 1024;  // smaller bodies ride in the head's buffer: one write, one page run
constexpr std::size_t kKeepOutputUpTo = 64 * 1024;

}  // namespace

Connection::Connection(std::shared_ptr<ServerState> state, Shard& shard, Socket socket)
    : state_(std::move(state)), shard_(shard), socket_(std::move(socket)) {
  boost::system::error_code ignored;
  const auto peer = socket_->remote_endpoint(ignored);
  remote_address_ = peer.address().is_v6() && peer.address().to_v6().is_v4_mapped()
                        ? asio::ip::make_address_v4(asio::ip::v4_mapped, peer.address().to_v6()).to_string()
                        : peer.address().to_string();
  socket_->set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_->non_blocking(true, ignored);
  input_.resize(kFirstInput);
}

void Connection::start(std::list<std::shared_ptr<Connection>>::iterator place) {
  place_ = place;
  await(Awaiting::first_request, state_->options.header_timeout);
  advance();
}

// ---- the machine -------------------------------------------------------------------------------------------------

void Connection::advance() {
  if (advancing_) return;
  advancing_ = true;
  while (step()) {
  }
  advancing_ = false;
}

bool Connection::step() {
  switch (phase_) {
    case Phase::reading: return step_read();
    case Phase::writing: return step_write();
    case Phase::streaming: return step_stream();
    case Phase::draining: return step_drain();
    case Phase::handling:
    case Phase::upgraded:
    case Phase::closed: return false;
  }
  return false;
}

bool Connection::step_read() {
  if (!parser_) {
    parser_.emplace(request_, ParserLimits{state_->options.max_header_bytes, state_->options.max_header_fields});
  }
  const auto [outcome, consumed] = parser_->feed(std::string_view(input_).substr(begin_, end_ - begin_));
  begin_ += consumed;
  using Outcome = RequestParser::Outcome;
  switch (outcome) {
    case Outcome::header_done: header_complete(); return true;
    case Outcome::done: dispatch(); return true;
    case Outcome::need_more:
      if (awaiting_ == Awaiting::next_request && (begin_ != end_ || parser_->started())) {
        await(Awaiting::header, state_->options.header_timeout);
      }
      make_room();
      wait_readable();
      return false;
    case Outcome::malformed: refuse(400, ErrorClass::invalid, "http.malformed", "The request is not well-formed HTTP/1.1."); return true;
    case Outcome::bad_version: refuse(505, ErrorClass::invalid, "http.version", "Only HTTP/1.0 and HTTP/1.1 are spoken here."); return true;
    case Outcome::unknown_method:
      refuse(501, ErrorClass::invalid, "http.unknown_method", "The request's method is not implemented.");
      return true;
    case Outcome::unknown_coding:
      refuse(501, ErrorClass::invalid, "http.transfer_encoding", "The only transfer coding understood here is chunked.");
      return true;
    case Outcome::unsupported_body:
      refuse(415, ErrorClass::unsupported, "http.content_encoding", "A request's body must not be compressed.");
      return true;
    case Outcome::unknown_expectation:
      refuse(417, ErrorClass::invalid, "http.expectation", "The only expectation understood here is 100-continue.");
      return true;
    case Outcome::header_too_large:
      refuse(431, ErrorClass::too_large, "http.header_too_large", "The request's header is larger than this server accepts.");
      return true;
    case Outcome::body_too_large:
      refuse(413, ErrorClass::too_large, "http.body_too_large", "The request's body is larger than this route accepts.");
      return true;
  }
  return false;
}

void Connection::header_complete() {
  exchange_open_ = true;
  exchange_began_ = steady_clock::now();
  client_address_ = remote_address_;
  https_ = state_->options.always_https;
  method_ = request_.method;
  http11_ = request_.version >= 11;
  keep_alive_ = parser_->keep_alive() && !state_->stopping.load(std::memory_order_relaxed);
  request_id_ = request_.headers.get("x-request-id");
  if (!sane_request_id(request_id_)) shard_.new_request_id(request_id_);

  std::string_view authority;
  const char* wrong = parse_target(request_.target, request_.path, request_.query, authority);
  if (wrong == nullptr && (parser_->host_fields() > 1 || (parser_->host_fields() == 0 && http11_))) {
    wrong = "a request needs exactly one Host field";
  }
  if (wrong == nullptr && parser_->host_fields() == 1 && !valid_host(request_.host)) wrong = "the Host field is malformed";
  if (wrong != nullptr) {
    path_.clear();
    return refuse(400, ErrorClass::invalid, "http.bad_request", std::string("The request is refused: ") + wrong + ".");
  }
  if (!authority.empty()) request_.host = authority;
  path_ = request_.path;

  request_.remote_address = remote_address_;
  if (state_->options.identify) state_->options.identify(request_);
  client_address_ = request_.remote_address;
  if (state_->options.trace) trace_ = state_->options.trace(request_);
  https_ = state_->options.always_https || request_.scheme == Scheme::https;
  if (state_->options.require_https && request_.scheme == Scheme::http) return refuse_plain_http();

  const auto match = state_->router.find(method_, path_, request_.params);
  route_ = match.route;
  if (route_ == nullptr) {
    // A body that nobody wants: answer now and hang up, instead of reading it.
    keep_alive_ = keep_alive_ && !parser_->has_body();
    if (method_ == Method::options && (match.allowed != 0 || path_ == "*")) {
      return begin_write(Response::empty(204).with("Allow", Router::allow_field(match.allowed)));
    }
    if (match.allowed == 0) {
      return begin_write(server_error(ErrorClass::not_found, "http.not_found", "There is nothing at this path."));
    }
    return begin_write(server_error(ErrorClass::method, "http.method_not_allowed", "This path does not know the method.")
                           .with("Allow", Router::allow_field(match.allowed)));
  }
  if (!parser_->has_body()) return;
  const std::size_t limit = route_->options.max_body_bytes != 0 ? route_->options.max_body_bytes : state_->options.max_body_bytes;
  if (parser_->content_length().value_or(0) > limit) {
    return refuse(413, ErrorClass::too_large, "http.body_too_large",
                  "The request's body is larger than the " + std::to_string(limit) + " bytes that this route accepts.");
  }
  parser_->set_body_limit(limit);
  await(Awaiting::body, state_->options.body_timeout);
  if (parser_->expects_continue() && begin_ == end_ && http11_) {
    // Fits any empty send buffer; a client that did not get it sends its body anyway after a second or so.
    boost::system::error_code ignored;
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    socket_->write_some(asio::buffer(kContinue.data(), kContinue.size()), ignored);
  }
}

void Connection::refuse_plain_http() {
  keep_alive_ = keep_alive_ && !parser_->has_body();
  const auto& origin = state_->options.https_origin;
  if ((request_.host.empty() && origin.empty()) || !request_.target.starts_with('/') ||
      (method_ != Method::get && method_ != Method::head)) {
    // What came with it has been read by others on the way: sending it again would only hide that.
    return begin_write(server_error(ErrorClass::denied, "http.https_required", "This server is reached by https only."));
  }
  begin_write(Response::empty(308).with("Location", (origin.empty() ? "https://" + request_.host : origin) + request_.target));
}

void Connection::dispatch() {
  phase_ = Phase::handling;
  deadline_ = SteadyTime::max();
  request_.request_id = request_id_;
  request_.route = route_->options.name;
  request_.shard = shard_.index;
  abandoned_ = false;
  varies_ = route_->options.compress;
  gzip_ = varies_ && accepts_gzip(request_.header("accept-encoding"));
  handshake_.reset();
  if (parser_->asks_for_upgrade() && asks_for_websocket(request_)) {
    handshake_.emplace(Handshake{request_.target, request_.host, std::string(request_.header("sec-websocket-key")), request_.request_id});
  }
  std::string what;
  try {
    const TraceScope scope(trace_.own);
    route_->handler(std::move(request_), Responder(shared_from_this()));
    return;
  } catch (const std::exception& failure) {
    what = failure.what();
  } catch (...) {
    what = "an exception that is not a std::exception";
  }
  // The panic barrier: the Responder was dropped on the way here unless the handler had given it away.
  if (state_->options.on_exception) state_->options.on_exception(request_id_, what);
  if (phase_ == Phase::writing && abandoned_) {
    begin_write(server_error(ErrorClass::internal, "http.internal", "The server failed to handle this request."));
  }
}

void Connection::refuse(int status, ErrorClass kind, const char* code, std::string message) {
  keep_alive_ = false;
  if (!exchange_open_) {  // refused before the header was complete: whatever is known of it must do
    exchange_open_ = true;
    exchange_began_ = steady_clock::now();
    method_ = Method::get;
    http11_ = true;
    path_.clear();
    client_address_ = remote_address_;
    https_ = state_->options.always_https;
    shard_.new_request_id(request_id_);
  }
  begin_write(server_error(kind, code, std::move(message), status));
}

Response Connection::server_error(ErrorClass kind, const char* code, std::string message, int status) const {
  return problem(Error(kind, code, std::move(message)), path_, request_id_, status);
}

// ---- answering ---------------------------------------------------------------------------------------------------

void Connection::send(Response response) {
  const bool here = state_->threads.on_thread(shard_.index);
  if (varies_) name_in_vary(response.headers, "Accept-Encoding");
  if (gzip_) compress(response, here);
  if (here) return respond(std::move(response));
  if (gone_.load(std::memory_order_relaxed)) return;
  state_->threads.post(shard_.index,
                       [self = shared_from_this(), response = std::move(response)]() mutable { self->respond(std::move(response)); });
}

void Connection::abandon() {
  if (state_->threads.on_thread(shard_.index)) {
    abandoned_ = true;
    return respond(server_error(ErrorClass::internal, "http.no_response", "The server gave no answer to this request."));
  }
  if (gone_.load(std::memory_order_relaxed)) return;
  state_->threads.post(shard_.index, [self = shared_from_this()] { self->abandon(); });
}

void Connection::on_leave(std::function<void()> callback) {
  if (state_->threads.on_thread(shard_.index)) return watch(std::move(callback));
  state_->threads.post(shard_.index,
                       [self = shared_from_this(), callback = std::move(callback)]() mutable { self->watch(std::move(callback)); });
}

void Connection::respond(Response response) {
  if (phase_ != Phase::handling) return;  // the connection was closed meanwhile
  begin_write(std::move(response));
  advance();
}

void Connection::begin_write(Response response) {
  const auto now = steady_clock::now();
  if (state_->stopping.load(std::memory_order_relaxed)) keep_alive_ = false;
  const bool bodiless = method_ == Method::head || response.status == 204 || response.status == 304;
  const std::string* body = &response.body_text();
  const HeadContext head{shard_.date(now), request_id_, http11_, keep_alive_, false, https_};
  output_.clear();
  if (!append_head(output_, response, body->size(), head)) {
    response = server_error(ErrorClass::internal, "http.bad_response", "The server made an answer that must not be sent.");
    body = &response.body_text();
    static_cast<void>(append_head(output_, response, body->size(), head));
  }
  status_ = response.status;
  large_body_ = {};
  if (!bodiless && body->size() <= kBodyCopiedUpTo) {
    output_ += *body;
  } else if (!bodiless) {
    response_ = std::move(response);
    large_body_ = response_.body_text();
  }
  written_ = 0;
  on_leave_ = nullptr;
  phase_ = Phase::writing;
  deadline_ = now + state_->options.write_timeout;
}

Connection::WriteResult Connection::write_some() {
  while (written_ < output_.size() + large_body_.size()) {
    std::array<asio::const_buffer, 2> buffers;
    if (written_ < output_.size()) {
      buffers = {asio::buffer(output_.data() + written_, output_.size() - written_), asio::buffer(large_body_.data(), large_body_.size())};
    } else {
      buffers[0] = asio::buffer(large_body_.substr(written_ - output_.size()).data(), large_body_.size() - (written_ - output_.size()));
    }
    boost::system::error_code failure;
    const std::size_t bytes = large_body_.empty() ? socket_->write_some(buffers[0], failure) : socket_->write_some(buffers, failure);
    if (failure == asio::error::would_block || failure == asio::error::try_again) {
      wait_writable();
      return WriteResult::blocked;
    }
    if (failure) return WriteResult::failed;
    written_ += bytes;
    sent_ += bytes;
  }
  return WriteResult::complete;
}

bool Connection::step_write() {
  if (write_pending_) return false;
  switch (write_some()) {
    case WriteResult::blocked: return false;
    case WriteResult::failed:
      exchange_ended(false);
      close();
      return false;
    case WriteResult::complete: break;
  }
  exchange_ended(true);
  if (keep_alive_) {
    next_request();
  } else {
    hang_up();
  }
  return true;
}

void Connection::next_request() {
  phase_ = Phase::reading;
  parser_.reset();
  request_ = Request();
  route_ = nullptr;
  response_ = Response();
  large_body_ = {};
  if (output_.capacity() > kKeepOutputUpTo) output_ = std::string();
  shrink_input();
  await(Awaiting::next_request, state_->options.idle_timeout);
}

void Connection::exchange_ended(bool delivered) {
  if (!std::exchange(exchange_open_, false)) return;
  if (state_->options.on_complete) {
    Completed completed;
    if (route_ != nullptr) completed.route = route_->options.name;
    completed.method = method_;
    completed.path = path_;
    completed.status = status_;
    completed.request_id = request_id_;
    completed.remote_address = client_address_;
    completed.duration = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - exchange_began_);
    completed.bytes_sent = sent_;
    completed.delivered = delivered;
    completed.trace = trace_;
    state_->options.on_complete(completed);
  }
  sent_ = 0;
  trace_ = {};
}

}  // namespace pawl::http::detail
