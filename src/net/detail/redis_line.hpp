/// The bytes between us and Redis: a TCP socket, with TLS over it where the address asks for it (`rediss://`).
///
/// Everything on the client's thread. Whoever calls keeps the line until the handlers have run; `close` ends what is under way.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>

#include "async/unique_function.hpp"
#include "base/error.hpp"
#include "net/redis.hpp"

namespace pawl::net::detail {

class RedisLine {
 public:
  using Endpoints = boost::asio::ip::tcp::resolver::results_type;
  using Connected = async::UniqueFunction<void(Result<void>)>;
  using Done = async::UniqueFunction<void(boost::system::error_code, std::size_t)>;

  /// `address` and `options` outlive the line.
  RedisLine(boost::asio::io_context& context, const RedisAddress& address, const RedisOptions& options);
  ~RedisLine();
  RedisLine(const RedisLine&) = delete;
  RedisLine& operator=(const RedisLine&) = delete;

  /// To the first of these that accepts; with TLS until its certificate has been found to be that of the host. Error `redis.unavailable`,
  /// a piece of a sentence.
  void connect(const Endpoints& endpoints, Connected done);
  /// What has arrived, at least a byte.
  void read(boost::asio::mutable_buffer into, Done done);
  /// All of it.
  void write(boost::asio::const_buffer from, Done done);
  void close();

 private:
  struct Tls;

  void secure(Connected done);

  const RedisAddress& address_;
  const RedisOptions& options_;
  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<Tls> tls_;  ///< null: in clear
};

}  // namespace pawl::net::detail
