#include "http/detail/connection.hpp"

#include <array>
#include <boost/asio/buffer.hpp>
#include <charconv>
#include <cstring>
#include <exception>
#include <utility>

#include "http/detail/serializer.hpp"
#include "http/detail/target.hpp"
#include "http/problem.hpp"

namespace pawl::http::detail {
namespace asio = boost::asio;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t kFirstInput = 4 * 1024;       // an idle connection holds this much
constexpr std::size_t kBodyInput = 64 * 1024;       // while a body comes in
constexpr std::size_t kBodyCopiedUpTo = 16 * 1024;  // smaller bodies ride in the head's buffer: one write, one page run
constexpr std::size_t kKeepOutputUpTo = 64 * 1024;
constexpr std::size_t kDiscardUpTo = 1024 * 1024;
constexpr std::chrono::milliseconds kDrainFor{2'000};

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

void Connection::dispatch() {
  phase_ = Phase::handling;
  deadline_ = SteadyTime::max();
  request_.remote_address = remote_address_;
  request_.request_id = request_id_;
  request_.route = route_->options.name;
  request_.shard = shard_.index;
  abandoned_ = false;
  std::string what;
  try {
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
    shard_.new_request_id(request_id_);
  }
  begin_write(server_error(kind, code, std::move(message), status));
}

Response Connection::server_error(ErrorClass kind, const char* code, std::string message, int status) const {
  return problem(Error(kind, code, std::move(message)), path_, request_id_, status);
}

// ---- answering ---------------------------------------------------------------------------------------------------

void Connection::send(Response response) {
  if (state_->threads.on_thread(shard_.index)) return respond(std::move(response));
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
  const HeadContext head{shard_.date(now), request_id_, http11_, keep_alive_, false};
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
    boost::system::error_code ignored;
    socket_->shutdown(Socket::shutdown_send, ignored);
    phase_ = Phase::draining;
    deadline_ = steady_clock::now() + kDrainFor;
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
  if (input_.size() > kFirstInput && end_ - begin_ <= kFirstInput) {
    std::string smaller(kFirstInput, '\0');
    std::memcpy(smaller.data(), input_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    input_ = std::move(smaller);
  }
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
    completed.remote_address = remote_address_;
    completed.duration = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - exchange_began_);
    completed.bytes_sent = sent_;
    completed.delivered = delivered;
    state_->options.on_complete(completed);
  }
  sent_ = 0;
}

bool Connection::step_drain() {
  discarded_ += end_ - begin_;
  begin_ = end_ = 0;
  if (discarded_ > kDiscardUpTo) {
    close();
    return false;
  }
  wait_readable();
  return false;
}

// ---- streaming ---------------------------------------------------------------------------------------------------

std::shared_ptr<EventStream> Connection::stream(Headers headers) {
  auto queue = std::make_shared<StreamQueue>(state_->threads, shard_.index, state_->options.stream_queue_bytes, weak_from_this());
  if (state_->threads.on_thread(shard_.index)) {
    begin_stream(std::move(headers), queue);
  } else {
    state_->threads.post(shard_.index, [self = shared_from_this(), queue, headers = std::move(headers)]() mutable {
      self->begin_stream(std::move(headers), queue);
    });
  }
  return std::make_shared<StreamHandle>(std::move(queue));
}

void Connection::begin_stream(Headers headers, const std::shared_ptr<StreamQueue>& queue) {
  if (phase_ != Phase::handling) return queue->ended();
  if (method_ == Method::head) {  // the head alone is the answer
    queue->ended();
    Response response(200);
    if (!headers.contains("content-type")) response.content_type = "text/event-stream";
    response.headers = std::move(headers);
    return respond(std::move(response));
  }
  Response response(200);
  if (!headers.contains("content-type")) response.content_type = "text/event-stream";
  headers.add("X-Accel-Buffering", "no");
  if (!headers.contains("cache-control")) headers.add("Cache-Control", "no-store");
  response.headers = std::move(headers);
  stream_heartbeat_ = !response.content_type.view().empty();
  keep_alive_ = false;
  const auto now = steady_clock::now();
  output_.clear();
  const HeadContext head{shard_.date(now), request_id_, http11_, false, true};
  if (!append_head(output_, response, 0, head)) {
    queue->ended();
    return respond(server_error(ErrorClass::internal, "http.bad_response", "The server made an answer that must not be sent."));
  }
  status_ = 200;
  written_ = 0;
  large_body_ = {};
  stream_ = queue;
  stream_finishing_ = false;
  last_sent_ = now;
  phase_ = Phase::streaming;
  if (state_->stopping.load(std::memory_order_relaxed)) queue->close();
  wait_readable();  // to notice when the client goes
  advance();
}

void Connection::stream_ready() {
  if (phase_ == Phase::streaming) advance();
}

bool Connection::step_stream() {
  if (write_pending_) return false;
  if (written_ == output_.size()) {
    if (stream_finishing_) {
      exchange_ended(true);
      std::exchange(stream_, nullptr)->ended();
      if (phase_ == Phase::closed) return false;  // the callback may do anything
      boost::system::error_code ignored;
      socket_->shutdown(Socket::shutdown_send, ignored);
      phase_ = Phase::draining;
      deadline_ = steady_clock::now() + kDrainFor;
      return true;
    }
    auto taken = stream_->take();
    if (taken.overflow) {
      exchange_ended(false);
      close();
      return false;
    }
    if (taken.bytes.empty() && !taken.closed) {
      deadline_ = last_sent_ + state_->options.heartbeat;
      return false;
    }
    output_.clear();
    written_ = 0;
    if (!taken.bytes.empty()) {
      if (http11_) {
        std::array<char, 24> size{};
        const auto end = std::to_chars(size.data(), size.data() + size.size(), taken.bytes.size(), 16).ptr;
        output_.append(size.data(), end).append("\r\n").append(taken.bytes).append("\r\n");
      } else {
        output_ = std::move(taken.bytes);
      }
    }
    if (taken.closed) {
      if (http11_) output_ += "0\r\n\r\n";
      stream_finishing_ = true;
    }
  }
  deadline_ = steady_clock::now() + state_->options.write_timeout;
  switch (write_some()) {
    case WriteResult::failed:
      exchange_ended(false);
      close();
      return false;
    case WriteResult::blocked: stream_->set_in_flight(output_.size() - written_); return false;
    case WriteResult::complete: break;
  }
  last_sent_ = steady_clock::now();
  stream_->set_in_flight(0);
  return true;
}

// ---- socket and time ---------------------------------------------------------------------------------------------

void Connection::make_room() {
  if (begin_ == end_) begin_ = end_ = 0;
  const std::size_t wanted = awaiting_ == Awaiting::body ? kBodyInput : kFirstInput;
  if (input_.size() < wanted) input_.resize(wanted);
  if (end_ < input_.size()) return;
  if (begin_ > 0) {
    std::memmove(input_.data(), input_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    return;
  }
  input_.resize(input_.size() * 2);  // bounded: the parser refuses a header or chunk line beyond max_header_bytes
}

void Connection::wait_readable() {
  if (std::exchange(read_pending_, true)) return;
  if (end_ == input_.size()) begin_ = end_ = 0;  // only while streaming or draining: nobody wants these bytes
  socket_->async_read_some(
      asio::buffer(input_.data() + end_, input_.size() - end_),
      [self = shared_from_this()](boost::system::error_code failure, std::size_t bytes) { self->received(failure, bytes); });
}

void Connection::received(boost::system::error_code failure, std::size_t bytes) {
  read_pending_ = false;
  if (phase_ == Phase::closed) return;
  if (failure) {
    // While a refusal is on its way the client may well have ended its side: the write decides.
    if (phase_ == Phase::writing || phase_ == Phase::handling) return;
    exchange_ended(false);
    return close();
  }
  end_ += bytes;
  if (phase_ == Phase::streaming) {
    discarded_ += bytes;
    begin_ = end_ = 0;
    if (discarded_ > kDiscardUpTo) return close();
    return wait_readable();
  }
  advance();
}

void Connection::wait_writable() {
  if (std::exchange(write_pending_, true)) return;
  socket_->async_wait(Socket::wait_write, [self = shared_from_this()](boost::system::error_code failure) {
    self->write_pending_ = false;
    if (self->phase_ == Phase::closed) return;
    if (failure) return self->close();
    self->deadline_ = steady_clock::now() + self->state_->options.write_timeout;  // the kernel took something: progress
    self->advance();
  });
}

void Connection::await(Awaiting what, std::chrono::milliseconds timeout) {
  awaiting_ = what;
  deadline_ = steady_clock::now() + timeout;
}

void Connection::check_deadline(SteadyTime now) {
  if (now < deadline_) return;
  if (phase_ == Phase::streaming && !write_pending_) {
    // Silence, not slowness. Comments are for event streams; another type would be damaged by them, and has no heartbeat.
    last_sent_ = now;
    deadline_ = now + state_->options.heartbeat;
    if (stream_heartbeat_) static_cast<void>(stream_->push(":\n\n"));
    return;
  }
  const bool began = awaiting_ == Awaiting::header || awaiting_ == Awaiting::body || begin_ != end_ || (parser_ && parser_->started());
  if (phase_ == Phase::reading && began) {
    refuse(408, ErrorClass::timeout, "http.request_timeout", "The request did not arrive in time.");
    return advance();
  }
  exchange_ended(false);
  close();
}

void Connection::wind_down() {
  switch (phase_) {
    case Phase::reading:
      if (begin_ == end_ && !(parser_ && parser_->started())) close();
      break;
    case Phase::streaming: stream_->close(); break;
    case Phase::handling:
    case Phase::writing: keep_alive_ = false; break;
    case Phase::draining:
    case Phase::closed: break;
  }
}

void Connection::close() {
  if (phase_ == Phase::closed) return;
  const auto self = shared_from_this();
  exchange_ended(false);
  phase_ = Phase::closed;
  gone_ = true;
  boost::system::error_code ignored;
  socket_->close(ignored);
  socket_.reset();
  shard_.connections.erase(place_);
  if (const auto stream = std::exchange(stream_, nullptr)) stream->ended();
  state_->connection_closed();
}

}  // namespace pawl::http::detail
