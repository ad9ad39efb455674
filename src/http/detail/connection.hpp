// One client connection: a small state machine over a non-blocking socket, on one io thread.
//
// Callbacks, not a coroutine: the common request needs exactly one asynchronous wait (for its first byte), everything else happens in
// line in `advance`, so a frame per request would be the largest cost. Writes are tried at once and wait only when the kernel's buffer is
// full.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "http/detail/parser.hpp"
#include "http/detail/server_state.hpp"
#include "http/detail/stream.hpp"
#include "http/detail/websocket_session.hpp"
#include "http/responder.hpp"

namespace pawl::http::detail {

class Connection final : public ResponseSink, public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<ServerState> state, Shard& shard, Socket socket);
  ~Connection() override = default;

  // On the connection's thread.
  void start(std::list<std::shared_ptr<Connection>>::iterator place);
  void check_deadline(SteadyTime now);
  /// Begins the graceful end: idle closes now, a request in flight is the last one, a stream is ended.
  void wind_down();
  void close();
  void stream_ready();

  // ResponseSink: any thread.
  void send(Response response) override;
  [[nodiscard]] std::shared_ptr<EventStream> stream(Headers headers) override;
  void upgrade(WebSocketUpgrade upgrade) override;
  void abandon() override;
  void on_leave(std::function<void()> callback) override;

 private:
  static constexpr std::size_t kFirstInput = 4 * 1024;  ///< an idle connection holds this much

  enum class Phase : std::uint8_t {
    reading,    ///< waiting for, or reading, a request
    handling,   ///< the handler owns the request; its Responder brings us on
    writing,    ///< an answer is going out
    streaming,  ///< an endless answer is going out
    upgraded,   ///< a WebSocket session has the socket
    draining,   ///< our side is shut down; what the client still sends is thrown away, so that it can read our answer
    closed,
  };
  /// What the deadline means while reading.
  enum class Awaiting : std::uint8_t { first_request, next_request, header, body };

  void advance();
  [[nodiscard]] bool step();  ///< true: call again; false: waits for something
  [[nodiscard]] bool step_read();
  [[nodiscard]] bool step_write();
  [[nodiscard]] bool step_stream();
  [[nodiscard]] bool step_drain();

  void header_complete();
  void dispatch();
  void refuse_plain_http();
  void refuse(int status, ErrorClass kind, const char* code, std::string message);
  void respond(Response response);
  void begin_stream(Headers headers, const std::shared_ptr<StreamQueue>& queue);
  void begin_upgrade(WebSocketUpgrade upgrade);
  void websocket_ended(bool opened);
  void begin_write(Response response);
  [[nodiscard]] Response server_error(ErrorClass kind, const char* code, std::string message, int status = 0) const;
  void exchange_ended(bool delivered);
  void next_request();

  enum class WriteResult : std::uint8_t { complete, blocked, failed };
  [[nodiscard]] WriteResult write_some();
  void wait_readable();
  void wait_writable();
  void watch(std::function<void()> callback);
  void look_for_client();
  void received(boost::system::error_code failure, std::size_t bytes);
  void make_room();
  void shrink_input();
  void hang_up();
  void await(Awaiting what, std::chrono::milliseconds timeout);

  const std::shared_ptr<ServerState> state_;
  Shard& shard_;
  std::optional<Socket> socket_;
  std::list<std::shared_ptr<Connection>>::iterator place_{};
  std::string remote_address_;

  Phase phase_ = Phase::reading;
  Awaiting awaiting_ = Awaiting::first_request;
  std::atomic<bool> gone_{false};  ///< set once closed: other threads need not post any more
  bool advancing_ = false;         ///< inside advance(): a nested call only changes the phase
  bool read_pending_ = false;
  bool write_pending_ = false;
  bool keep_alive_ = true;
  SteadyTime deadline_ = SteadyTime::max();

  // Input: [begin_, end_) of input_ is received and not yet parsed.
  std::string input_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t discarded_ = 0;
  Request request_;
  std::optional<RequestParser> parser_;

  // The exchange under way. What the answer needs is kept here: the request itself belongs to the handler.
  const Router::Route* route_ = nullptr;
  bool exchange_open_ = false;
  bool abandoned_ = false;
  bool varies_ = false;  // the route's replies may be compressed
  bool gzip_ = false;    // and this client takes them so
  bool http11_ = true;
  Method method_ = Method::get;
  std::function<void()> on_leave_;  // while the request is handled, where somebody asked for it
  bool watch_pending_ = false;
  std::string path_;
  std::string request_id_;
  std::string client_address_;  ///< of the request, see ServerOptions::identify
  bool https_ = false;
  ExchangeTrace trace_;
  SteadyTime exchange_began_{};
  int status_ = 0;
  std::size_t sent_ = 0;

  // Output: output_ from written_ on, then the body of response_ if it is large.
  std::string output_;
  Response response_;
  std::string_view large_body_;
  std::size_t written_ = 0;

  // Streaming.
  std::shared_ptr<StreamQueue> stream_;
  bool stream_finishing_ = false;
  bool stream_heartbeat_ = false;
  SteadyTime last_sent_{};

  // WebSocket.
  std::optional<Handshake> handshake_;  ///< while a request that asks for one is handled
  std::shared_ptr<WebSocketSession> websocket_;
};

}  // namespace pawl::http::detail
