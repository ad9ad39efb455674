/// For tests: a mail server that answers what is written down.
///
/// By the beginning of a command: its answer. `GREETING` comes first. Empty: it hangs up. `SILENCE`: it says nothing, as to every command
/// that is not written down in the plain form (SMTP). Of the tagged form (IMAP) `TAG` stands for the client's tag. `... FOREVER`: without
/// an end. One client after another.
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "mail/server.hpp"

namespace pawl::mail {

class ScriptedServer {
 public:
  enum class Form { tagged, plain };
  ScriptedServer(std::map<std::string, std::string> answers, Form form) : answers_(std::move(answers)), form_(form) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener_, plain, size) != 0 || listen(listener_, 8) != 0 || getsockname(listener_, plain, &size) != 0) std::abort();
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~ScriptedServer() {
    const std::uint64_t one = 1;
    static_cast<void>(!write(stop_, &one, sizeof one));
    thread_.join();
    close(listener_);
    close(stop_);
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] MailServer server(Millis timeout = Millis(5000)) const {
    MailServer server{.host = "127.0.0.1", .port = port_, .security = Security::none};
    server.timeout = timeout;
    return server;
  }
  /// How many have come, and how many of them have gone again.
  [[nodiscard]] int connections() const { return connections_; }
  [[nodiscard]] int ended() const { return ended_; }
  [[nodiscard]] std::vector<std::string> said() {
    const std::lock_guard lock(mutex_);
    return said_;
  }

 private:
  [[nodiscard]] bool is_ready(int socket, short events) const {
    std::array<pollfd, 2> looks{{{stop_, POLLIN, 0}, {socket, events, 0}}};
    poll(looks.data(), looks.size(), -1);
    return looks[0].revents == 0;
  }

  void serve() {
    while (is_ready(listener_, POLLIN)) {
      const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      ++connections_;
      talk(client);
      close(client);
      ++ended_;
    }
  }

  void talk(int client) {
    if (!reply(client, answers_.at("GREETING"))) return;
    std::string heard;
    while (is_ready(client, POLLIN)) {
      std::array<char, 4096> buffer{};
      const auto length = recv(client, buffer.data(), buffer.size(), 0);
      if (length <= 0) return;
      heard.append(buffer.data(), static_cast<std::size_t>(length));
      for (auto end = heard.find("\r\n"); end != std::string::npos; end = heard.find("\r\n")) {
        const std::string line = heard.substr(0, end);
        heard.erase(0, end + 2);
        const auto tag = form_ == Form::tagged ? line.substr(0, line.find(' ')) : std::string();
        const auto command = form_ == Form::tagged ? line.substr(tag.size() + 1) : line;
        {
          const std::lock_guard lock(mutex_);
          said_.push_back(command);
        }
        std::string answer = form_ == Form::tagged ? "TAG BAD what?\r\n" : "SILENCE";
        for (const auto& [name, text] : answers_) {
          // A line of a mail may begin with the dot that ends it.
          if (name == "." ? command == name : command.starts_with(name)) answer = text;
        }
        for (auto place = answer.find("TAG"); place != std::string::npos; place = answer.find("TAG")) answer.replace(place, 3, tag);
        if (!reply(client, std::move(answer))) return;
      }
    }
  }

  /// False: it is over.
  [[nodiscard]] bool reply(int client, std::string answer) const {
    if (answer == "SILENCE") return true;
    if (!answer.ends_with("FOREVER")) return !answer.empty() && send_all(client, answer);
    answer.resize(answer.size() - 7);
    std::string much;
    while (much.size() < 65'536) much += answer;
    while (send_all(client, much)) continue;
    return false;
  }

  [[nodiscard]] bool send_all(int client, std::string_view text) const {
    while (!text.empty()) {
      if (!is_ready(client, POLLOUT)) return false;
      const auto length = send(client, text.data(), text.size(), MSG_NOSIGNAL);
      if (length < 0 && errno == EAGAIN) continue;
      if (length <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(length));
    }
    return true;
  }

  const std::map<std::string, std::string> answers_;
  const Form form_;
  std::atomic<int> connections_ = 0;
  std::atomic<int> ended_ = 0;
  std::mutex mutex_;
  std::vector<std::string> said_;
  int listener_ = -1;
  int stop_ = eventfd(0, EFD_CLOEXEC);
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace pawl::mail
