#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>

#include "async/io_threads.hpp"
#include "bench/bench.hpp"
#include "http/server.hpp"

namespace pawl::bench {
namespace {

constexpr std::size_t kTurns = 10;

/// A model that calls the tool `step` nine times, each with another argument, and then ends: how far it is, the conversation says.
std::string model_reply(std::string_view request) {
  constexpr std::string_view kTurn = R"("role":"assistant")";
  std::size_t turn = 0;
  for (auto at = request.find(kTurn); at != std::string_view::npos; at = request.find(kTurn, at + kTurn.size())) ++turn;
  const auto message = turn + 1 >= kTurns ? std::string(R"({"role":"assistant","content":"done"},"finish_reason":"stop")")
                                          : R"({"role":"assistant","content":null,"tool_calls":[{"id":"c)" + std::to_string(turn) +
                                                R"(","type":"function","function":{"name":"step","arguments":"{\"n\":)" +
                                                std::to_string(turn) + R"(}"}}]},"finish_reason":"tool_calls")";
  return R"({"id":"x","object":"chat.completion","model":"mock","choices":[{"index":0,"message":)" + message +
         R"(}],"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}})";
}

}  // namespace

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
  router.add(http::Method::post, "/v1/chat/completions", [](http::Request&& request, http::Responder responder) {
    responder.send(http::Response::json(200, model_reply(request.body)));
  });
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
