/// The HTTP/1.1 server: one listening socket, connections dealt round robin to the io threads, each connection on its thread for life.
///
///     http::Router router;
///     router.add(Method::get, "/health", [](Request&&, Responder responder) { responder.send(Response::json(200, "{}")); });
///     http::Server server(threads, std::move(router), {.port = 0});
///     if (auto started = server.start(); !started) return started.error();
///     ...
///     server.stop(std::chrono::seconds(10));
///
/// Every limit has an answer: header too large 431, body too large 413 (before it is read where Content-Length tells), unknown path 404,
/// known path with another method 405 with `Allow`, malformed 400, slow header or body 408, all as problem+json. TLS ends in front of it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "async/io_threads.hpp"
#include "base/error.hpp"
#include "base/trace_context.hpp"
#include "http/router.hpp"

namespace pawl::http {

/// Where an exchange stands in a trace.
struct ExchangeTrace {
  TraceContext own{};     ///< the exchange's span
  TraceContext caller{};  ///< what the client says it is part of
};

/// What `ServerOptions::on_complete` is told about a finished exchange. Views are valid during the call.
struct Completed {
  std::string_view route;  ///< the route's name; empty where none matched
  Method method = Method::get;
  std::string_view path;
  int status = 0;
  std::string_view request_id;
  std::string_view remote_address;
  std::chrono::microseconds duration{};  ///< from the request's header being complete to the answer's last byte
  std::size_t bytes_sent = 0;
  bool delivered = true;  ///< false: the connection was lost before the answer was written
  ExchangeTrace trace{};
};

struct ServerOptions {
  std::string host = "127.0.0.1";  ///< an IPv4 or IPv6 address (names are not resolved)
  std::uint16_t port = 0;          ///< 0: any free port, see `Server::port`
  int backlog = 1024;
  std::size_t max_connections = 10'000;  ///< one more gets 503 and is closed
  std::size_t max_header_bytes = 16 * 1024;
  std::size_t max_header_fields = 100;
  std::size_t max_body_bytes = 1024 * 1024;          ///< routes may say otherwise
  std::size_t stream_queue_bytes = 1024 * 1024;      ///< per event stream
  std::chrono::milliseconds header_timeout{10'000};  ///< from the first byte (or the connect) to the complete header
  std::chrono::milliseconds body_timeout{30'000};    ///< for the whole body
  std::chrono::milliseconds idle_timeout{60'000};    ///< between requests
  std::chrono::milliseconds write_timeout{30'000};   ///< without progress
  std::chrono::milliseconds heartbeat{15'000};       ///< silence after which a stream gets a comment line
  /// Called on the connection's thread for every request once its header is complete: may replace `remote_address` and set `scheme` from
  /// what a proxy says that is trusted. Must be quick and must not throw.
  std::function<void(Request&)> identify{};
  /// Called on the connection's thread for every request after `identify`, if set: the handler runs within `own`. Must be quick and must
  /// not throw.
  std::function<ExchangeTrace(const Request&)> trace{};
  /// A client that came by plain http, as `identify` found out, is sent to https (GET and HEAD: 308) or refused (403), before the route's
  /// handler.
  bool require_https = false;
  std::string https_origin{};  ///< where they are sent: `https://pawl.example.com`; empty: to the host that they have asked for
  /// Every answer says `Strict-Transport-Security`; otherwise only those to clients that came by https.
  bool always_https = false;
  /// Called on the connection's thread after each exchange, if set: metrics and access log. Must be quick and must not throw.
  std::function<void(const Completed&)> on_complete{};
  /// Called on the connection's thread with what() of an exception that a handler threw.
  std::function<void(std::string_view request_id, std::string_view what)> on_exception{};
};

class Server {
 public:
  Server(async::IoThreads& threads, Router router, ServerOptions options);
  /// Stops at once (like `stop(0)`). Before the IoThreads are stopped, please: then clients get what they are owed.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Listens and begins to accept. Errors: `http.address` (not an address), `http.listen` (in use, not permitted). Once.
  [[nodiscard]] Result<void> start();
  /// The bound port, after `start`.
  [[nodiscard]] std::uint16_t port() const noexcept;
  /// Connections open right now.
  [[nodiscard]] std::size_t connections() const noexcept;

  /// Graceful end: stops listening, closes idle connections, ends event streams, lets requests in flight finish (their connection closes
  /// after the answer), and cuts off what is left after `patience`. Returns when no connection is open. Idempotent; not from an io thread.
  void stop(std::chrono::milliseconds patience = std::chrono::milliseconds(0));

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::http
