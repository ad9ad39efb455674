#include "net/permitted_addresses.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

namespace pawl::net {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

std::optional<IpAddress> address_of(const addrinfo& entry) {
  if (entry.ai_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, entry.ai_addr, sizeof four);
    return IpAddress::v4(ntohl(four.sin_addr.s_addr));
  }
  if (entry.ai_family != AF_INET6) return std::nullopt;
  sockaddr_in6 six{};
  std::memcpy(&six, entry.ai_addr, sizeof six);
  IpAddress address;
  std::memcpy(address.bytes.data(), &six.sin6_addr, address.bytes.size());
  return address;
}

}  // namespace

Result<std::vector<std::string>> permitted_addresses(const std::string& host, const AddressPolicy& policy) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (host.empty() || ::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) {
    return Error(ErrorClass::unavailable, "net.dns", "The name does not resolve.");
  }
  const std::unique_ptr<addrinfo, FreeAddresses> list(found);
  std::string lower = host;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  std::vector<std::string> addresses;
  for (const auto* entry = list.get(); entry != nullptr; entry = entry->ai_next) {
    const auto address = address_of(*entry);
    if (!address) continue;
    if (!policy.permits(lower, *address)) {
      return Error(ErrorClass::denied, "net.refused_address", "The name leads to an address that may not be called.");
    }
    addresses.push_back(address->to_string());
  }
  if (addresses.empty()) return Error(ErrorClass::unavailable, "net.dns", "The name has no address.");
  return addresses;
}

}  // namespace pawl::net
