/// A server on loopback that stands in for an outside service in tests: says what the test wants it to say, also nothing or nonsense.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace pawl::integrations::testing {

/// One connection after the other on a thread of its own.
class StandIn {
 public:
  using Serve = std::function<void(int connection)>;
  explicit StandIn(Serve serve) : serve_(std::move(serve)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 16);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (;;) {
        const int connection = ::accept(listener_, nullptr, nullptr);
        if (connection < 0) return;
        serve_(connection);
        ::close(connection);
      }
    });
  }
  StandIn(const StandIn&) = delete;
  StandIn& operator=(const StandIn&) = delete;
  ~StandIn() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string origin() const { return "http://127.0.0.1:" + std::to_string(port_); }

  static bool send(int connection, std::string_view text) {
    return ::send(connection, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  /// What arrives until `enough(text)`; cut short where the other side closes.
  static std::string receive(int connection, const std::function<bool(const std::string&)>& enough) {
    std::string text;
    char buffer[4096];
    while (!enough(text)) {
      const auto got = ::recv(connection, buffer, sizeof buffer, 0);
      if (got <= 0) break;
      text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
  }
  /// Says nothing until the other side gives up.
  static void stall(int connection) {
    receive(connection, [](const std::string&) { return false; });
  }

 private:
  Serve serve_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

/// The same for HTTP: keeps what was asked, answers what `answer` says.
class HttpStandIn {
 public:
  using Answer = std::function<std::string(const std::string& request)>;
  explicit HttpStandIn(Answer answer) : answer_(std::move(answer)), server_([this](int connection) { serve(connection); }) {}

  [[nodiscard]] std::string origin() const { return server_.origin(); }
  [[nodiscard]] std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  static std::string reply(int status, std::string_view body) {
    return "HTTP/1.1 " + std::to_string(status) +
           " X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           std::string(body);
  }

 private:
  static bool complete(const std::string& text) {
    const auto end = text.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const auto length = text.find("Content-Length: ");
    const auto body = length < end ? std::stoul(text.substr(length + 16)) : 0;
    return text.size() >= end + 4 + body;
  }
  void serve(int connection) {
    auto request = StandIn::receive(connection, complete);
    if (request.empty()) return;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    const auto text = answer_(request);
    if (text.empty()) return StandIn::stall(connection);
    StandIn::send(connection, text);
  }

  Answer answer_;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  StandIn server_;  // last: its thread uses the others
};

}  // namespace pawl::integrations::testing
