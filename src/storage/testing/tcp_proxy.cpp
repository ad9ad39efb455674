#include "storage/testing/tcp_proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <list>
#include <string_view>
#include <vector>

#include "base/assert.hpp"

namespace pawl::storage::testing {
namespace {

constexpr int kTickMillis = 2;
// What a client sends for `commit`: the query of a Parse message, after the empty name of the statement.
constexpr std::string_view kCommit("\0commit\0", 8);
constexpr std::string_view kCommitted("COMMIT\0", 7);

struct Line {
  int client = -1;
  int server = -1;
  bool holds_commit = false;
  bool was_asked = false;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void close_line(Line& line) {
  close(line.client);
  close(line.server);
  line.client = line.server = -1;
}

bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace

TcpProxy::TcpProxy(std::uint16_t target) : target_(target), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  auto address = loopback(0);
  socklen_t length = sizeof(address);
  PAWL_ASSERT(bind(listener_, reinterpret_cast<sockaddr*>(&address), length) == 0, "a free port can be taken");
  PAWL_ASSERT(listen(listener_, SOMAXCONN) == 0, "a socket can listen");
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { loop(); });
}

TcpProxy::~TcpProxy() {
  stopping_ = true;
  thread_.join();
  close(listener_);
}

void TcpProxy::loop() {
  std::list<Line> lines;
  std::array<char, 65536> buffer{};
  // Hands on what has arrived; false: the line is dead.
  const auto forward = [&](Line& line, bool from_client) {
    const auto got = recv(from_client ? line.client : line.server, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got <= 0) return false;
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    if (!from_client && line.was_asked) ++turns_;
    line.was_asked = from_client;
    if (from_client && swallowing_ && bytes.find(kCommit) != std::string_view::npos) line.holds_commit = true;
    if (!from_client && line.holds_commit && bytes.find(kCommitted) == std::string_view::npos) return true;  // of earlier statements
    if (!from_client && line.holds_commit) {
      swallowing_ = false;
      ++swallowed_;
      return false;
    }
    return send_all(from_client ? line.server : line.client, bytes);
  };
  while (!stopping_) {
    std::vector<pollfd> sockets{{listener_, POLLIN, 0}};
    for (const auto& line : lines) {
      const std::int16_t awaited = frozen_ ? 0 : POLLIN;
      sockets.push_back({line.client, awaited, 0});
      sockets.push_back({line.server, awaited, 0});
    }
    poll(sockets.data(), sockets.size(), kTickMillis);
    std::size_t at = 1;
    for (auto& line : lines) {
      bool alive = !refusing_;
      if (alive && sockets[at].revents != 0) alive = forward(line, true);
      if (alive && sockets[at + 1].revents != 0) alive = forward(line, false);
      at += 2;
      if (!alive) close_line(line);
    }
    lines.remove_if([](const Line& line) { return line.client < 0; });
    if (sockets[0].revents == 0) continue;
    Line line;
    line.client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    line.server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto address = loopback(target_);
    const int on = 1;
    setsockopt(line.client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(line.server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (refusing_ || connect(line.server, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      close_line(line);
    } else {
      lines.push_back(line);
    }
  }
  for (auto& line : lines) close_line(line);
}

}  // namespace pawl::storage::testing
