/// A blocking HTTP client for tests: writes exactly the bytes it is told to, and reads exactly what comes back. Header only; not part of
/// the product.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/headers.hpp"

namespace pawl::http::testing {

struct Reply {
  int status = 0;
  std::string head;  ///< status line and fields, without the empty line
  std::string body;
  bool complete = false;  ///< the message ended where its framing says

  /// First field of that name (any case), or empty.
  [[nodiscard]] std::string field(std::string_view name) const {
    for (std::size_t at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at + 2)) {
      const auto line = std::string_view(head).substr(at + 2, head.find("\r\n", at + 2) - at - 2);
      const auto colon = line.find(':');
      if (colon != std::string_view::npos && equals_ignoring_case(line.substr(0, colon), name)) return std::string(line.substr(colon + 2));
    }
    return {};
  }
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer = 0) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer != 0) ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    const timeval limit{10, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawClient() { ::close(socket_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }

  /// False when the server has closed on us.
  bool write(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// Shuts down the writing side.
  void finish() { ::shutdown(socket_, SHUT_WR); }

  /// Reads one message. `bodiless`: the answer to a HEAD request.
  [[nodiscard]] Reply read_reply(bool bodiless = false) {
    Reply reply;
    std::size_t end = 0;
    while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
      if (!read_more()) return reply;
    }
    reply.head = input_.substr(0, end);
    input_.erase(0, end + 4);
    reply.status = std::atoi(reply.head.c_str() + 9);
    if (bodiless || reply.status == 204 || reply.status == 304 || reply.status < 200) {
      reply.complete = true;
    } else if (reply.field("transfer-encoding") == "chunked") {
      read_chunks(reply);
    } else if (const auto length = reply.field("content-length"); !length.empty()) {
      const auto bytes = static_cast<std::size_t>(std::atoll(length.c_str()));
      while (input_.size() < bytes && read_more()) {
      }
      reply.complete = input_.size() >= bytes;
      reply.body = input_.substr(0, bytes);
      input_.erase(0, reply.body.size());
    } else {
      while (read_more()) {
      }
      reply.body = std::exchange(input_, {});
      reply.complete = true;
    }
    return reply;
  }

  /// Reads until `text` has been seen (returned up to and with it) or the connection ends (everything).
  [[nodiscard]] std::string read_until(std::string_view text) {
    std::size_t at = 0;
    while ((at = input_.find(text)) == std::string::npos) {
      if (!read_more()) return std::exchange(input_, {});
    }
    std::string seen = input_.substr(0, at + text.size());
    input_.erase(0, seen.size());
    return seen;
  }

  /// Reads that many bytes; fewer where the connection ends before.
  [[nodiscard]] std::string read_exactly(std::size_t bytes) {
    while (input_.size() < bytes && read_more()) {
    }
    std::string seen = input_.substr(0, bytes);
    input_.erase(0, seen.size());
    return seen;
  }

  /// True when the server closes the connection (within 10 s) without sending anything more.
  [[nodiscard]] bool closed_by_server() { return input_.empty() && !read_more() && ended_; }

  [[nodiscard]] Reply exchange(std::string_view request, bool bodiless = false) {
    write(request);
    return read_reply(bodiless);
  }

 private:
  [[nodiscard]] bool read_more() {
    std::array<char, 16384> bytes{};
    const auto received = ::recv(socket_, bytes.data(), bytes.size(), 0);
    if (received <= 0) {
      ended_ = received == 0 || errno == ECONNRESET;
      return false;
    }
    input_.append(bytes.data(), static_cast<std::size_t>(received));
    return true;
  }

  void read_chunks(Reply& reply) {
    for (;;) {
      const auto line = read_until("\r\n");
      if (!line.ends_with("\r\n")) return;
      const auto size = static_cast<std::size_t>(std::strtoull(line.c_str(), nullptr, 16));
      while (input_.size() < size + 2) {
        if (!read_more()) return;
      }
      reply.body += input_.substr(0, size);
      input_.erase(0, size + 2);
      if (size == 0) break;
    }
    reply.complete = true;
  }

  int socket_ = -1;
  bool connected_ = false;
  bool ended_ = false;
  std::string input_;
};

}  // namespace pawl::http::testing
