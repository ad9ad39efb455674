/// For tests: places on 127.0.0.1. One counts who connects, and answers with a text or not at all; the other never stops answering.
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "functions/detail/fd.hpp"

namespace pawl::functions {

/// Lets a socket listen there. -> its port
inline std::uint16_t listen_on_loopback(int listener) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, plain, size) != 0 || listen(listener, 64) != 0 || getsockname(listener, plain, &size) != 0) {
    throw std::runtime_error("nothing can listen on 127.0.0.1");
  }
  return ntohs(address.sin_port);
}

class Loopback {
 public:
  /// `answer`: sent to everybody once they have said something, whatever they said; empty: silence.
  explicit Loopback(std::string answer = {}) : answer_(std::move(answer)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    port_ = listen_on_loopback(listener_.get());
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
  /// Of those, which have not been closed by either side.
  [[nodiscard]] int open() const { return open_; }

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
        open_ = static_cast<int>(open.size());
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
        open_ = static_cast<int>(open.size());
      }
    }
  }

  const std::string answer_;
  Fd listener_;
  Fd stop_{eventfd(0, EFD_CLOEXEC)};
  std::uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
  std::atomic<int> open_ = 0;
  std::thread thread_;
};

/// Says `head` to everybody at once, and then `piece` again and again until they go.
class Flood {
 public:
  Flood(std::string head, std::string_view piece) : head_(std::move(head)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    while (much_.size() < 64U * 1024) much_ += piece;
    port_ = listen_on_loopback(listener_.get());
    thread_ = std::thread([this] { serve(); });
  }
  ~Flood() {
    const std::uint64_t one = 1;
    static_cast<void>(!write(stop_.get(), &one, sizeof one));
    thread_.join();
  }
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;

  [[nodiscard]] std::string port() const { return std::to_string(port_); }

 private:
  struct Guest {
    Fd socket;
    std::string_view left;  ///< of what it is being told
  };

  void serve() {
    std::vector<Guest> guests;
    while (true) {
      std::vector<pollfd> looks = {{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
      for (const Guest& guest : guests) looks.push_back({guest.socket.get(), POLLIN | POLLOUT, 0});
      poll(looks.data(), looks.size(), -1);
      if (looks[0].revents != 0) return;
      for (std::size_t i = guests.size(); i-- > 0;) {
        if (looks[i + 2].revents != 0 && !tell(guests[i])) guests.erase(guests.begin() + static_cast<std::ptrdiff_t>(i));
      }
      if (looks[1].revents != 0) guests.push_back({Fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)), head_});
    }
  }

  /// False: it has gone.
  [[nodiscard]] bool tell(Guest& guest) const {
    std::array<char, 4096> said{};
    const ssize_t heard = recv(guest.socket.get(), said.data(), said.size(), 0);
    if (heard == 0 || (heard < 0 && errno != EAGAIN)) return false;
    const ssize_t sent = send(guest.socket.get(), guest.left.data(), guest.left.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    guest.left.remove_prefix(static_cast<std::size_t>(sent));
    if (guest.left.empty()) guest.left = much_;
    return true;
  }

  const std::string head_;
  std::string much_;
  Fd listener_;
  Fd stop_{eventfd(0, EFD_CLOEXEC)};
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace pawl::functions
