// A connection that becomes a WebSocket.
#include <utility>

#include "http/detail/connection.hpp"

namespace pawl::http::detail {

void Connection::upgrade(WebSocketUpgrade upgrade) {
  if (state_->threads.on_thread(shard_.index)) return begin_upgrade(std::move(upgrade));
  if (gone_.load(std::memory_order_relaxed)) return;
  state_->threads.post(shard_.index,
                       [self = shared_from_this(), upgrade = std::move(upgrade)]() mutable { self->begin_upgrade(std::move(upgrade)); });
}

void Connection::begin_upgrade(WebSocketUpgrade upgrade) {
  if (phase_ != Phase::handling) return;  // the connection was closed meanwhile
  if (!handshake_) {
    return respond(
        server_error(ErrorClass::invalid, "http.upgrade_required", "This path speaks WebSocket (RFC 6455, version 13) only.", 426)
            .with("Upgrade", "websocket")
            .with("Sec-WebSocket-Version", "13"));
  }
  if (begin_ != end_) {  // bytes after the handshake that did not wait for its answer: whose are they?
    keep_alive_ = false;
    return respond(server_error(ErrorClass::invalid, "http.early_frames", "A client sends nothing before the handshake is answered."));
  }
  if (state_->stopping.load(std::memory_order_relaxed)) {
    return respond(server_error(ErrorClass::unavailable, "http.stopping", "The server is stopping; come again.").with("Retry-After", "1"));
  }
  phase_ = Phase::upgraded;
  status_ = 101;
  auto on_end = [self = weak_from_this()](bool opened) {
    if (const auto connection = self.lock()) connection->websocket_ended(opened);
  };
  websocket_ = make_websocket_session(state_, shard_, std::move(*socket_), std::move(*handshake_), std::move(upgrade), std::move(on_end));
  socket_.reset();
  handshake_.reset();
  input_ = std::string();
  begin_ = end_ = 0;
  websocket_->start();
}

void Connection::websocket_ended(bool opened) {
  exchange_ended(opened);
  close();
}

}  // namespace pawl::http::detail
