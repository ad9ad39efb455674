#include "http/websocket.hpp"

#include <gmock/gmock.h>

#include <future>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "http/detail/frame_watch.hpp"
#include "http/server.hpp"
#include "http/testing/websocket_client.hpp"

namespace pawl::http {
namespace {

using ::testing::ElementsAre;
using testing::frame;
using ::testing::HasSubstr;
using testing::WebSocketClient;
using namespace std::chrono_literals;

/// `/echo` answers each message with itself, `/held` gives the socket to the test, `/later` the Responder.
class WebSocketTest : public ::testing::Test {
 protected:
  void start(WebSocketOptions options = {}, ServerOptions server_options = {}) {
    Router router;
    router.add(Method::get, "/echo", [options](Request&& request, Responder responder) {
      auto mine = options;
      for (const auto offered : offered_protocols(request)) {
        if (offered == "pawl.v1") mine.protocol = "pawl.v1";
      }
      responder.upgrade(std::move(mine), [](const std::shared_ptr<WebSocket>& socket) {
        socket->on_message([socket](std::string_view text) {
          if (text == "throw") throw std::runtime_error("boom");
          static_cast<void>(socket->send(std::string(text)));
        });
      });
    });
    router.add(Method::get, "/held", [this, options](Request&&, Responder responder) {
      responder.upgrade(options, [this](std::shared_ptr<WebSocket> socket) {
        socket->on_close([this] { closed_.set_value(); });
        socket_.set_value(std::move(socket));
      });
    });
    router.add(Method::get, "/later", [this](Request&&, Responder responder) { later_.set_value(std::move(responder)); });
    router.add(Method::get, "/hello", [](Request&&, Responder responder) { responder.send(Response::text(200, "hello")); });
    server_options.on_complete = [this](const Completed& completed) {
      const std::lock_guard lock(mutex_);
      completed_.push_back(std::string(completed.path) + " " + std::to_string(completed.status));
    };
    threads_.start();
    server_.emplace(threads_, std::move(router), std::move(server_options));
    ASSERT_FALSE(server_->start().has_error());
  }

  void TearDown() override {
    server_.reset();
    threads_.stop();
  }

  async::IoThreads threads_{2};
  std::mutex mutex_;
  std::vector<std::string> completed_;
  std::promise<std::shared_ptr<WebSocket>> socket_;
  std::promise<Responder> later_;
  std::promise<void> closed_;
  std::optional<Server> server_;
};

// proves: P9
TEST_F(WebSocketTest, ShakesHandsAndEchoes) {
  start();
  WebSocketClient client(server_->port());
  const auto reply = client.open("/echo", "X-Request-Id: mine-1\r\n");
  EXPECT_EQ(reply.status, 101);
  EXPECT_EQ(reply.field("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");  // of RFC 6455 section 1.3
  EXPECT_EQ(reply.field("X-Request-Id"), "mine-1");
  EXPECT_EQ(reply.field("Server"), "pawl");  // no version of anything
  EXPECT_EQ(reply.field("Sec-WebSocket-Protocol"), "");
  for (const std::size_t size : {0U, 1U, 125U, 126U, 65'535U, 65'536U}) {
    const std::string text(size, 'x');
    client.send(text);
    const auto back = client.read_frame();
    EXPECT_EQ(back.first, 0x81U) << size;  // one whole text frame
    EXPECT_EQ(back.payload, text) << size;
  }
  client.write(frame(testing::kClose, "\x03\xE8"));
  EXPECT_EQ(client.read_frame().code(), 1000U);
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(WebSocketTest, AgreesOnTheProtocolThatTheRouteChooses) {
  start();
  WebSocketClient client(server_->port());
  const auto reply = client.open("/echo", "Sec-WebSocket-Protocol: pawl.bearer.secret, pawl.v1\r\n");
  EXPECT_EQ(reply.status, 101);
  EXPECT_EQ(reply.field("Sec-WebSocket-Protocol"), "pawl.v1");
  EXPECT_EQ(reply.head.find("secret"), std::string::npos);
}

TEST_F(WebSocketTest, JoinsFragmentsAndAnswersPingsBetweenThem) {
  start();
  WebSocketClient client(server_->port());
  ASSERT_EQ(client.open("/echo").status, 101);
  client.write(frame(testing::kText, "one ", false) + frame(testing::kPing, "are you there?") +
               frame(testing::kContinuation, "two ", false) + frame(testing::kContinuation, "three"));
  const auto pong = client.read_frame();
  EXPECT_EQ(pong.opcode(), testing::kPong);
  EXPECT_EQ(pong.payload, "are you there?");
  EXPECT_EQ(client.read_text(), "one two three");
}

TEST_F(WebSocketTest, ReadsFramesThatArriveByteByByte) {
  start();
  WebSocketClient client(server_->port());
  ASSERT_EQ(client.open("/echo").status, 101);
  for (const char byte : frame(testing::kText, "slow") + frame(testing::kText, "er")) client.write({&byte, 1});
  EXPECT_EQ(client.read_text(), "slow");
  EXPECT_EQ(client.read_text(), "er");
}

// proves: P11
TEST_F(WebSocketTest, ClosesWithTheCodeThatSaysWhy) {
  start();
  const struct {
    std::string bytes;
    unsigned code;
    const char* what;
  } cases[] = {
      {frame(testing::kText, "hello", true, false), 1002, "not masked"},
      {std::string("\xC1\x80\x12\x34\x56\x78", 6), 1002, "a reserved bit"},
      {frame(3, "x"), 1002, "a reserved opcode"},
      {frame(11, "x"), 1002, "a reserved control opcode"},
      {frame(testing::kContinuation, "x"), 1002, "a continuation of nothing"},
      {frame(testing::kText, "a", false) + frame(testing::kText, "b"), 1002, "a message within a message"},
      {frame(testing::kPing, "x", false), 1002, "a fragmented ping"},
      {frame(testing::kPing, std::string(126, 'x')), 1002, "a long ping"},
      {std::string("\x81\xFE\x00\x01\x12\x34\x56\x78y", 9), 1002, "a size that could be shorter"},
      {std::string("\x81\xFF\x80\x00\x00\x00\x00\x00\x00\x01\x12\x34\x56\x78", 14), 1009, "a size with its highest bit set"},
      {frame(testing::kClose, "\x03"), 1002, "half a close code"},
      {frame(testing::kClose, "\x03\xED"), 1002, "a close code that is never sent (1005)"},
      {frame(testing::kText, "\xFF\xFE"), 1007, "not UTF-8"},
      {frame(testing::kText, "\xED\xA0\x80"), 1007, "a surrogate in UTF-8"},
      {frame(testing::kText, "\xC0\xAF"), 1007, "overlong UTF-8"},
      {frame(testing::kText, "\xE2\x82"), 1007, "half a character at the end"},
      {frame(testing::kBinary, "bytes"), 1003, "a binary message"},
      {frame(testing::kText, std::string(65'537, 'x')), 1009, "one byte too many"},
      {frame(testing::kText, std::string(40'000, 'x'), false) + frame(testing::kContinuation, std::string(40'000, 'x')), 1009,
       "fragments that are too large together"},
      {std::string("\x81\xFF\x00\x00\x7F\xFF\xFF\xFF\xFF\xFF\x12\x34\x56\x78", 14), 1009, "a claim of more than there is memory"},
      {frame(testing::kText, "throw"), 1011, "a handler that throws"},
  };
  for (const auto& each : cases) {
    WebSocketClient client(server_->port());
    ASSERT_EQ(client.open("/echo").status, 101);
    client.write(each.bytes);
    const auto answer = client.read_frame();
    EXPECT_EQ(answer.opcode(), testing::kClose) << each.what;
    EXPECT_EQ(answer.code(), each.code) << each.what;
    client.write(frame(testing::kClose, answer.payload));
    client.finish();
    EXPECT_TRUE(client.closed_by_server()) << each.what;
  }
  WebSocketClient after(server_->port());
  EXPECT_EQ(after.exchange("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
}

TEST_F(WebSocketTest, RefusesWhatIsNoHandshake) {
  start();
  const std::string head = "GET /echo HTTP/1.1\r\nHost: x\r\n";
  const std::string upgrade = "Upgrade: websocket\r\n";
  const std::string connection = "Connection: Upgrade\r\n";
  const std::string version = "Sec-WebSocket-Version: 13\r\n";
  const std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  for (const auto& request : {
           head,
           head + connection + version + key,
           head + upgrade + version + key,
           head + upgrade + connection + key,
           head + upgrade + connection + version,
           head + "Upgrade: h2c\r\n" + connection + version + key,
           head + upgrade + connection + "Sec-WebSocket-Version: 8\r\n" + key,
           head + upgrade + connection + version + "Sec-WebSocket-Key: short\r\n",
           head + upgrade + connection + version + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n=\r\n",
       }) {
    WebSocketClient client(server_->port());
    const auto reply = client.exchange(request + "\r\n");
    if (reply.status == 400) continue;  // the last one is not HTTP either
    EXPECT_EQ(reply.status, 426) << request;
    EXPECT_EQ(reply.field("Upgrade"), "websocket");
    EXPECT_EQ(reply.field("Sec-WebSocket-Version"), "13");
    EXPECT_THAT(reply.body, HasSubstr("http.upgrade_required"));
    EXPECT_EQ(client.exchange("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);  // the connection lives on
  }
}

TEST_F(WebSocketTest, RefusesFramesThatDoNotWaitForTheHandshake) {
  start();
  WebSocketClient client(server_->port());
  const auto reply = client.exchange(WebSocketClient::handshake("/echo") + frame(testing::kText, "early"));
  EXPECT_EQ(reply.status, 400);
  EXPECT_THAT(reply.body, HasSubstr("http.early_frames"));
  EXPECT_TRUE(client.closed_by_server());
}

TEST_F(WebSocketTest, AnOrdinaryRouteIgnoresTheWishToUpgrade) {
  start();
  WebSocketClient client(server_->port());
  EXPECT_EQ(client.open("/hello").status, 200);
  EXPECT_EQ(client.exchange("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
}

TEST_F(WebSocketTest, SendsFromAnyThreadInOrder) {
  start();
  WebSocketClient client(server_->port());
  ASSERT_EQ(client.open("/held").status, 101);
  const auto socket = socket_.get_future().get();
  std::thread sender([&] {
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(socket->send(std::to_string(i)));
    socket->close(CloseCode::policy, "enough");
  });
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(client.read_text(), std::to_string(i));
  const auto end = client.read_frame();
  EXPECT_EQ(end.code(), 1008U);
  EXPECT_EQ(end.payload.substr(2), "enough");
  sender.join();
  EXPECT_FALSE(socket->send("after the end"));
  client.write(frame(testing::kClose, end.payload));
  closed_.get_future().wait();
  EXPECT_TRUE(socket->closed());
}

// proves: P9
TEST_F(WebSocketTest, ClosesOnAClientThatDoesNotKeepUp) {
  start({.queue_bytes = 200'000, .close_timeout = 200ms});
  WebSocketClient client(server_->port(), 4096);
  ASSERT_EQ(client.open("/held").status, 101);
  const auto socket = socket_.get_future().get();
  const auto text = std::make_shared<const std::string>(50'000, 'x');
  std::size_t sent = 0;
  while (socket->send(text)) ++sent;
  EXPECT_GE(sent, 3U);  // what the queue holds; more where the kernel took some meanwhile
  EXPECT_TRUE(socket->closed());
  EXPECT_FALSE(socket->send("more"));
  closed_.get_future().wait();  // within the close timeout, though the client reads nothing
}

TEST_F(WebSocketTest, TellsASlowClientThatReadsAgainWhy) {
  start({.queue_bytes = 200'000});
  WebSocketClient client(server_->port(), 4096);
  ASSERT_EQ(client.open("/held").status, 101);
  const auto socket = socket_.get_future().get();
  const auto text = std::make_shared<const std::string>(50'000, 'x');
  while (socket->send(text)) {
  }
  testing::Frame last;
  do last = client.read_frame();
  while (last.opcode() == testing::kText);
  EXPECT_EQ(last.code(), 1013U);
}

TEST_F(WebSocketTest, CountsEmptyMessagesAgainstTheQueue) {
  start({.queue_bytes = 10'000, .close_timeout = 100ms});
  WebSocketClient client(server_->port(), 4096);
  ASSERT_EQ(client.open("/held").status, 101);
  const auto socket = socket_.get_future().get();
  const auto nothing = std::make_shared<const std::string>();
  std::size_t sent = 0;
  while (sent < 10'000'000 && socket->send(nothing)) ++sent;
  EXPECT_LT(sent, 10'000'000U);
}

TEST_F(WebSocketTest, PingsASilentClientAndGivesUpOnOneThatIsGone) {
  start({.idle_timeout = 300ms});
  WebSocketClient client(server_->port());
  ASSERT_EQ(client.open("/held").status, 101);
  const auto socket = socket_.get_future().get();
  const auto ping = client.read_frame();
  EXPECT_EQ(ping.opcode(), testing::kPing);
  client.write(frame(testing::kPong, ping.payload));
  EXPECT_EQ(client.read_frame().opcode(), testing::kPing);  // the pong counted as life; this one stays unanswered
  closed_.get_future().wait();
  EXPECT_TRUE(socket->closed());
}

// A byte now and then keeps a client alive, but not a message that never ends.
// proves: P11
TEST_F(WebSocketTest, ClosesOnAMessageThatDoesNotComeToItsEnd) {
  start({.idle_timeout = 300ms});
  WebSocketClient client(server_->port());
  ASSERT_EQ(client.open("/held").status, 101);
  const auto whole = frame(testing::kText, std::string(2'000, 'x'));
  auto closed = closed_.get_future();
  std::size_t sent = 0;
  while (sent + 1 < whole.size() && closed.wait_for(20ms) != std::future_status::ready) client.write(whole.substr(sent++, 1));
  EXPECT_LT(sent + 1, whole.size()) << "all but the last byte could be sent";
}

// Nor does the header of a frame: Beast hands nothing on of one that is not whole.
// proves: P11
TEST_F(WebSocketTest, ClosesOnAHeaderThatDoesNotComeToItsEnd) {
  start({.idle_timeout = 200ms});
  WebSocketClient client(server_->port());
  ASSERT_EQ(client.open("/held").status, 101);
  const auto header = frame(testing::kText, std::string(65'536, 'x')).substr(0, 14);
  auto closed = closed_.get_future();
  std::size_t sent = 0;
  while (sent + 1 < header.size() && closed.wait_for(90ms) != std::future_status::ready) client.write(header.substr(sent++, 1));
  EXPECT_LT(sent + 1, header.size()) << "all but the last byte could be sent";
}

// Nor do fragments without a byte, whatever whole frames of pings and pongs come between them.
// proves: P11
TEST_F(WebSocketTest, ClosesOnAMessageOfEmptyFragmentsThatDoesNotComeToItsEnd) {
  start({.idle_timeout = 200ms});
  WebSocketClient client(server_->port());
  ASSERT_EQ(client.open("/held").status, 101);
  auto closed = closed_.get_future();
  int sent = 0;
  constexpr int kMany = 60;
  while (sent < kMany && closed.wait_for(20ms) != std::future_status::ready) {
    client.write(frame(sent++ == 0 ? testing::kText : testing::kContinuation, "", false));
    client.write(frame(testing::kPong, "still here"));
  }
  EXPECT_LT(sent, kMany) << "fragments could be sent for " << kMany * 20 << " ms";
}

// What is whole in time is no matter, however many there are. The clock is the test's.
TEST(MessageDeadline, IsForOneMessageNotForAllOfThem) {
  detail::MessageDeadline deadline(200ms);
  detail::MessageDeadline::TimePoint now{};
  const auto never = detail::MessageDeadline::TimePoint::max();
  const auto text = frame(testing::kText, "one");
  EXPECT_EQ(deadline.when(), never);
  deadline.see(text.substr(0, 3), now);
  EXPECT_EQ(deadline.when(), now + 200ms);
  // Always in the middle of one when another becomes whole.
  for (int i = 0; i < 10; ++i) {
    now += 150ms;
    ASSERT_LT(now, deadline.when()) << i;
    deadline.see(text.substr(3) + text.substr(0, 3), now);
    ASSERT_EQ(deadline.when(), now + 200ms) << i;
  }
  const auto begun = now;
  for (std::size_t i = 3; i + 1 < text.size(); ++i) {
    now += 50ms;
    deadline.see(text.substr(i, 1), now);
    EXPECT_EQ(deadline.when(), begun + 200ms) << "a byte more gives no more time";
  }
  deadline.see(text.substr(text.size() - 1), now);
  EXPECT_EQ(deadline.when(), never);
}

TEST(FrameWatch, SeesWhatIsUnfinished) {
  const auto text = frame(testing::kText, "hello");
  for (const auto size : {0U, 1U, 125U, 126U, 65'535U, 65'536U}) {
    const auto whole = frame(testing::kText, std::string(size, 'x'));
    detail::FrameWatch at_once;
    at_once.see(whole);
    EXPECT_FALSE(at_once.is_within()) << size;
    EXPECT_EQ(at_once.whole(), 1U) << size;
    detail::FrameWatch bytewise;
    for (const char& byte : whole) {
      EXPECT_FALSE(bytewise.is_within() && bytewise.whole() == 1);
      bytewise.see({&byte, 1});
      EXPECT_EQ(bytewise.is_within(), &byte != &whole.back()) << size;
    }
    EXPECT_EQ(bytewise.whole(), 1U) << size;
  }
  detail::FrameWatch watch;
  watch.see(frame(testing::kText, "", false));
  EXPECT_TRUE(watch.is_within()) << "a fragment without a byte";
  watch.see(frame(testing::kPing, "x"));
  watch.see(frame(testing::kContinuation, "", false));
  EXPECT_TRUE(watch.is_within()) << "a ping between fragments ends nothing";
  EXPECT_EQ(watch.whole(), 0U);
  watch.see(frame(testing::kContinuation, "end") + text.substr(0, 1));
  EXPECT_TRUE(watch.is_within()) << "the next has begun";
  EXPECT_EQ(watch.whole(), 1U);
  watch.see(text.substr(1));
  EXPECT_FALSE(watch.is_within());
  EXPECT_EQ(watch.whole(), 2U);
  watch.see(std::string_view("\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x12\x34\x56\x78y", 15));
  EXPECT_TRUE(watch.is_within()) << "as long as a frame can say that it is";
}

TEST_F(WebSocketTest, NoticesThatTheClientHasGone) {
  start();
  std::optional<WebSocketClient> client(std::in_place, server_->port());
  ASSERT_EQ(client->open("/held").status, 101);
  const auto socket = socket_.get_future().get();
  client.reset();
  closed_.get_future().wait();
  EXPECT_TRUE(socket->closed());
  EXPECT_FALSE(socket->send("x"));
}

TEST_F(WebSocketTest, DroppingTheSocketClosesIt) {
  start();
  WebSocketClient client(server_->port());
  ASSERT_EQ(client.open("/held").status, 101);
  socket_.get_future().get().reset();
  EXPECT_EQ(client.read_frame().code(), 1000U);
}

// On M12.
TEST_F(WebSocketTest, StopTellsClientsToComeAgain) {
  start();
  WebSocketClient client(server_->port());
  ASSERT_EQ(client.open("/held").status, 101);
  const auto socket = socket_.get_future().get();
  EXPECT_TRUE(socket->send("last words"));
  std::thread stopper([&] { server_->stop(10s); });
  EXPECT_EQ(client.read_text(), "last words");
  const auto end = client.read_frame();
  EXPECT_EQ(end.code(), 1012U);
  client.write(frame(testing::kClose, end.payload));
  client.finish();
  stopper.join();
  EXPECT_EQ(server_->connections(), 0U);
  closed_.get_future().wait();
}

TEST_F(WebSocketTest, StopDoesNotWaitForAClientThatDoesNotAnswer) {
  start();
  WebSocketClient client(server_->port());
  ASSERT_EQ(client.open("/held").status, 101);
  const auto socket = socket_.get_future().get();
  server_->stop(50ms);
  EXPECT_EQ(server_->connections(), 0U);
  closed_.get_future().wait();
  EXPECT_FALSE(socket->send("x"));
}

TEST_F(WebSocketTest, UpgradesFromAnotherThread) {
  start();
  WebSocketClient client(server_->port());
  client.write(WebSocketClient::handshake("/later"));
  auto responder = later_.get_future().get();
  std::promise<std::shared_ptr<WebSocket>> opened;
  responder.upgrade({}, [&opened](std::shared_ptr<WebSocket> socket) { opened.set_value(std::move(socket)); });
  EXPECT_EQ(client.read_reply().status, 101);
  const auto socket = opened.get_future().get();
  EXPECT_TRUE(socket->send("hello"));
  EXPECT_EQ(client.read_text(), "hello");
}

TEST_F(WebSocketTest, AnUpgradeAfterTheServersEndIsDropped) {
  start();
  WebSocketClient client(server_->port());
  client.write(WebSocketClient::handshake("/later"));
  auto responder = later_.get_future().get();
  server_->stop();
  responder.upgrade({}, [](const std::shared_ptr<WebSocket>&) { FAIL() << "there is nothing to open"; });
  EXPECT_EQ(client.read_reply().status, 0);
}

TEST_F(WebSocketTest, AnUpgradeWhileTheServerStopsIsRefused) {
  start();
  WebSocketClient client(server_->port());
  WebSocketClient idle(server_->port());
  EXPECT_EQ(idle.exchange("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
  client.write(WebSocketClient::handshake("/later"));
  auto responder = later_.get_future().get();
  std::thread stopper([&] { server_->stop(10s); });
  EXPECT_TRUE(idle.closed_by_server());  // so the stop has begun
  responder.upgrade({}, [](const std::shared_ptr<WebSocket>&) { FAIL() << "there is nothing to open"; });
  EXPECT_EQ(client.read_reply().status, 503);
  client.finish();
  stopper.join();
}

TEST_F(WebSocketTest, ReportsTheExchangeAtItsEnd) {
  start();
  {
    WebSocketClient client(server_->port());
    ASSERT_EQ(client.open("/held").status, 101);
    EXPECT_TRUE(completed_.empty());
    socket_.get_future().get().reset();
    const auto end = client.read_frame();
    client.write(frame(testing::kClose, end.payload));
    closed_.get_future().wait();
  }
  server_->stop();
  EXPECT_THAT(completed_, ElementsAre("/held 101"));
}

}  // namespace
}  // namespace pawl::http
