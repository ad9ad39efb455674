// What comes on a kept connection while nobody has asked for anything is nobody's answer.
#include <curl/curl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "net/curl_outbound.hpp"

namespace pawl::net {
namespace {

using ::testing::ElementsAre;

constexpr std::string_view kGood = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";
constexpr std::string_view kLater = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";

/// Answers its first request with `first`, and says `later` on the same connection when it is told to; every other request is answered
/// well, or as `others` says.
class TalkativeServer {
 public:
  explicit TalkativeServer(std::string_view first, std::string_view later = {}, std::string_view others = kGood)
      : first_(first), later_(later), others_(others), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_, plain, size), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    EXPECT_EQ(::getsockname(listener_, plain, &size), 0);
    url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
    thread_ = std::thread([this] { serve(); });
  }
  ~TalkativeServer() { end(); }
  TalkativeServer(const TalkativeServer&) = delete;
  TalkativeServer& operator=(const TalkativeServer&) = delete;

  /// Returns when what comes unasked lies at the client.
  void say_more() {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(::send(connections_.at(0), later_.data(), later_.size(), MSG_NOSIGNAL), static_cast<ssize_t>(later_.size()));
  }
  /// For each request the connection that it came on. Ends the server.
  std::vector<int> requests() {
    end();
    return requests_;
  }

  std::string url;

 private:
  void end() {
    if (!thread_.joinable()) return;
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    for (const int connection : connections_) ::close(connection);
  }
  void serve() {
    std::vector<pollfd> open{{listener_, POLLIN, 0}};
    while (::poll(open.data(), open.size(), -1) > 0) {
      for (std::size_t i = 1; i < open.size(); ++i) {
        if (open[i].revents != 0 && !answer(static_cast<int>(i))) open[i].fd = -1;
      }
      if (open[0].revents == 0) continue;
      const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      open.push_back({connection, POLLIN, 0});
      const std::lock_guard lock(mutex_);
      connections_.push_back(connection);
    }
  }
  bool answer(int number) {
    const int connection = connections_.at(static_cast<std::size_t>(number) - 1);
    std::array<char, 4096> bytes{};
    if (::recv(connection, bytes.data(), bytes.size(), 0) <= 0) return false;
    requests_.push_back(number);
    const std::string_view text = requests_.size() == 1 ? first_ : others_;
    return ::send(connection, text.data(), text.size(), MSG_NOSIGNAL) > 0;
  }

  const std::string_view first_;
  const std::string_view later_;
  const std::string_view others_;
  const int listener_;
  std::mutex mutex_;
  std::vector<int> connections_;
  std::vector<int> requests_;
  std::thread thread_;
};

class KeptConnections : public ::testing::Test {
 protected:
  static CurlOptions options() {
    CurlOptions options;
    options.policy.allow_private = true;
    return options;
  }
  std::string ask(OutboundRequest request) {
    auto promise = std::make_shared<std::promise<Result<OutboundResponse>>>();
    outbound_.start(std::move(request), [promise](Result<OutboundResponse> answer) { promise->set_value(std::move(answer)); });
    const auto answer = promise->get_future().get();
    return answer ? std::to_string(answer->status) + " " + answer->body : answer.error().code;
  }
  CurlOutbound outbound_{options()};
};

TEST_F(KeptConnections, WhatFollowsAnAnswerIsNotTakenForTheAnswerToTheNextRequest) {
  const std::array<std::pair<std::string, std::string_view>, 4> cases{
      {{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"},
       {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"},
       {"GET", "HTTP/1.1 204 No Content\r\n\r\n"},
       {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n"}}};
  for (const auto& [method, first] : cases) {
    for (const std::string_view later : {kLater, std::string_view("x")}) {
      TalkativeServer server(first, later);
      ask({.method = method, .url = server.url});
      server.say_more();
      EXPECT_EQ(ask({.method = "POST", .url = server.url, .body = "b"}), "200 good") << first;
      EXPECT_EQ(ask({.url = server.url}), "200 good") << first;
      EXPECT_THAT(server.requests(), ElementsAre(1, 2, 2)) << "sent once, and what the second connection brings is kept: " << first;
    }
  }
}

TEST_F(KeptConnections, AnAnswerToHeadThatDoesNotSayHowLongItWouldBeEndsItsConnection) {
  TalkativeServer server("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n");
  EXPECT_EQ(ask({.method = "HEAD", .url = server.url}), "200 ");
  EXPECT_EQ(ask({.url = server.url}), "200 good");
  EXPECT_THAT(server.requests(), ElementsAre(1, 2));
}

/// As much as libcurl reads at once, so that what follows stays in the socket.
std::string challenge_of_one_read() {
  constexpr std::size_t kRead = CURL_MAX_WRITE_SIZE;
  const std::string head =
      "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\nContent-Length: ";
  const std::size_t body = kRead - head.size() - std::string_view("12345\r\n\r\n").size();
  return head + std::to_string(body) + "\r\n\r\n" + std::string(body, 'x');
}

TEST_F(KeptConnections, WhatFollowsAChallengeIsNotTakenForTheAnswerToItsSecondRequest) {
  const std::string first = challenge_of_one_read() + std::string(kLater);
  TalkativeServer server(first);
  EXPECT_EQ(ask({.url = server.url, .credentials = DigestCredentials{"u", "p"}}), "200 good");
  EXPECT_THAT(server.requests(), ElementsAre(1, 2));
  TalkativeServer posted(first);
  EXPECT_EQ(ask({.method = "POST", .url = posted.url, .body = "b", .credentials = DigestCredentials{"u", "p"}}), "200 good");
  EXPECT_THAT(posted.requests(), ElementsAre(1, 2, 2)) << "libcurl asks for the challenge without the body";
  TalkativeServer once(first);
  EXPECT_EQ(ask({.method = "POST", .url = once.url, .body = "b", .at_most_once = true, .credentials = DigestCredentials{"u", "p"}}),
            "200 good");
  TalkativeServer never(first, {}, first);
  EXPECT_EQ(ask({.url = never.url, .credentials = DigestCredentials{"u", "p"}}), "net.protocol");
  EXPECT_THAT(never.requests(), ElementsAre(1, 2)) << "tried once more, and not for as long as there is time";
}

TEST_F(KeptConnections, ADigestExchangeStaysOnItsConnection) {
  const std::string challenge = challenge_of_one_read();
  TalkativeServer server(challenge);
  EXPECT_EQ(ask({.method = "PUT", .url = server.url, .body = "b", .credentials = DigestCredentials{"u", "p"}}), "200 good");
  EXPECT_EQ(ask({.url = server.url}), "200 good");
  EXPECT_THAT(server.requests(), ElementsAre(1, 1, 1));
}

TEST_F(KeptConnections, AreKeptWhereNothingFollows) {
  TalkativeServer server("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(ask({.method = "HEAD", .url = server.url}), "200 ");
  EXPECT_EQ(ask({.url = server.url}), "200 good");
  EXPECT_EQ(ask({.method = "PUT", .url = server.url, .body = "b"}), "200 good");
  EXPECT_THAT(server.requests(), ElementsAre(1, 1, 1));
}

}  // namespace
}  // namespace pawl::net
