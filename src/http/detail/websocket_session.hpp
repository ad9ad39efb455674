// A connection that has become a WebSocket, as the connection sees it. The implementation is the one place that includes Beast's
// WebSocket headers: they cost half a minute to compile.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "http/detail/server_state.hpp"
#include "http/websocket.hpp"

namespace pawl::http::detail {

/// What the answer to the opening handshake needs of the request.
struct Handshake {
  std::string target;
  std::string host;
  std::string key;
  std::string request_id;
};

/// All functions on the connection's thread.
class WebSocketSession {
 public:
  WebSocketSession() = default;
  WebSocketSession(const WebSocketSession&) = delete;
  WebSocketSession& operator=(const WebSocketSession&) = delete;
  virtual ~WebSocketSession() = default;

  virtual void start() = 0;
  /// There may be something to write.
  virtual void wake() = 0;
  virtual void check_deadline(SteadyTime now) = 0;
  /// The graceful end: closes with 1012.
  virtual void wind_down() = 0;
  /// Cuts the connection. `on_end` is not called for it.
  virtual void abort() = 0;
};

/// Takes over the socket. `on_end` runs once when it has ended by itself.
[[nodiscard]] std::shared_ptr<WebSocketSession> make_websocket_session(const std::shared_ptr<ServerState>& state, Shard& shard,
                                                                       Socket socket, Handshake handshake, WebSocketUpgrade upgrade,
                                                                       std::function<void(bool opened)> on_end);

}  // namespace pawl::http::detail
