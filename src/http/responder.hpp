/// The answering side of one exchange.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "http/response.hpp"
#include "http/websocket.hpp"

namespace pawl::http {

/// An open `text/event-stream` answer (or another endless one). All functions: any thread.
///
/// The queue towards the client is bounded (`ServerOptions::stream_queue_bytes`): a client that does not keep up is cut off and comes back
/// with `Last-Event-ID`. While nothing else is sent on a `text/event-stream`, the server writes a comment line every 15 s, so that proxies
/// keep the connection and a dead client is noticed. Dropping the last reference closes the stream.
class EventStream {
 public:
  EventStream() = default;
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;
  virtual ~EventStream() = default;

  /// Queues bytes as they stand (for SSE: complete `id:`/`data:` lines with the empty line). False when the stream is closed, or when this
  /// chunk would overflow the queue: then the stream is closed too.
  virtual bool send(std::string chunk) = 0;
  /// Ends the answer after what is queued. Idempotent.
  virtual void close() = 0;
  /// `callback` runs once, on the connection's io thread, when the stream has ended for whatever reason; also if it has ended already.
  /// At most one callback: a later one replaces an earlier one.
  virtual void on_close(std::function<void()> callback) = 0;
  [[nodiscard]] virtual bool closed() const = 0;
};

/// What stands behind a Responder: the connection, or a test's recorder. Exactly one of the four functions that answer is called, exactly
/// once.
class ResponseSink {
 public:
  ResponseSink() = default;
  ResponseSink(const ResponseSink&) = delete;
  ResponseSink& operator=(const ResponseSink&) = delete;
  virtual ~ResponseSink() = default;
  virtual void send(Response response) = 0;
  [[nodiscard]] virtual std::shared_ptr<EventStream> stream(Headers headers) = 0;
  virtual void upgrade(WebSocketUpgrade upgrade) = 0;
  /// The Responder was dropped unused. The connection answers 500 (`http.no_response`).
  virtual void abandon() = 0;
  /// Before any of them, at most once: tells when the client leaves.
  virtual void on_leave(std::function<void()> callback) = 0;
};

/// Move-only, single shot: exactly one of `send`, `stream` and `upgrade` may be called, once, from any thread; on the connection's own
/// thread it costs no post. A Responder destroyed unused answers 500 (`http.no_response`), so a request never hangs. A client that went
/// away meanwhile is not an error: the answer is dropped.
///
/// May outlive the server, but not the IoThreads.
class Responder {
 public:
  Responder() noexcept = default;
  explicit Responder(std::shared_ptr<ResponseSink> sink) noexcept : sink_(std::move(sink)) {}
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&& other) noexcept;
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;
  ~Responder();

  void send(Response response);
  /// Begins an endless answer with status 200 and `Content-Type: text/event-stream` unless `headers` say another type.
  [[nodiscard]] std::shared_ptr<EventStream> stream(Headers headers = {});
  /// Makes a WebSocket of the connection and gives it to `opened`. A request that is no handshake (`asks_for_websocket`) is answered 426
  /// (`http.upgrade_required`) instead.
  void upgrade(WebSocketOptions options, std::function<void(std::shared_ptr<WebSocket>)> opened);
  /// `callback` runs once, on the connection's io thread, when the client ends the connection (or its side of it) before it was answered
  /// with one of the above: nobody waits for the answer any more, which is still owed. To be called before whatever answers begins. A
  /// client that has sent its next request already is not seen to leave.
  void on_leave(std::function<void()> callback);
  /// True while the answer is still owed.
  [[nodiscard]] explicit operator bool() const noexcept { return sink_ != nullptr; }

 private:
  void abandon() noexcept;
  std::shared_ptr<ResponseSink> sink_;
};

}  // namespace pawl::http
