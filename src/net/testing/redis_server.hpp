/// A Redis server of a test's own: on loopback, on a port that was free, without files. Header only; not part of the product.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "net/redis.hpp"

namespace pawl::net::testing {

/// Looks every few milliseconds; false when it is not so after twenty seconds.
inline bool eventually(const std::function<bool()>& so) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!so()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::poll(nullptr, 0, 2);
  }
  return true;
}

/// Listens on loopback and never accepts: connections succeed and nothing answers. Also finds free ports.
class SilentServer {
 public:
  SilentServer() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), size);
    ::listen(socket_, 16);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~SilentServer() { ::close(socket_); }
  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] int socket() const { return socket_; }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};

class RedisServer {
 public:
  explicit RedisServer(std::string password = {}) : password_(std::move(password)), port_(SilentServer().port()) { start(); }
  ~RedisServer() { kill(); }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  /// False where there is no `redis-server` to start.
  [[nodiscard]] bool available() const { return available_; }
  [[nodiscard]] RedisAddress address() const { return {.port = port_, .password = password_}; }

  void start() {
    std::vector<std::string> words{"redis-server", "--bind", "127.0.0.1",    "--port", std::to_string(port_),
                                   "--save",       "",       "--appendonly", "no"};
    if (!password_.empty()) words.insert(words.end(), {"--requirepass", password_});
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::array<char*, 1> nothing{};  // no variables
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    available_ = ::posix_spawnp(&process_, "redis-server", &files, nullptr, arguments.data(), nothing.data()) == 0;
    posix_spawn_file_actions_destroy(&files);
    if (!available_) process_ = -1;
  }
  /// At once, as a crash.
  void kill() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = -1;
  }
  /// Still there, but answers nothing.
  void stall() const { ::kill(process_, SIGSTOP); }
  void go_on() const { ::kill(process_, SIGCONT); }

 private:
  const std::string password_;
  const std::uint16_t port_;
  pid_t process_ = -1;
  bool available_ = false;
};

}  // namespace pawl::net::testing

/// Says why nothing was proven, instead of passing.
#define PAWL_NEEDS_REDIS(server) \
  if (!(server).available()) GTEST_SKIP() << "no redis-server in PATH: what needs Redis is NOT tested"
