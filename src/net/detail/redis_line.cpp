#include "net/detail/redis_line.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace pawl::net::detail {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

Error unavailable(std::string sentence) { return {ErrorClass::unavailable, "redis.unavailable", std::move(sentence)}; }

/// Finds out within a minute that the other machine is gone, also where nothing is sent (subscriptions).
void keep_alive(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  const auto set = [&](int name, int value) { ::setsockopt(socket.native_handle(), IPPROTO_TCP, name, &value, sizeof value); };
  set(TCP_KEEPIDLE, 20);
  set(TCP_KEEPINTVL, 10);
  set(TCP_KEEPCNT, 3);
}

/// With the authorities of the file, or else of the system.
error_code trust(ssl::context& context, const std::string& ca_file) {
  error_code failed;
  context.set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1, failed);
  if (failed) return failed;
  if (ca_file.empty()) {
    context.set_default_verify_paths(failed);
  } else {
    context.load_verify_file(ca_file, failed);
  }
  return failed;
}

}  // namespace

struct RedisLine::Tls {
  Tls(tcp::socket& socket, ssl::context trusting) : context(std::move(trusting)), stream(socket, context) {}
  ssl::context context;
  ssl::stream<tcp::socket&> stream;
};

RedisLine::RedisLine(asio::io_context& context, const RedisAddress& address, const RedisOptions& options)
    : address_(address), options_(options), socket_(context) {}

RedisLine::~RedisLine() = default;

void RedisLine::connect(const Endpoints& endpoints, Connected done) {
  asio::async_connect(socket_, endpoints, [this, done = std::move(done)](error_code error, const tcp::endpoint&) mutable {
    if (error) return done(unavailable("no connection: " + error.message()));
    keep_alive(socket_);
    if (!address_.tls) return done({});
    secure(std::move(done));
  });
}

void RedisLine::secure(Connected done) {
  ssl::context context(ssl::context::tls_client);
  if (const auto failed = trust(context, options_.ca_file)) return done(unavailable("TLS cannot begin: " + failed.message()));
  tls_ = std::make_unique<Tls>(socket_, std::move(context));
  auto& stream = tls_->stream;
  error_code is_name;
  static_cast<void>(asio::ip::make_address(address_.host, is_name));
  // An address has no place in this extension (RFC 6066, chapter 3).
  if (is_name) SSL_set_tlsext_host_name(stream.native_handle(), address_.host.c_str());
  stream.set_verify_mode(ssl::verify_peer);
  stream.set_verify_callback(ssl::host_name_verification(address_.host));
  stream.async_handshake(ssl::stream_base::client, [done = std::move(done)](error_code error) mutable {
    if (error) return done(unavailable("no TLS with it: " + error.message()));
    done({});
  });
}

void RedisLine::read(asio::mutable_buffer into, Done done) {
  if (tls_ != nullptr) return tls_->stream.async_read_some(into, std::move(done));
  socket_.async_read_some(into, std::move(done));
}

void RedisLine::write(asio::const_buffer from, Done done) {
  if (tls_ != nullptr) {
    asio::async_write(tls_->stream, from, std::move(done));
  } else {
    asio::async_write(socket_, from, std::move(done));
  }
}

void RedisLine::close() {
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace pawl::net::detail
