/// For tests: a place on 127.0.0.1 that counts who connects, and answers with a text or not at all.
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "functions/detail/fd.hpp"

namespace pawl::functions {

class Loopback {
 public:
  /// `answer`: sent to everybody once they have said something, whatever they said; empty: silence.
  explicit Loopback(std::string answer = {}) : answer_(std::move(answer)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_.get(), plain, size) != 0 || listen(listener_.get(), 64) != 0 || getsockname(listener_.get(), plain, &size) != 0) {
      throw std::runtime_error("nothing can listen on 127.0.0.1");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Loopback() {
    const std::uint64_t one = 1;
    static_cast<void>(!write(stop_.get(), &one, sizeof one));
    thread_.join();
  }
  Loopback(const Loopback&) = delete;
  Loopback& operator=(const Loopback&) = delete;

  [[nodiscard]] std::string port() const { return std::to_string(port_); }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  void serve() {
    std::vector<Fd> open;
    while (true) {
      std::vector<pollfd> looks = {{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
      for (const Fd& one : open) looks.push_back({one.get(), POLLIN, 0});
      poll(looks.data(), looks.size(), -1);
      if (looks[0].revents != 0) return;
      if (looks[1].revents != 0) {
        open.emplace_back(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        ++connections_;
        continue;
      }
      for (std::size_t i = open.size(); i-- > 0;) {
        if (looks[i + 2].revents == 0) continue;
        std::array<char, 4096> said{};
        const bool over = recv(open[i].get(), said.data(), said.size(), 0) <= 0;
        if (!over && answer_.empty()) continue;
        if (!over) send(open[i].get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }

  const std::string answer_;
  Fd listener_;
  Fd stop_{eventfd(0, EFD_CLOEXEC)};
  std::uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

}  // namespace pawl::functions
