#include <csignal>
#include <cstdio>

#include "async/io_threads.hpp"
#include "bench/bench.hpp"
#include "http/server.hpp"

namespace pawl::bench {

int serve_hello(std::uint16_t port) {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);  // before any thread, so that only sigwait sees them

  async::IoThreads threads(2);
  threads.start();
  http::Router router;
  router.add(http::Method::get, "/", [](http::Request&&, http::Responder responder) { responder.send(http::Response::json(200, "{}")); });
  http::Server server(threads, std::move(router), {.port = port});
  if (const auto started = server.start(); started.has_error()) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
    return 1;
  }
  int received = 0;
  sigwait(&ending, &received);
  server.stop();
  threads.stop();
  return 0;
}

}  // namespace pawl::bench
