/// WebSocket (RFC 6455): the other way, beside `EventStream`, to keep talking to one client.
///
///     if (!asks_for_websocket(request)) ...                        // an ordinary request to this path
///     responder.upgrade({.protocol = "pawl.v1"}, [](std::shared_ptr<WebSocket> socket) {
///       socket->on_message([socket](std::string_view text) { socket->send(answer_to(text)); });
///     });
///
/// Who may have one is decided before: by the time of `upgrade` the route has authenticated the request and looked at its `Origin`.
/// Text messages only; a binary one closes the socket (1003). No compression.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/request.hpp"

namespace pawl::http {

/// Why a socket was closed, as the client is told.
enum class CloseCode : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported = 1003,  ///< a binary message
  bad_text = 1007,     ///< not UTF-8
  policy = 1008,       ///< no longer permitted: expired, revoked
  too_large = 1009,
  internal = 1011,
  restart = 1012,     ///< the server stops; come again
  overloaded = 1013,  ///< the client did not keep up; come again and resume
};

/// An open socket. `send`, `close` and `closed`: any thread.
///
/// The queue towards the client is bounded in bytes (`WebSocketOptions::queue_bytes`): a client that does not keep up is closed with 1013
/// and what is queued is thrown away. Dropping the last reference closes with 1000; the callbacks are dropped when the socket has ended, so
/// they may hold a reference.
class WebSocket {
 public:
  using Text = std::shared_ptr<const std::string>;

  WebSocket() = default;
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;
  virtual ~WebSocket() = default;

  /// Queues one message (UTF-8, not null); the text is shared, not copied, so that one text can go to many. False when the socket is closed
  /// or closing, or when this message would overflow the queue: then it is closed.
  virtual bool send(Text text) = 0;
  bool send(std::string text) { return send(std::make_shared<const std::string>(std::move(text))); }
  /// Closes after what is queued. `reason`: at most 123 bytes are told. Idempotent: the first code stands.
  virtual void close(CloseCode code, std::string_view reason) = 0;
  void close() { close(CloseCode::normal, {}); }
  /// `callback` gets every message, on the connection's io thread. Call it in `opened` (nothing is read before that returns), or later on
  /// that thread. The next message is read when the callback has returned. An exception closes the socket with 1011.
  virtual void on_message(std::function<void(std::string_view text)> callback) = 0;
  /// `callback` runs once, on the connection's io thread, when the socket has ended for whatever reason; also if it has ended already.
  virtual void on_close(std::function<void()> callback) = 0;
  [[nodiscard]] virtual bool closed() const = 0;
};

struct WebSocketOptions {
  std::string protocol{};                           ///< the subprotocol agreed on, one that the client offered; empty: none
  std::size_t max_message_bytes = 64 * 1024;        ///< of a message from the client; one more closes with 1009
  std::size_t queue_bytes = 1024 * 1024;            ///< towards the client
  std::chrono::milliseconds idle_timeout{60'000};   ///< without a byte from the client, who is pinged at half of it
  std::chrono::milliseconds write_timeout{30'000};  ///< for one message to leave
  std::chrono::milliseconds close_timeout{5'000};   ///< for the client to answer our close
};

/// What `Responder::upgrade` is given.
struct WebSocketUpgrade {
  WebSocketOptions options{};
  /// Runs on the connection's io thread when the handshake is done; not at all if it fails.
  std::function<void(std::shared_ptr<WebSocket>)> opened{};
};

/// True for a complete opening handshake: GET, HTTP/1.1, `Connection: upgrade`, `Upgrade: websocket`, version 13 and a key.
[[nodiscard]] bool asks_for_websocket(const Request& request) noexcept;

/// The subprotocols that the client offers, in its order. Views into the request's headers.
[[nodiscard]] std::vector<std::string_view> offered_protocols(const Request& request);

}  // namespace pawl::http
