#include "net/detail/kept_sockets.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>

#include "net/address_policy.hpp"

namespace pawl::net::detail {
namespace {

constexpr std::size_t kMost = 4'096;  // many more than connections are kept

int port_of(const sockaddr_storage& address) noexcept {
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return -1;
}

bool has_ends(curl_socket_t socket, const ConnectionEnds& ends) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0 || port_of(address) != ends.local_port) return false;
  size = sizeof address;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0 || port_of(address) != ends.peer_port) return false;
  const auto peer = IpAddress::of_socket(address.ss_family, &address);
  return peer && peer == IpAddress::parse(ends.peer);
}

}  // namespace

void KeptSockets::remember(CURL* easy) {
  curl_socket_t socket = CURL_SOCKET_BAD;
  long peer_port = 0;
  long local_port = 0;
  if (curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK || socket == CURL_SOCKET_BAD) return;  // it is closed
  curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &peer_port);
  curl_easy_getinfo(easy, CURLINFO_LOCAL_PORT, &local_port);
  if (sockets_.size() >= kMost) sockets_.clear();  // whatever is not known is opened anew
  sockets_.insert_or_assign(key_of(static_cast<int>(peer_port), static_cast<int>(local_port)), socket);
}

bool KeptSockets::silent(const ConnectionEnds& ends) const {
  const auto found = sockets_.find(key_of(ends.peer_port, ends.local_port));
  if (found == sockets_.end() || !has_ends(found->second, ends)) return false;
  char byte = 0;
  return ::recv(found->second, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace pawl::net::detail
