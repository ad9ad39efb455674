// What is between this process and a network that lies or stalls: names that change their answer, connections that nobody accepts.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "async/io_threads.hpp"
#include "http/server.hpp"
#include "net/curl_outbound.hpp"

namespace {

constexpr const char* kName = "rebinding.test";

std::mutex answers_mutex;
std::vector<std::string> answers;  // of the name service for `kName`, from now on
std::atomic<int> asked = 0;

void resolve_as(std::vector<std::string> addresses) {
  const std::lock_guard lock(answers_mutex);
  answers = std::move(addresses);
}

}  // namespace

/// Stands in front of the C library's, for libcurl too: the program exports its symbols.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** result) {
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getaddrinfo"));
  if (node == nullptr || std::strcmp(node, kName) != 0) return real(node, service, hints, result);
  ++asked;
  const std::lock_guard lock(answers_mutex);
  addrinfo* first = nullptr;
  addrinfo** end = &first;
  for (const auto& address : answers) {
    if (const int failed = real(address.c_str(), service, hints, end); failed != 0) return failed;
    while (*end != nullptr) end = &(*end)->ai_next;
  }
  *result = first;
  return first == nullptr ? EAI_NONAME : 0;
}

namespace pawl::net {
namespace {

using namespace std::chrono_literals;

std::string outcome(CurlOptions options, OutboundRequest request) {
  CurlOutbound outbound(std::move(options));
  std::promise<Result<OutboundResponse>> promise;
  outbound.start(std::move(request), [&promise](Result<OutboundResponse> result) { promise.set_value(std::move(result)); });
  const auto result = promise.get_future().get();
  return result ? "status " + std::to_string(result->status) : result.error().code;
}

/// A server on an address of loopback that counts who comes.
class Place {
 public:
  Place(async::IoThreads& threads, const std::string& address, std::uint16_t port) {
    http::Router router;
    router.add(http::Method::get, "/", [this](http::Request&&, http::Responder responder) {
      ++visits;
      responder.send(http::Response::text(200, "hello"));
    });
    server_.emplace(threads, std::move(router), http::ServerOptions{.host = address, .port = port});
    started = server_->start().has_value();
  }
  [[nodiscard]] std::uint16_t port() const { return server_->port(); }

  std::atomic<int> visits = 0;
  bool started = false;

 private:
  std::optional<http::Server> server_;
};

// proves: S4-O10
TEST(OutboundGuard, ChecksTheAddressThatIsConnectedToWhateverTheNameMeantBefore) {
  async::IoThreads threads(1);
  threads.start();
  {
    Place good(threads, "127.0.0.1", 0);
    ASSERT_TRUE(good.started);
    Place inside(threads, "127.0.0.2", good.port());
    ASSERT_TRUE(inside.started);
    CurlOptions options;
    ASSERT_TRUE(options.policy.allow("127.0.0.1").has_value());
    const std::string url = std::string("http://") + kName + ":" + std::to_string(good.port()) + "/";

    resolve_as({"127.0.0.1"});
    EXPECT_EQ(outcome(options, {.url = url}), "status 200");
    EXPECT_GE(asked.load(), 1) << "the name is resolved here";
    resolve_as({"127.0.0.2"});
    EXPECT_EQ(outcome(options, {.url = url}), "net.refused_address");
    resolve_as({"127.0.0.2", "169.254.169.254", "::1"});
    EXPECT_EQ(outcome(options, {.url = url}), "net.refused_address");
    resolve_as({"127.0.0.2", "127.0.0.1"});
    EXPECT_EQ(outcome(options, {.url = url}), "status 200") << "the next address may be a good one";
    EXPECT_EQ(good.visits.load(), 2);
    EXPECT_EQ(inside.visits.load(), 0) << "not even a connection";
  }
  threads.stop();
}

/// A port that listens and whose queue is full: the kernel drops what asks for a connection.
class FullQueue {
 public:
  FullQueue() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address_), size), 0);
    EXPECT_EQ(::listen(listener_, 0), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address_), &size), 0);
    for (int i = 0; i < 8; ++i) {
      clients_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      static_cast<void>(::connect(clients_.back(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_));
    }
  }
  FullQueue(const FullQueue&) = delete;
  FullQueue& operator=(const FullQueue&) = delete;
  ~FullQueue() {
    for (const int client : clients_) ::close(client);
    ::close(listener_);
  }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(ntohs(address_.sin_port)) + "/"; }

 private:
  int listener_ = -1;
  sockaddr_in address_{};
  std::vector<int> clients_;
};

// proves: S4-M2, S4-A-P2
TEST(OutboundGuard, GivesUpOnAConnectionThatNobodyAcceptsBeforeTheWholeTimeIsUp) {
  const FullQueue queue;
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(outcome({.policy = {.allow_private = true}}, {.url = queue.url(), .timeout = 60s, .connect_timeout = 100ms}), "net.timeout");
  EXPECT_LT(std::chrono::steady_clock::now() - began, 20s);
}

// proves: S4-M2
TEST(OutboundGuard, HasLimitsOfTimeWhereNobodyNamesAny) {
  EXPECT_EQ(OutboundRequest().timeout, 30s);
  EXPECT_EQ(OutboundRequest().connect_timeout, 10s);
  EXPECT_LE(CurlOptions().max_timeout, 15min);
}

}  // namespace
}  // namespace pawl::net
