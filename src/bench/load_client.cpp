#include "bench/load_client.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

namespace pawl::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

Error lost(const std::string& what) { return Error(ErrorClass::unavailable, "bench.connection", what + ": " + std::strerror(errno)); }

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_;
};

struct Connection {
  explicit Connection(int number) : socket(number) {}
  Descriptor socket;
  std::string received;
  SteadyClock::time_point sent_at;
  bool idle = false;
};

/// Whole length of the first answer in `text`, 0 while it is incomplete.
std::size_t answer_length(std::string_view text) {
  const auto end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  std::size_t length = 0;
  for (std::string_view name : {"\r\nContent-Length: ", "\r\ncontent-length: "}) {
    const auto at = text.substr(0, end).find(name);
    if (at != std::string_view::npos) std::from_chars(text.data() + at + name.size(), text.data() + end, length);
  }
  const auto whole = end + 4 + length;
  return text.size() >= whole ? whole : 0;
}

class Client {
 public:
  explicit Client(const Load& load) : load_(load), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  Result<LoadResult> run() {
    PAWL_TRY_VOID(connect_all());
    const auto begin = SteadyClock::now();
    const auto deadline = begin + load_.limit;
    result_.latencies_us.reserve(load_.requests);
    for (auto& connection : connections_) PAWL_TRY_VOID(send_next(*connection));
    std::vector<epoll_event> events(load_.connections);
    while (answered_ < sent_ && SteadyClock::now() < deadline) {
      const int ready = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 100);
      if (ready < 0 && errno != EINTR) return lost("epoll_wait");
      for (int i = 0; i < ready; ++i) PAWL_TRY_VOID(receive(*static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr)));
    }
    result_.seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
    std::sort(result_.latencies_us.begin(), result_.latencies_us.end());
    return std::move(result_);
  }

 private:
  Result<void> connect_all() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(load_.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (std::uint32_t i = 0; i < load_.connections; ++i) {
      connections_.push_back(std::make_unique<Connection>(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
      auto& connection = *connections_.back();
      const int on = 1;
      ::setsockopt(connection.socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      if (::connect(connection.socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return lost("connect");
      ::fcntl(connection.socket.get(), F_SETFL, O_NONBLOCK);
      epoll_event interest{};
      interest.events = EPOLLIN;
      interest.data.ptr = &connection;
      if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.socket.get(), &interest) != 0) return lost("epoll_ctl");
    }
    return {};
  }

  Result<void> send_next(Connection& connection) {
    if (sent_ == load_.requests) return {};
    ++sent_;
    connection.sent_at = SteadyClock::now();
    // Requests are smaller than a socket's buffer, which is empty here: one send takes all of it.
    if (::send(connection.socket.get(), load_.request.data(), load_.request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(load_.request.size())) {
      return lost("send");
    }
    return {};
  }

  Result<void> receive(Connection& connection) {
    char buffer[16384];
    const auto count = ::recv(connection.socket.get(), buffer, sizeof buffer, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (count <= 0) return lost("the server closed a connection");
    connection.received.append(buffer, static_cast<std::size_t>(count));
    const auto length = answer_length(connection.received);
    if (length == 0) return {};
    const auto taken = std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - connection.sent_at).count();
    result_.latencies_us.push_back(static_cast<std::uint32_t>(taken));
    ++answered_;
    ++(connection.received.compare(9, 1, "2") == 0 ? result_.completed : result_.refused);
    // Of every answer: on a slow machine the limit may end the load after any of them.
    result_.last_body.assign(connection.received, connection.received.find("\r\n\r\n") + 4);
    connection.received.erase(0, length);
    return send_next(connection);
  }

  const Load& load_;
  Descriptor epoll_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
  LoadResult result_;
};

}  // namespace

double LoadResult::percentile_ms(double share) const {
  if (latencies_us.empty()) return 0;
  const auto at = static_cast<std::size_t>(share * static_cast<double>(latencies_us.size() - 1));
  return static_cast<double>(latencies_us[at]) / 1000;
}

Result<LoadResult> run_load(const Load& load) { return Client(load).run(); }

std::string make_request(std::string_view method, std::string_view path, std::string_view body, std::string_view bearer) {
  std::string request(method);
  request.append(" ").append(path).append(" HTTP/1.1\r\nHost: 127.0.0.1\r\n");
  if (!bearer.empty()) request.append("Authorization: Bearer ").append(bearer).append("\r\n");
  if (!body.empty())
    request.append("Content-Type: application/json\r\nContent-Length: ").append(std::to_string(body.size())).append("\r\n");
  return request.append("\r\n").append(body);
}

}  // namespace pawl::bench
