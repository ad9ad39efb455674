// Whether a kept connection is as silent as it has to be before another request goes out on it. On curl's thread only.
#pragma once

#include <curl/curl.h>

#include <compare>
#include <map>
#include <string>
#include <utility>

namespace pawl::net::detail {

/// The ends of a connection as libcurl tells them.
struct ConnectionEnds {
  std::string peer;
  int peer_port = 0;
  int local_port = 0;

  friend auto operator<=>(const ConnectionEnds&, const ConnectionEnds&) = default;  // NOLINT(modernize-use-nullptr): the check misreads it
};

/// -1: it has none, or is closed.
[[nodiscard]] int local_port_of(curl_socket_t socket) noexcept;

/// The sockets that a request has gone out on, from then until libcurl closes them.
class KeptSockets {
 public:
  void used(ConnectionEnds ends, curl_socket_t socket) { sockets_.insert_or_assign(std::move(ends), socket); }
  void closed(curl_socket_t socket) noexcept {
    std::erase_if(sockets_, [socket](const auto& each) { return each.second == socket; });
  }
  /// False where something has come that nobody has asked for, or where no request has gone out on such a connection.
  [[nodiscard]] bool silent(const ConnectionEnds& ends) const;

 private:
  std::map<ConnectionEnds, curl_socket_t> sockets_;
};

}  // namespace pawl::net::detail
