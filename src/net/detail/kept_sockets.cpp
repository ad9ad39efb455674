#include "net/detail/kept_sockets.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

namespace pawl::net::detail {

int local_port_of(curl_socket_t socket) noexcept {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return -1;
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return -1;
}

bool KeptSockets::silent(const ConnectionEnds& ends) const {
  const auto found = sockets_.find(ends);
  if (found == sockets_.end()) return false;
  char byte = 0;
  return ::recv(found->second, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace pawl::net::detail
