// Two servers that say hello, to be loaded from outside:
//
//   bench_http_hello pawl  [PORT]   our server, a static answer from the handler
//   bench_http_hello later [PORT]   our server, answered from another thread (what a posted completion costs)
//   bench_http_hello beast [PORT]   Boost.Beast as its examples use it: the yardstick
//
//   wrk -t1 -c64 -d5s http://127.0.0.1:PORT/hello
//
// Prints the port, runs until SIGTERM or SIGINT, then prints the CPU time used.
#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "async/blocking_pool.hpp"
#include "async/io_threads.hpp"
#include "http/server.hpp"

namespace pawl {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;

class BeastSession : public std::enable_shared_from_this<BeastSession> {
 public:
  explicit BeastSession(tcp::socket socket) : stream_(std::move(socket)) { stream_.socket().set_option(tcp::no_delay(true)); }

  void read() {
    request_ = {};
    stream_.expires_after(std::chrono::seconds(30));
    beast::http::async_read(stream_, buffer_, request_, [self = shared_from_this()](beast::error_code failure, std::size_t) {
      if (!failure) self->write();
    });
  }

 private:
  void write() {
    response_ = {beast::http::status::ok, request_.version()};
    response_.set(beast::http::field::content_type, "application/json");
    response_.keep_alive(request_.keep_alive());
    response_.body() = R"({"hello":true})";
    response_.prepare_payload();
    beast::http::async_write(stream_, response_, [self = shared_from_this()](beast::error_code failure, std::size_t) {
      if (!failure && self->response_.keep_alive()) self->read();
    });
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  beast::http::request<beast::http::string_body> request_;
  beast::http::response<beast::http::string_body> response_;
};

class BeastServer {
 public:
  BeastServer(async::IoThreads& threads, std::uint16_t port)
      : threads_(threads), acceptor_(threads.context(0), tcp::endpoint(asio::ip::address_v4::loopback(), port)) {
    accept();
  }
  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  void accept() {
    const std::size_t index = next_++ % threads_.size();
    acceptor_.async_accept(threads_.context(index), [this, index](beast::error_code failure, tcp::socket socket) {
      if (failure) return;
      auto session = std::make_shared<BeastSession>(std::move(socket));
      threads_.post(index, [session] { session->read(); });
      accept();
    });
  }

  async::IoThreads& threads_;
  tcp::acceptor acceptor_;
  std::size_t next_ = 0;
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int run(std::string_view kind, std::uint16_t port) {
  sigset_t ending;
  ::sigemptyset(&ending);
  ::sigaddset(&ending, SIGTERM);
  ::sigaddset(&ending, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);

  async::IoThreads threads(2);
  async::BlockingPool pool("later", 1, 100'000);
  std::optional<http::Server> ours;
  std::optional<BeastServer> bare;
  if (kind == "beast") {
    bare.emplace(threads, port);
    port = bare->port();
  } else {
    http::Router router;
    if (kind == "later") {
      router.add(http::Method::get, "/hello", [&pool](http::Request&&, http::Responder responder) {
        static_cast<void>(pool.try_post(
            [responder = std::move(responder)]() mutable { responder.send(http::Response::json(200, R"({"hello":true})")); }));
      });
    } else {
      router.add(http::Method::get, "/hello",
                 [](http::Request&&, http::Responder responder) { responder.send(http::Response::json(200, R"({"hello":true})")); });
    }
    ours.emplace(threads, std::move(router), http::ServerOptions{.port = port});
    if (const auto started = ours->start(); started.has_error()) {
      std::fprintf(stderr, "%s\n", started.error().message.c_str());
      return 1;
    }
    port = ours->port();
  }
  threads.start();
  std::printf("%u\n", static_cast<unsigned>(port));
  std::fflush(stdout);
  int received = 0;
  ::sigwait(&ending, &received);
  if (ours) ours->stop();
  threads.stop();
  std::printf("cpu %.3f s\n", cpu_seconds());
  return 0;
}

}  // namespace
}  // namespace pawl

int main(int count, char** arguments) {
  const std::string_view kind = count > 1 ? arguments[1] : "";
  if (kind != "pawl" && kind != "later" && kind != "beast") {
    std::fprintf(stderr, "usage: bench_http_hello pawl|later|beast [PORT]\n");
    return 2;
  }
  return pawl::run(kind, static_cast<std::uint16_t>(count > 2 ? std::atoi(arguments[2]) : 0));
}
