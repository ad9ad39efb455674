#include "net/curl_outbound.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <future>
#include <latch>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "http/server.hpp"

namespace pawl::net {
namespace {

using http::Method;
using http::Request;
using http::Responder;
using http::Response;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

Response redirect(int status, std::string_view location) { return Response::empty(status).with("Location", location); }

std::string describe(const Request& request) {
  return std::string(to_string(request.method)) + " " + request.target + " host=" + request.host +
         " auth=" + std::string(request.header("authorization")) + " cookie=" + std::string(request.header("cookie")) +
         " type=" + std::string(request.header("content-type")) + " body=" + request.body;
}

/// A server of ours as the outside world, on two ports (two origins).
class CurlOutboundTest : public ::testing::Test {
 protected:
  void SetUp() override {
    threads_.start();
    for (auto& server : servers_) {
      server.emplace(threads_, routes(), http::ServerOptions{.max_body_bytes = 8U << 20U});
      ASSERT_TRUE(server->start().has_value());
    }
  }
  void TearDown() override {
    {
      const std::lock_guard lock(mutex_);  // a request that nobody waited for may be arriving
      stalled_.clear();
      dripping_.clear();
    }
    for (auto& server : servers_) server.reset();
    threads_.stop();
  }

  http::Router routes() {
    http::Router router;
    const auto echo = [](Request&& request, Responder responder) { responder.send(Response::text(200, describe(request))); };
    for (const auto method : {Method::get, Method::post, Method::put, Method::patch, Method::delete_}) router.add(method, "/echo", echo);
    router.add(Method::get, "/connection", [](Request&& request, Responder responder) {
      responder.send(Response::text(200, std::to_string(request.shard) + request.remote_address));
    });
    router.add(Method::get, "/large",
               [](Request&&, Responder responder) { responder.send(Response::text(200, std::string(100'000, 'x'))); });
    router.add(Method::get, "/endless", [](Request&&, Responder responder) {
      const auto stream = responder.stream();
      for (int i = 0; i < 20; ++i) stream->send(std::string(10'000, 'x'));
    });
    router.add(Method::get, "/drip", [this](Request&&, Responder responder) {
      const auto stream = responder.stream();
      stream->send("one ");
      const std::lock_guard lock(mutex_);
      dripping_.push_back(stream);
    });
    router.add(Method::get, "/stall", [this](Request&&, Responder responder) {
      const std::lock_guard lock(mutex_);
      stalled_.push_back(std::move(responder));
      ++stalled_count_;
      stalled_count_.notify_all();
    });
    const auto to = [](Request&& request, Responder responder) {
      responder.send(redirect(std::stoi(std::string(request.param("status"))), request.query_value("to").value_or("")));
    };
    for (const auto method : {Method::get, Method::post}) router.add(method, "/redirect/{status}", to);
    router.add(Method::get, "/loop", [](Request&&, Responder responder) { responder.send(redirect(302, "/loop")); });
    router.add(Method::get, "/digest", [](Request&& request, Responder responder) {
      if (request.header("authorization").starts_with("Digest "))
        return responder.send(Response::text(200, std::string(request.header("authorization"))));
      responder.send(Response::text(401, "who?").with("WWW-Authenticate", "Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=MD5"));
    });
    return router;
  }

  std::string url(std::string_view path, std::size_t server = 0) {
    return "http://127.0.0.1:" + std::to_string(servers_[server]->port()) + std::string(path);
  }

  static CurlOptions open() { return {.policy = {.allow_private = true}}; }

  static Result<OutboundResponse> fetch(CurlOutbound& outbound, OutboundRequest request) {
    auto promise = std::make_shared<std::promise<Result<OutboundResponse>>>();
    outbound.start(std::move(request), [promise](Result<OutboundResponse> result) { promise->set_value(std::move(result)); });
    return promise->get_future().get();
  }
  static std::string code_of(const Result<OutboundResponse>& result) {
    return result ? "status " + std::to_string(result->status) : result.error().code;
  }

  async::IoThreads threads_{1};
  std::mutex mutex_;
  std::vector<Responder> stalled_;
  std::vector<std::shared_ptr<http::EventStream>> dripping_;
  std::atomic<int> stalled_count_ = 0;
  std::array<std::optional<http::Server>, 2> servers_;
};

TEST_F(CurlOutboundTest, SendsMethodFieldsAndBody) {
  CurlOutbound outbound(open());
  for (const auto* method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    const auto result = fetch(
        outbound, {.method = method, .url = url("/echo?a=1"), .headers = {{"Content-Type", "a/b"}, {"Cookie", "c"}}, .body = "hello"});
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(result->status, 200);
    EXPECT_THAT(result->body, HasSubstr(std::string(method) + " /echo?a=1 host=127.0.0.1:"));
    EXPECT_THAT(result->body, HasSubstr("cookie=c type=a/b body=hello"));
    EXPECT_EQ(result->effective_url, url("/echo?a=1"));
    EXPECT_EQ(find_header(result->headers, "CONTENT-TYPE"), "text/plain; charset=utf-8");
  }
  const auto bare = fetch(outbound, {.method = "POST", .url = url("/echo")});
  EXPECT_THAT(bare->body, HasSubstr("type= body="));
  const auto head = fetch(outbound, {.method = "HEAD", .url = url("/large")});
  EXPECT_EQ(find_header(head->headers, "content-length"), "100000");
  EXPECT_EQ(head->body, "");
}

TEST_F(CurlOutboundTest, SendsLargeBodiesAtOnce) {
  CurlOutbound outbound(open());
  const auto result = fetch(outbound, {.method = "POST", .url = url("/echo"), .body = std::string(4'000'000, 'b'), .timeout = 5s});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_GT(result->body.size(), 4'000'000U);
}

TEST_F(CurlOutboundTest, ReportsEveryStatusAsAnAnswer) {
  CurlOutbound outbound(open());
  EXPECT_EQ(code_of(fetch(outbound, {.url = url("/nothing")})), "status 404");
}

// ---- the guard (S-22) --------------------------------------------------------------------------------------------

// proves: S4-O10
TEST_F(CurlOutboundTest, RefusesLocalAddressesInEveryNotation) {
  CurlOutbound outbound({});
  const auto port = ":" + std::to_string(servers_[0]->port()) + "/echo";
  for (const auto* host :
       {"127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "10.0.0.1", "169.254.169.254", "192.168.0.1", "100.64.1.1", "[fe80::1]", "[fd00::1]"}) {
    EXPECT_EQ(code_of(fetch(outbound, {.url = std::string("http://") + host + port})), "net.refused_address") << host;
  }
}

// proves: S4-O10
TEST_F(CurlOutboundTest, ChecksEveryRedirectHop) {
  CurlOptions options;
  ASSERT_TRUE(options.policy.allow("localhost").has_value());
  CurlOutbound outbound(std::move(options));
  const auto start = "http://localhost:" + std::to_string(servers_[0]->port());
  EXPECT_EQ(code_of(fetch(outbound, {.url = start + "/echo"})), "status 200");
  EXPECT_EQ(code_of(fetch(outbound, {.url = start + "/redirect/302?to=" + url("/echo")})), "net.refused_address");
  EXPECT_EQ(code_of(fetch(outbound, {.url = start + "/redirect/302?to=file:///etc/passwd"})), "net.protocol");
  EXPECT_EQ(code_of(fetch(outbound, {.url = start + "/redirect/302?to=//169.254.169.254/latest"})), "net.refused_address");
}

// proves: S4-O10
TEST_F(CurlOutboundTest, RefusesOtherSchemesAndInjectedLines) {
  CurlOutbound outbound(open());
  for (const auto* bad : {"file:///etc/passwd", "ftp://a/", "gopher://a/", "dict://a/", "nonsense", ""}) {
    EXPECT_EQ(code_of(fetch(outbound, {.url = bad})), "net.invalid_request") << bad;
  }
  EXPECT_EQ(code_of(fetch(outbound, {.url = url("/echo"), .headers = {{"X", "a\r\nY: b"}}})), "net.invalid_request");
  EXPECT_EQ(code_of(fetch(outbound, {.url = url("/echo"), .headers = {{"X\r\nY", "b"}}})), "net.invalid_request");
  EXPECT_EQ(code_of(fetch(outbound, {.method = "GET / HTTP/1.1\r\nX:", .url = url("/echo")})), "net.invalid_request");
  EXPECT_EQ(code_of(fetch(outbound, {.url = url("/echo"), .credentials = BearerToken{"a\nb"}})), "net.invalid_request");
}

// ---- redirects ---------------------------------------------------------------------------------------------------

TEST_F(CurlOutboundTest, FollowsRedirectsAsBrowsersDo) {
  CurlOutbound outbound(open());
  for (const auto& [status, expected] : std::vector<std::pair<std::string, std::string>>{
           {"301", "GET /echo"}, {"302", "GET /echo"}, {"303", "GET /echo"}, {"307", "POST /echo"}, {"308", "POST /echo"}}) {
    const auto result = fetch(outbound, {.method = "POST", .url = url("/redirect/" + status + "?to=/echo"), .body = "data"});
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_THAT(result->body, HasSubstr(expected)) << status;
    EXPECT_EQ(result->body.ends_with("body=data"), expected[0] == 'P') << status;
    EXPECT_EQ(result->effective_url, url("/echo"));
  }
  EXPECT_EQ(code_of(fetch(outbound, {.url = url("/redirect/302?to=/echo"), .follow_redirects = false})), "status 302");
  EXPECT_EQ(code_of(fetch(outbound, {.url = url("/loop")})), "net.too_many_redirects");
}

TEST_F(CurlOutboundTest, KeepsCredentialsFromOtherOrigins) {
  CurlOutbound outbound(open());
  const auto there = url("/redirect/302?to=" + url("/echo", 1));
  const auto back = url("/redirect/302?to=" + url("/redirect/302?to=" + url("/echo"), 1));
  const std::vector<OutboundRequest> requests{
      {.headers = {{"Authorization", "Secret s3"}, {"Cookie", "s3"}}},
      {.credentials = BasicCredentials{"u", "s3"}},
      {.credentials = BearerToken{"s3"}},
  };
  for (auto request : requests) {
    request.url = url("/redirect/302?to=/echo");
    EXPECT_THAT(fetch(outbound, request)->body, ::testing::Not(HasSubstr("auth= ")));
    for (const auto& elsewhere : {there, back}) {
      request.url = elsewhere;
      EXPECT_THAT(fetch(outbound, request)->body, HasSubstr("auth= cookie= ")) << elsewhere;
    }
  }
}

TEST_F(CurlOutboundTest, UsesEveryKindOfCredentials) {
  CurlOutbound outbound(open());
  EXPECT_THAT(fetch(outbound, {.url = url("/echo"), .credentials = BasicCredentials{"u", "p"}})->body, HasSubstr("auth=Basic dTpw "));
  EXPECT_THAT(fetch(outbound, {.url = url("/echo"), .credentials = BearerToken{"tok"}})->body, HasSubstr("auth=Bearer tok "));
  const auto digest = fetch(outbound, {.url = url("/digest"), .credentials = DigestCredentials{"u", "p"}});
  EXPECT_EQ(digest->status, 200);
  EXPECT_THAT(digest->body, HasSubstr("username=\"u\""));
  auto in_url = url("/echo");
  in_url.insert(7, "u:p@");
  const auto result = fetch(outbound, {.url = in_url});
  EXPECT_THAT(result->body, HasSubstr("auth=Basic dTpw "));
  EXPECT_EQ(result->effective_url, url("/echo"));
  EXPECT_THAT(fetch(outbound, {.url = url("/echo")})->body, HasSubstr("auth= "));  // nothing is left in a reused handle
}

// ---- limits ------------------------------------------------------------------------------------------------------

TEST_F(CurlOutboundTest, LimitsTheSizeOfAnswers) {
  CurlOutbound outbound(open());
  EXPECT_EQ(code_of(fetch(outbound, {.url = url("/large"), .max_response_bytes = 100'000})), "status 200");
  EXPECT_EQ(code_of(fetch(outbound, {.url = url("/large"), .max_response_bytes = 99'999})), "net.too_large");
  EXPECT_EQ(code_of(fetch(outbound, {.url = url("/endless"), .max_response_bytes = 150'000})), "net.too_large");
}

// proves: S4-M2
TEST_F(CurlOutboundTest, TimesOut) {
  CurlOutbound outbound(open());
  EXPECT_EQ(code_of(fetch(outbound, {.url = url("/stall"), .timeout = 30ms})), "net.timeout");
  CurlOptions capped = open();
  capped.max_timeout = 30ms;
  CurlOutbound impatient(std::move(capped));
  EXPECT_EQ(code_of(fetch(impatient, {.url = url("/stall")})), "net.timeout");
}

TEST_F(CurlOutboundTest, NamesTheFailuresOfConnections) {
  CurlOutbound outbound(open());
  std::uint16_t free_port = 0;
  {
    http::Server gone(threads_, http::Router(), {});
    ASSERT_TRUE(gone.start().has_value());
    free_port = gone.port();
  }
  EXPECT_EQ(code_of(fetch(outbound, {.url = "http://127.0.0.1:" + std::to_string(free_port) + "/"})), "net.connect");
  EXPECT_EQ(code_of(fetch(outbound, {.url = "http://no-such-name.invalid/"})), "net.dns");
  EXPECT_EQ(code_of(fetch(outbound, {.url = "https" + url("/echo").substr(4)})), "net.tls");
}

TEST_F(CurlOutboundTest, S0_9_KeepsAwayFromAPlaceThatFailsAndComesBackToIt) {
  auto options = open();
  options.breaker.open_for = std::chrono::milliseconds(300);
  CurlOutbound outbound(options);
  std::uint16_t port = 0;
  {
    http::Server gone(threads_, http::Router(), {});
    ASSERT_TRUE(gone.start().has_value());
    port = gone.port();
  }
  const OutboundRequest request{.url = "http://127.0.0.1:" + std::to_string(port) + "/"};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(code_of(fetch(outbound, request)), "net.connect");
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(code_of(fetch(outbound, request)), "net.circuit_open");
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(200)) << "a fast error";
  EXPECT_EQ(code_of(fetch(outbound, {.url = url("/echo")})), "status 200") << "other places are not concerned";
  const auto states = outbound.breakers(1);
  ASSERT_EQ(states.size(), 1U);
  EXPECT_EQ(states[0].origin, "http://127.0.0.1:" + std::to_string(port));
  EXPECT_EQ(states[0].breaker.refused, 1U);

  http::Router router;
  router.add(Method::get, "/", [](Request&&, Responder responder) { responder.send(Response()); });
  http::ServerOptions server_options;
  server_options.port = port;
  http::Server back(threads_, std::move(router), std::move(server_options));
  ASSERT_TRUE(back.start().has_value());
  std::string code = "net.circuit_open";
  while (code == "net.circuit_open" && std::chrono::steady_clock::now() - before < std::chrono::seconds(10)) {
    code = code_of(fetch(outbound, request));
  }
  EXPECT_EQ(code, "status 200");
  EXPECT_EQ(code_of(fetch(outbound, request)), "status 200");
  EXPECT_EQ(outbound.breakers(10).front().breaker.state, CircuitBreaker::State::closed);
  back.stop(std::chrono::milliseconds(0));
}

TEST_F(CurlOutboundTest, Cancels) {
  CurlOutbound outbound(open());
  std::promise<std::string> ended;
  const auto handle = outbound.start({.url = url("/stall")}, [&](Result<OutboundResponse> result) { ended.set_value(code_of(result)); });
  stalled_count_.wait(0);
  outbound.cancel(handle);
  EXPECT_EQ(ended.get_future().get(), "net.cancelled");
  outbound.cancel(handle);  // too late: ignored
  EXPECT_EQ(code_of(fetch(outbound, {.url = url("/echo")})), "status 200");
}

TEST_F(CurlOutboundTest, EndsEveryRequestWhenItIsDestroyed) {
  std::atomic<int> cancelled = 0;
  {
    CurlOptions options = open();
    options.max_in_flight = 2;
    CurlOutbound outbound(std::move(options));
    for (int i = 0; i < 5; ++i) {
      outbound.start({.url = url("/stall")},
                     [&](Result<OutboundResponse> result) { cancelled += code_of(result) == "net.cancelled" ? 1 : 0; });
    }
    stalled_count_.wait(0);
  }
  EXPECT_EQ(cancelled, 5);
}

TEST_F(CurlOutboundTest, RefusesWorkBeyondItsQueue) {
  CurlOptions options = open();
  options.max_in_flight = 1;
  options.max_queued = 2;
  std::atomic<int> overloaded = 0;
  std::atomic<int> cancelled = 0;
  {
    CurlOutbound outbound(std::move(options));
    std::latch refused(8);
    const auto note = [&](Result<OutboundResponse> result) {
      if (code_of(result) == "net.cancelled") ++cancelled;
      if (code_of(result) == "net.overloaded") {
        ++overloaded;
        refused.count_down();
      }
    };
    outbound.start({.url = url("/stall")}, note);
    stalled_count_.wait(0);  // it runs; of the next ten, two may wait
    for (int i = 0; i < 10; ++i) outbound.start({.url = url("/stall")}, note);
    refused.wait();
  }
  EXPECT_EQ(overloaded, 8);
  EXPECT_EQ(cancelled, 3);
}

// proves: S4-M2
TEST_F(CurlOutboundTest, TimesOutWhileWaitingForItsTurn) {
  CurlOptions options = open();
  options.max_in_flight = 1;
  CurlOutbound outbound(std::move(options));
  outbound.start({.url = url("/stall")}, [](Result<OutboundResponse>) {});
  stalled_count_.wait(0);
  EXPECT_EQ(code_of(fetch(outbound, {.url = url("/stall"), .timeout = 20ms})), "net.timeout");
}

TEST_F(CurlOutboundTest, RunsManyAtOnceOnKeptConnections) {
  CurlOutbound outbound(open());
  for (int round = 0; round < 3; ++round) {
    std::latch done(100);
    std::atomic<int> good = 0;
    for (int i = 0; i < 100; ++i) {
      outbound.start({.url = url("/echo?i=" + std::to_string(i))}, [&, i](Result<OutboundResponse> result) {
        if (result && result->body.find("i=" + std::to_string(i) + " ") != std::string::npos) ++good;
        done.count_down();
      });
    }
    done.wait();
    EXPECT_EQ(good, 100);
  }
  EXPECT_LE(servers_[0]->connections(), 100U);
}

TEST_F(CurlOutboundTest, ReusesItsConnection) {
  CurlOutbound outbound(open());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(code_of(fetch(outbound, {.url = url("/echo")})), "status 200");
  EXPECT_EQ(servers_[0]->connections(), 1U);
}

TEST_F(CurlOutboundTest, GoesOnWhenAKeptConnectionHasBeenClosed) {
  CurlOutbound outbound(open());
  EXPECT_EQ(code_of(fetch(outbound, {.url = url("/echo")})), "status 200");
  const auto port = servers_[0]->port();
  servers_[0].reset();
  servers_[0].emplace(threads_, routes(), http::ServerOptions{.port = port});
  ASSERT_TRUE(servers_[0]->start().has_value());
  EXPECT_EQ(code_of(fetch(outbound, {.url = url("/echo")})), "status 200");
}

/// Answers the first request and breaks off at every later one, having read it.
class BreakingServer {
 public:
  BreakingServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ::listen(listener_, 16);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~BreakingServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  BreakingServer(const BreakingServer&) = delete;
  BreakingServer& operator=(const BreakingServer&) = delete;
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }
  [[nodiscard]] int requests() const { return requests_; }

 private:
  void serve() {
    std::vector<pollfd> open{{listener_, POLLIN, 0}};
    while (::poll(open.data(), open.size(), -1) > 0) {
      if (open[0].revents != 0) {
        const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (connection < 0) break;
        open.push_back({connection, POLLIN, 0});
      }
      for (std::size_t i = open.size() - 1; i > 0; --i) {
        if (open[i].revents == 0 || answer(open[i].fd)) continue;
        ::close(open[i].fd);
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
    for (std::size_t i = 1; i < open.size(); ++i) ::close(open[i].fd);
  }
  bool answer(int connection) {
    std::array<char, 4096> bytes{};
    if (::recv(connection, bytes.data(), bytes.size(), 0) <= 0 || ++requests_ > 1) return false;
    constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    return ::send(connection, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL) > 0;
  }

  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> requests_ = 0;
  std::thread thread_;
};

TEST_F(CurlOutboundTest, SendsAnAtMostOnceRequestOnce) {
  for (const bool at_most_once : {false, true}) {
    BreakingServer server;
    CurlOutbound outbound(open());
    EXPECT_EQ(code_of(fetch(outbound, {.url = server.url()})), "status 200");
    EXPECT_EQ(code_of(fetch(outbound, {.method = "POST", .url = server.url(), .body = "pay", .at_most_once = at_most_once})),
              "net.protocol");
    // Kept connection: libcurl repeats what may have been done already. Own connection: one request, one failure.
    EXPECT_EQ(server.requests(), at_most_once ? 2 : 3);
  }
}

TEST_F(CurlOutboundTest, MapsHostsForTests) {
  CurlOptions options;
  ASSERT_TRUE(options.policy.map_host("petstore.example:443 -> " + url("").substr(0)).has_value());
  CurlOutbound outbound(std::move(options));
  const auto result = fetch(outbound, {.url = "https://petstore.example/echo?x=1"});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_THAT(result->body, HasSubstr("GET /echo?x=1 host=petstore.example auth="));
  EXPECT_EQ(result->effective_url, "https://petstore.example/echo?x=1");
  const auto hop = fetch(outbound, {.url = "https://petstore.example/redirect/302?to=/echo"});
  EXPECT_EQ(hop->effective_url, "https://petstore.example/echo");
  EXPECT_EQ(code_of(fetch(outbound, {.url = "https://petstore.example/redirect/302?to=" + url("/echo")})), "net.refused_address");
}

TEST_F(CurlOutboundTest, GivesABodyOutAsItArrives) {
  CurlOutbound outbound(open());
  std::promise<void> first;
  std::string seen;
  OutboundRequest request{.url = url("/drip")};
  request.on_body = [&](std::string_view piece) {
    seen += piece;
    if (seen == "one ") first.set_value();
  };
  std::promise<Result<OutboundResponse>> ended;
  outbound.start(std::move(request), [&](Result<OutboundResponse> result) { ended.set_value(std::move(result)); });
  first.get_future().wait();  // before the answer has ended
  {
    const std::lock_guard lock(mutex_);
    dripping_.at(0)->send("two");
    dripping_.at(0)->close();
  }
  const auto result = ended.get_future().get();
  EXPECT_EQ(code_of(result), "status 200");
  EXPECT_EQ(result->body, "");
  EXPECT_EQ(seen, "one two");
}

TEST_F(CurlOutboundTest, GivesOutNothingButSuccess) {
  CurlOutbound outbound(open());
  OutboundRequest request{.url = url("/nowhere")};
  request.on_body = [](std::string_view) { FAIL() << "a body that is no success"; };
  const auto result = fetch(outbound, std::move(request));
  EXPECT_EQ(code_of(result), "status 404");
  EXPECT_NE(result->body, "");
}

TEST_F(CurlOutboundTest, HoldsTheLimitOfSizeForPiecesToo) {
  CurlOutbound outbound(open());
  OutboundRequest request{.url = url("/large"), .max_response_bytes = 50'000};
  std::size_t seen = 0;
  request.on_body = [&](std::string_view piece) { seen += piece.size(); };
  EXPECT_EQ(code_of(fetch(outbound, std::move(request))), "net.too_large");
  EXPECT_LE(seen, 50'000U);
}

TEST_F(CurlOutboundTest, GivesUpOnSilence) {
  CurlOutbound outbound(open());
  OutboundRequest silent{.url = url("/stall")};
  silent.first_byte_timeout = 30ms;
  auto result = fetch(outbound, std::move(silent));
  EXPECT_EQ(code_of(result), "net.timeout");
  EXPECT_THAT(result.error().message, HasSubstr("nothing came for 30 ms"));
  OutboundRequest interrupted{.url = url("/drip")};
  interrupted.idle_timeout = 30ms;
  result = fetch(outbound, std::move(interrupted));
  EXPECT_EQ(code_of(result), "net.timeout");
  EXPECT_THAT(result.error().message, HasSubstr("nothing came for 30 ms"));
}

}  // namespace
}  // namespace pawl::net
