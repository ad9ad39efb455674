// The socket of a connection, its deadline and its end.
#include <boost/asio/buffer.hpp>
#include <cstring>
#include <utility>

#include "http/detail/connection.hpp"

namespace pawl::http::detail {
namespace asio = boost::asio;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t kBodyInput = 64 * 1024;  // while a body comes in
constexpr std::size_t kDiscardUpTo = 1024 * 1024;
constexpr std::chrono::milliseconds kDrainFor{2'000};

}  // namespace

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

void Connection::shrink_input() {
  if (input_.size() > kFirstInput && end_ - begin_ <= kFirstInput) {
    std::string smaller(kFirstInput, '\0');
    std::memcpy(smaller.data(), input_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    input_ = std::move(smaller);
  }
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

/// Nothing is read while a request is handled: the bytes of the next one stay where they are.
void Connection::watch(std::function<void()> callback) {
  if (phase_ == Phase::closed) return callback();
  if (phase_ != Phase::handling) return;  // answered meanwhile
  on_leave_ = std::move(callback);
  if (std::exchange(watch_pending_, true)) return;
  socket_->async_wait(Socket::wait_read, [self = shared_from_this()](boost::system::error_code failure) {
    self->watch_pending_ = false;
    if (!failure) self->look_for_client();
  });
}

void Connection::look_for_client() {
  if (phase_ != Phase::handling || !on_leave_) return;  // of an exchange that is over
  char next = 0;
  boost::system::error_code failure;
  socket_->receive(asio::buffer(&next, 1), Socket::message_peek, failure);
  if (!failure) return;  // the next request: behind it an end is not seen
  if (failure == asio::error::would_block || failure == asio::error::try_again) return watch(std::exchange(on_leave_, nullptr));
  const auto callback = std::exchange(on_leave_, nullptr);
  callback();  // the answer is written all the same: a client may end its own side only
}

void Connection::hang_up() {
  boost::system::error_code ignored;
  socket_->shutdown(Socket::shutdown_send, ignored);
  phase_ = Phase::draining;
  deadline_ = steady_clock::now() + kDrainFor;
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

void Connection::await(Awaiting what, std::chrono::milliseconds timeout) {
  awaiting_ = what;
  deadline_ = steady_clock::now() + timeout;
}

void Connection::check_deadline(SteadyTime now) {
  if (phase_ == Phase::upgraded) return websocket_->check_deadline(now);
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
    case Phase::upgraded: websocket_->wind_down(); break;
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
  const auto leave = std::exchange(on_leave_, nullptr);
  phase_ = Phase::closed;
  gone_ = true;
  if (socket_) {
    boost::system::error_code ignored;
    socket_->close(ignored);
    socket_.reset();
  }
  shard_.connections.erase(place_);
  if (const auto stream = std::exchange(stream_, nullptr)) stream->ended();
  if (const auto websocket = std::exchange(websocket_, nullptr)) websocket->abort();
  if (leave) leave();
  state_->connection_closed();
}

}  // namespace pawl::http::detail
