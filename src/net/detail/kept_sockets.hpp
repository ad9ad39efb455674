// Whether a kept connection is as silent as it has to be before another request goes out on it. On curl's thread only.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <string>
#include <unordered_map>

namespace pawl::net::detail {

/// The ends of a connection as libcurl tells them.
struct ConnectionEnds {
  std::string peer;
  int peer_port = 0;
  int local_port = 0;
};

/// libcurl says which socket a transfer has had, but not which one it is about to have: it tells only the ends of that. So the sockets are
/// remembered by their ends when a transfer is over.
class KeptSockets {
 public:
  /// After a transfer's end, before its handle leaves the multi handle.
  void remember(CURL* easy);
  /// False where something has come that nobody has asked for, or where the connection is not known.
  [[nodiscard]] bool silent(const ConnectionEnds& ends) const;

 private:
  static std::uint32_t key_of(int peer_port, int local_port) noexcept {
    return (static_cast<std::uint32_t>(peer_port) << 16U) | static_cast<std::uint32_t>(local_port);
  }
  /// May be out of date: libcurl closes sockets on its own. Hence `silent` asks the socket for its ends.
  std::unordered_map<std::uint32_t, curl_socket_t> sockets_;
};

}  // namespace pawl::net::detail
