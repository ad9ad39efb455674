#include "http/server.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "http/problem.hpp"
#include "http/testing/raw_client.hpp"

namespace pawl::http {
namespace {

using ::testing::HasSubstr;
using testing::RawClient;
using namespace std::chrono_literals;

/// A server on a free port with a handful of routes, and a place where handlers leave Responders for the test to answer later.
class ServerTest : public ::testing::Test {
 protected:
  void start(ServerOptions options = {}) {
    Router router;
    router.add(Method::get, "/hello", [](Request&&, Responder responder) { responder.send(Response::json(200, R"({"hello":true})")); });
    router.add(Method::post, "/echo", [](Request&& request, Responder responder) {
      responder.send(Response::text(200, std::to_string(request.body.size()) + ":" + request.body.substr(0, 64)));
    });
    router.add(Method::post, "/small", [](Request&&, Responder responder) { responder.send(Response::empty()); }, {.max_body_bytes = 10});
    router.add(Method::get, "/things/{id}", [](Request&& request, Responder responder) {
      responder.send(Response::text(200, std::string(request.param("id")) + "|" + std::string(request.query_value("q").value_or("-"))));
    });
    router.add(Method::get, "/large",
               [](Request&&, Responder responder) { responder.send(Response::text(200, std::string(3'000'000, 'x'))); });
    router.add(Method::get, "/drop", [](Request&&, Responder) {});
    router.add(Method::get, "/throw", [](Request&&, Responder) { throw std::runtime_error("boom"); });
    router.add(Method::get, "/inject",
               [](Request&&, Responder responder) { responder.send(Response::text(200, "x").with("X-Bad", "a\r\nSet-Cookie: stolen=1")); });
    router.add(Method::get, "/later", [this](Request&& request, Responder responder) {
      const std::lock_guard lock(mutex_);
      shard_of_later_ = request.shard;
      later_.set_value(std::move(responder));
    });
    router.add(Method::get, "/stream", [this](Request&&, Responder responder) {
      auto stream = responder.stream();
      stream->on_close([this] { stream_closed_.set_value(); });
      stream_.set_value(std::move(stream));
    });
    options.on_complete = [this](const Completed& completed) {
      const std::lock_guard lock(mutex_);
      completed_.push_back(std::string(to_string(completed.method)) + " " + std::string(completed.route) + " " +
                           std::to_string(completed.status) + (completed.delivered ? "" : " lost"));
    };
    threads_.start();
    server_.emplace(threads_, std::move(router), std::move(options));
    const auto started = server_->start();
    ASSERT_TRUE(started.has_value()) << started.error().message;
  }

  void TearDown() override {
    server_.reset();
    threads_.stop();
  }

  std::vector<std::string> completed() {
    const std::lock_guard lock(mutex_);
    return completed_;
  }

  async::IoThreads threads_{2};
  std::mutex mutex_;
  std::vector<std::string> completed_;
  std::size_t shard_of_later_ = 0;
  std::promise<Responder> later_;
  std::promise<std::shared_ptr<EventStream>> stream_;
  std::promise<void> stream_closed_;
  std::optional<Server> server_;
};

constexpr std::string_view kHello = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_F(ServerTest, AnswersAndKeepsTheConnection) {
  start();
  RawClient client(server_->port());
  for (int i = 0; i < 3; ++i) {
    const auto reply = client.exchange(kHello);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, R"({"hello":true})");
    EXPECT_EQ(reply.field("content-type"), "application/json");
    EXPECT_EQ(reply.field("x-content-type-options"), "nosniff");
    EXPECT_EQ(reply.field("x-request-id").size(), 36U);
    EXPECT_FALSE(reply.field("date").empty());
    EXPECT_EQ(reply.field("connection"), "");
  }
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  start();
  RawClient client(server_->port());
  std::string many;
  for (int i = 0; i < 200; ++i) many += "GET /things/" + std::to_string(i) + "?q=a%20b HTTP/1.1\r\nHost: x\r\n\r\n";
  std::thread writer([&] { client.write(many); });
  for (int i = 0; i < 200; ++i) EXPECT_EQ(client.read_reply().body, std::to_string(i) + "|a b");
  writer.join();
}

TEST_F(ServerTest, ReadsRequestsThatArriveByteByByte) {
  start();
  RawClient client(server_->port());
  for (const char byte : std::string("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")) client.write({&byte, 1});
  EXPECT_EQ(client.read_reply().body, "5:hello");
}

TEST_F(ServerTest, ReadsChunkedAndLargeBodies) {
  start();
  RawClient client(server_->port());
  EXPECT_EQ(client.exchange("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").body,
            "5:abcde");
  const std::string large(900'000, 'y');
  const auto reply = client.exchange("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n" + large);
  EXPECT_EQ(reply.body, "900000:" + large.substr(0, 64));
  EXPECT_EQ(client.exchange(kHello).status, 200);
}

TEST_F(ServerTest, SendsLargeAnswersToAReaderThatStartsLate) {
  start();
  RawClient client(server_->port(), 4096);
  client.write("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  RawClient other(server_->port());
  EXPECT_EQ(other.exchange(kHello).status, 200);
  const auto reply = client.read_reply();
  EXPECT_TRUE(reply.complete);
  EXPECT_EQ(reply.body.size(), 3'000'000U);
  EXPECT_EQ(client.exchange(kHello).status, 200);
}

TEST_F(ServerTest, ContinuesOnExpectation) {
  start();
  RawClient client(server_->port());
  EXPECT_EQ(client.exchange("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").status, 100);
  EXPECT_EQ(client.exchange("ok").body, "2:ok");
}

TEST_F(ServerTest, AnswersHeadWithoutABody) {
  start();
  RawClient client(server_->port());
  const auto reply = client.exchange("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n", true);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.field("content-length"), "14");
  EXPECT_EQ(client.exchange(kHello).status, 200);
}

TEST_F(ServerTest, AnswersOptionsWithTheMethods) {
  start();
  RawClient client(server_->port());
  const auto reply = client.exchange("OPTIONS /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(reply.status, 204);
  EXPECT_EQ(reply.field("allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(client.exchange("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n").status, 204);
}

TEST_F(ServerTest, TellsUnknownPathsFromUnknownMethods) {
  start();
  RawClient client(server_->port());
  const auto missing = client.exchange("GET /nothing HTTP/1.1\r\nHost: x\r\nX-Request-Id: my-id.1\r\n\r\n");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.field("content-type"), "application/problem+json");
  EXPECT_EQ(missing.field("x-request-id"), "my-id.1");
  EXPECT_THAT(missing.body, HasSubstr(R"("instance":"/nothing")"));
  EXPECT_THAT(missing.body, HasSubstr(R"("request_id":"my-id.1")"));
  const auto refused = client.exchange("DELETE /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.field("allow"), "GET, HEAD, OPTIONS");
}

// proves: AI-M18
TEST_F(ServerTest, ReplacesARequestIdThatIsNotSane) {
  start();
  RawClient client(server_->port());
  const auto reply = client.exchange("GET /hello HTTP/1.1\r\nHost: x\r\nX-Request-Id: <script>\r\n\r\n");
  EXPECT_EQ(reply.field("x-request-id").size(), 36U);
}

TEST_F(ServerTest, RefusesMalformedRequestsAndHangsUp) {
  start();
  for (const auto& [request, status] : std::vector<std::pair<std::string, int>>{
           {"nonsense\r\n\r\n", 400},
           {"GET /hello HTTP/1.1\r\n\r\n", 400},                        // no Host
           {"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},  // two
           {"GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n", 400},           // odd
           {"GET /a//hello HTTP/1.1\r\nHost: x\r\n\r\n", 400},
           {"GET /a/%2e%2e/hello HTTP/1.1\r\nHost: x\r\n\r\n", 400},
           {"GET /hello%2fx HTTP/1.1\r\nHost: x\r\n\r\n", 400},
           {"GET /hello;x HTTP/1.1\r\nHost: x\r\n\r\n", 400},
           {"GET /hello%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
           {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
           {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400},  // how long would it be?
           {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
           {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501},
           {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok", 415},
           {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Encoding: identity, br\r\nContent-Length: 2\r\n\r\nok", 415},
           {"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\nContent-Length: 2\r\n\r\nok", 417},
           {"BREW /hello HTTP/1.1\r\nHost: x\r\n\r\n", 501},
           {"GET /hello HTTP/3.0\r\nHost: x\r\n\r\n", 505},
           {"GET /hello HTTP/1.1\r\nHost: x\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n", 431},
           {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n", 413},
           {"POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n", 413},
           {"POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n", 413},
       }) {
    RawClient client(server_->port());
    const auto reply = client.exchange(request);
    EXPECT_EQ(reply.status, status) << request.substr(0, 80);
    EXPECT_EQ(reply.field("content-type"), "application/problem+json") << request.substr(0, 80);
    EXPECT_EQ(reply.field("connection"), "close") << request.substr(0, 80);
    EXPECT_TRUE(client.closed_by_server()) << request.substr(0, 80);
  }
}

TEST_F(ServerTest, AnswersTooLargeBeforeTheBodyIsSent) {
  start();
  RawClient client(server_->port());
  EXPECT_EQ(client.exchange("POST /small HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 500000\r\n\r\n").status, 413);
  client.write(std::string(500'000, 'x'));  // must not turn into a reset that eats the answer
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(ServerTest, SpeaksHttp10) {
  start();
  RawClient client(server_->port());
  const auto reply = client.exchange("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.head, HasSubstr("HTTP/1.0 200"));
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(ServerTest, ClosesAfterConnectionClose) {
  start();
  RawClient client(server_->port());
  EXPECT_EQ(client.exchange("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").field("connection"), "close");
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(ServerTest, CutsOffASlowHeader) {
  start({.header_timeout = 40ms});
  RawClient silent(server_->port());
  RawClient slow(server_->port());
  slow.write("GET /hello HT");
  EXPECT_EQ(slow.read_reply().status, 408);
  EXPECT_TRUE(slow.closed_by_server());
  EXPECT_TRUE(silent.closed_by_server());
}

TEST_F(ServerTest, CutsOffASlowBody) {
  start({.body_timeout = 40ms});
  RawClient client(server_->port());
  EXPECT_EQ(client.exchange("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel").status, 408);
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(ServerTest, ClosesIdleConnections) {
  start({.idle_timeout = 40ms});
  RawClient client(server_->port());
  EXPECT_EQ(client.exchange(kHello).status, 200);
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(ServerTest, CutsOffAReaderThatStops) {
  start({.write_timeout = 40ms});
  RawClient client(server_->port(), 4096);
  client.write("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  while (completed().empty()) std::this_thread::yield();
  EXPECT_EQ(completed()[0], "GET /large 200 lost");
  EXPECT_FALSE(client.read_reply().complete);
}

// proves: AI-H4
TEST_F(ServerTest, AnswersForAHandlerThatDropsItsResponderOrThrows) {
  start();
  RawClient client(server_->port());
  const auto dropped = client.exchange("GET /drop HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(dropped.status, 500);
  EXPECT_THAT(dropped.body, HasSubstr("http.no_response"));
  const auto thrown = client.exchange("GET /throw HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(thrown.status, 500);
  EXPECT_THAT(thrown.body, HasSubstr("http.internal"));
  EXPECT_EQ(thrown.body.find("boom"), std::string::npos);
}

TEST_F(ServerTest, TellsTheHandlerWhenTheClientLeavesBeforeItIsAnswered) {
  start();
  std::optional<RawClient> client(server_->port());
  client->write("GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
  auto responder = later_.get_future().get();
  std::promise<void> left;
  responder.on_leave([&left] { left.set_value(); });
  client.reset();
  EXPECT_EQ(left.get_future().wait_for(10s), std::future_status::ready);
  responder.send(Response::text(200, "too late"));  // is still owed, and reaches nobody
}

TEST_F(ServerTest, AnswersAClientThatEndedItsSideOnly) {
  start();
  RawClient client(server_->port());
  client.write("GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
  auto responder = later_.get_future().get();
  std::promise<void> left;
  responder.on_leave([&left] { left.set_value(); });
  client.finish();
  EXPECT_EQ(left.get_future().wait_for(10s), std::future_status::ready);
  responder.send(Response::text(503, "cancelled"));
  EXPECT_EQ(client.read_reply().body, "cancelled");
}

TEST_F(ServerTest, TellsNobodyOfAClientThatLeavesAfterItsAnswer) {
  start();
  std::atomic<bool> left{false};
  {
    RawClient client(server_->port());
    client.write("GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    auto responder = later_.get_future().get();
    responder.on_leave([&left] { left = true; });
    // The next request is there already: it is not lost, and not taken for an end.
    client.write(kHello);
    responder.send(Response::text(200, "in time"));
    EXPECT_EQ(client.read_reply().body, "in time");
    EXPECT_EQ(client.read_reply().body, R"({"hello":true})");
    EXPECT_EQ(client.exchange(kHello).status, 200);
  }
  server_.reset();
  EXPECT_FALSE(left);
}

TEST_F(ServerTest, RefusesLineBreaksInResponseFields) {
  start();
  RawClient client(server_->port());
  const auto reply = client.exchange("GET /inject HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(reply.field("set-cookie"), "");
  EXPECT_THAT(reply.body, HasSubstr("http.bad_response"));
}

// proves: P11, S4-O5
TEST_F(ServerTest, SendsTheSecurityFieldsWithEveryAnswer) {
  start();
  RawClient client(server_->port());
  for (const std::string_view request : {kHello, std::string_view("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"),
                                         std::string_view("DELETE /hello HTTP/1.1\r\nHost: x\r\n\r\n")}) {
    const auto reply = client.exchange(request);
    EXPECT_EQ(reply.field("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(reply.field("Referrer-Policy"), "no-referrer");
    EXPECT_EQ(reply.field("X-Frame-Options"), "DENY");
    EXPECT_EQ(reply.field("Cross-Origin-Opener-Policy"), "same-origin");
    EXPECT_EQ(reply.field("Cross-Origin-Resource-Policy"), "same-origin");
    EXPECT_THAT(reply.field("Permissions-Policy"), HasSubstr("camera=()"));
    EXPECT_THAT(reply.field("Content-Security-Policy"), HasSubstr("default-src 'none'"));
    EXPECT_EQ(reply.field("Server"), "");
    EXPECT_EQ(reply.field("Strict-Transport-Security"), "");  // nobody came by https
  }
}

/// What a proxy would say.
void believe_forwarded_proto(Request& request) {
  const auto proto = request.header("X-Forwarded-Proto");
  if (proto.empty()) return;
  request.scheme = proto == "https" ? Scheme::https : Scheme::http;
  request.remote_address = "192.0.2.7";
}

constexpr std::string_view kByHttps = "GET /hello HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\n\r\n";

// proves: S4-D2, AI-C8
TEST_F(ServerTest, TellsClientsThatCameByHttpsToStayThere) {
  start({.identify = believe_forwarded_proto});
  RawClient client(server_->port());
  EXPECT_EQ(client.exchange(kByHttps).field("Strict-Transport-Security"), "max-age=31536000");
  EXPECT_EQ(client.exchange(kHello).field("Strict-Transport-Security"), "");
}

// proves: S4-D2
TEST_F(ServerTest, SendsPlainHttpToTheOriginThatIsConfigured) {
  start({.identify = believe_forwarded_proto, .require_https = true, .https_origin = "https://pawl.example"});
  RawClient client(server_->port());
  const auto moved = client.exchange("GET /things?q=1 HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Proto: http\r\n\r\n");
  EXPECT_EQ(moved.status, 308);
  EXPECT_EQ(moved.field("Location"), "https://pawl.example/things?q=1");
}

// proves: S4-D2, AI-C8
TEST_F(ServerTest, SendsPlainHttpBehindAProxyToHttps) {
  start({.identify = believe_forwarded_proto, .require_https = true, .always_https = true});
  RawClient client(server_->port());
  const auto moved = client.exchange("GET /things/a%20b?q=1 HTTP/1.1\r\nHost: pawl.example\r\nX-Forwarded-Proto: http\r\n\r\n");
  EXPECT_EQ(moved.status, 308);
  EXPECT_EQ(moved.field("Location"), "https://pawl.example/things/a%20b?q=1");
  EXPECT_EQ(moved.field("Strict-Transport-Security"), "max-age=31536000");
  const auto refused = client.exchange("POST /echo HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: http\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.body, HasSubstr("http.https_required"));
  RawClient other(server_->port());
  EXPECT_EQ(other.exchange("GET http://x/hello HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: http\r\n\r\n").status, 403);
  EXPECT_EQ(other.exchange(kByHttps).status, 200);
  EXPECT_EQ(other.exchange(kHello).status, 200);  // no proxy: somebody on this machine
}

TEST_F(ServerTest, TakesAnswersFromAnyThread) {
  start();
  RawClient client(server_->port());
  client.write("GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
  auto responder = later_.get_future().get();
  EXPECT_LT(shard_of_later_, 2U);
  responder.send(Response::text(202, "late"));
  EXPECT_FALSE(static_cast<bool>(responder));
  EXPECT_EQ(client.read_reply().body, "late");
  EXPECT_EQ(client.exchange(kHello).status, 200);
}

TEST_F(ServerTest, AnswersWhenAResponderIsDroppedOnAnotherThread) {
  start();
  RawClient client(server_->port());
  client.write("GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
  { const auto dropped = later_.get_future().get(); }
  EXPECT_EQ(client.read_reply().status, 500);
}

TEST_F(ServerTest, DropsAnAnswerWhoseServerIsGone) {
  start();
  std::optional<Responder> responder;
  {
    RawClient client(server_->port());
    client.write("GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    responder = later_.get_future().get();
    server_->stop();
    EXPECT_EQ(server_->connections(), 0U);
  }
  server_.reset();
  responder->send(Response::text(200, "too late"));
}

TEST_F(ServerTest, RefusesOneConnectionTooMany) {
  start({.max_connections = 1});
  RawClient first(server_->port());
  EXPECT_EQ(first.exchange(kHello).status, 200);
  RawClient second(server_->port());
  EXPECT_EQ(second.read_reply().status, 503);
  EXPECT_EQ(first.exchange(kHello).status, 200);
}

TEST_F(ServerTest, StreamsEventsAndEndsThem) {
  start();
  RawClient client(server_->port());
  client.write("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto stream = stream_.get_future().get();
  EXPECT_TRUE(stream->send("id: 1\ndata: a\n\n"));
  EXPECT_TRUE(stream->send("id: 2\ndata: b\n\n"));
  stream->close();
  EXPECT_FALSE(stream->send("id: 3\n\n"));
  const auto reply = client.read_reply();
  EXPECT_EQ(reply.field("content-type"), "text/event-stream");
  EXPECT_TRUE(reply.complete);
  EXPECT_EQ(reply.body, "id: 1\ndata: a\n\nid: 2\ndata: b\n\n");
  stream_closed_.get_future().wait();
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(ServerTest, ClosesAStreamWhoseReaderDoesNotKeepUp) {
  start({.stream_queue_bytes = 100'000});
  RawClient client(server_->port(), 4096);
  client.write("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto stream = stream_.get_future().get();
  while (stream->send(std::string(50'000, 'x'))) {
  }
  EXPECT_TRUE(stream->closed());
  stream_closed_.get_future().wait();
  EXPECT_FALSE(client.read_reply().complete);
}

TEST_F(ServerTest, NoticesThatAStreamsReaderHasGone) {
  start();
  std::optional<RawClient> client(std::in_place, server_->port());
  client->write("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto stream = stream_.get_future().get();
  client.reset();
  stream_closed_.get_future().wait();
  EXPECT_TRUE(stream->closed());
  EXPECT_FALSE(stream->send("x"));
}

TEST_F(ServerTest, SendsAHeartbeatWhileAStreamIsSilent) {
  start({.heartbeat = 20ms});
  RawClient client(server_->port());
  client.write("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto stream = stream_.get_future().get();
  EXPECT_THAT(client.read_until(":\n\n"), HasSubstr("text/event-stream"));
  EXPECT_THAT(client.read_until(":\n\n"), HasSubstr(":\n\n"));
}

TEST_F(ServerTest, DroppingTheStreamEndsIt) {
  start();
  RawClient client(server_->port());
  client.write("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  stream_.get_future().get().reset();
  EXPECT_TRUE(client.read_reply().complete);
}

// proves: AI-M12
TEST_F(ServerTest, StopLetsRequestsInFlightFinish) {
  start();
  RawClient busy(server_->port());
  RawClient idle(server_->port());
  EXPECT_EQ(idle.exchange(kHello).status, 200);
  busy.write("GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
  auto responder = later_.get_future().get();
  std::thread stopper([&] { server_->stop(10s); });
  EXPECT_TRUE(idle.closed_by_server());  // so the stop has begun
  responder.send(Response::text(200, "finished"));
  const auto reply = busy.read_reply();
  EXPECT_EQ(reply.body, "finished");
  EXPECT_EQ(reply.field("connection"), "close");
  EXPECT_TRUE(busy.closed_by_server());
  busy.finish();
  stopper.join();
  EXPECT_EQ(server_->connections(), 0U);
  const RawClient refused(server_->port());
  EXPECT_FALSE(refused.connected());
}

TEST_F(ServerTest, StopEndsStreamsAndCutsOffWhatIsLeft) {
  start();
  RawClient reader(server_->port());
  reader.write("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto stream = stream_.get_future().get();
  stream->send("data: last\n\n");
  RawClient busy(server_->port());
  busy.write("GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
  auto responder = later_.get_future().get();
  std::thread stopper([&] { server_->stop(50ms); });
  EXPECT_EQ(reader.read_reply().body, "data: last\n\n");
  reader.finish();
  stopper.join();
  EXPECT_EQ(server_->connections(), 0U);
  EXPECT_TRUE(busy.closed_by_server());
  responder.send(Response::text(200, "dropped"));
}

TEST_F(ServerTest, ReportsEveryExchange) {
  start();
  RawClient client(server_->port());
  static_cast<void>(client.exchange(kHello));
  static_cast<void>(client.exchange("GET /none HTTP/1.1\r\nHost: x\r\n\r\n"));
  static_cast<void>(client.exchange(kHello));
  EXPECT_THAT(completed(), ::testing::Contains("GET /hello 200"));
  EXPECT_THAT(completed(), ::testing::Contains("GET  404"));
}

TEST(Server, RefusesAnAddressItCannotListenOn) {
  async::IoThreads threads(1);
  Server named(threads, Router(), {.host = "not-an-address"});
  const auto started = named.start();
  ASSERT_TRUE(started.has_error());
  EXPECT_EQ(started.error().code, "http.address");
  Server first(threads, Router(), {});
  ASSERT_TRUE(first.start().has_value());
  Server second(threads, Router(), {.port = first.port()});
  EXPECT_EQ(second.start().error().code, "http.listen");
}

}  // namespace
}  // namespace pawl::http
