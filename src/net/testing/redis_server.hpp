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

/// Starts a program without variables and output; -1 where there is none of that name.
inline pid_t start_program(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::array<char*, 1> nothing{};
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t process = -1;
  if (::posix_spawnp(&process, arguments.front(), &files, nullptr, arguments.data(), nothing.data()) != 0) process = -1;
  posix_spawn_file_actions_destroy(&files);
  return process;
}

/// A key, and a certificate that it signed itself, of `localhost`.
struct Certificate {
  explicit Certificate(const std::string& folder) : key(folder + "/key.pem"), certificate(folder + "/certificate.pem") {
    const auto process =
        start_program({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                       "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate});
    int status = 1;
    made = process > 0 && ::waitpid(process, &status, 0) == process && status == 0;
  }
  std::string key;
  std::string certificate;
  bool made = false;
};

class RedisServer {
 public:
  explicit RedisServer(std::string password = {}) : password_(std::move(password)), port_(SilentServer().port()) { start(); }
  /// Over TLS only.
  explicit RedisServer(const Certificate& certificate)
      : port_(SilentServer().port()),
        listening_{"--port",
                   "0",
                   "--tls-port",
                   std::to_string(port_),
                   "--tls-cert-file",
                   certificate.certificate,
                   "--tls-key-file",
                   certificate.key,
                   "--tls-auth-clients",
                   "no"} {
    start();
  }
  ~RedisServer() { kill(); }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  /// False where there is no `redis-server` to start.
  [[nodiscard]] bool available() const { return available_; }
  [[nodiscard]] RedisAddress address() const { return {.port = port_, .password = password_}; }

  void start() {
    std::vector<std::string> words{"redis-server", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"};
    words.insert(words.end(), listening_.begin(), listening_.end());
    if (listening_.empty()) words.insert(words.end(), {"--port", std::to_string(port_)});
    if (!password_.empty()) words.insert(words.end(), {"--requirepass", password_});
    process_ = start_program(std::move(words));
    available_ = process_ > 0;
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
  const std::vector<std::string> listening_{};
  pid_t process_ = -1;
  bool available_ = false;
};

}  // namespace pawl::net::testing

/// Says why nothing was proven, instead of passing.
#define PAWL_NEEDS_REDIS(server) \
  if (!(server).available()) GTEST_SKIP() << "no redis-server in PATH: what needs Redis is NOT tested"
