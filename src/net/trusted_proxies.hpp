/// Which address a request really comes from when proxies stand in front of the server.
///
/// A proxy adds its peer's address to a header field; a client can write the same field. So the chain is read from the end, and only as
/// far as each link was written by somebody who is trusted: the client is the first address, seen from the server, that is not one of
/// the configured proxies. Whatever stands before it in the fields is hearsay, and from an untrusted peer all of it is.
///
///     TrustedProxies proxies = TrustedProxies::parse({"10.0.0.0/8"}).value();
///     const auto client = proxies.client_of(peer, false, {.x_forwarded_for = "203.0.113.7, 10.0.0.2", .x_forwarded_proto = "https"});
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "net/address_policy.hpp"

namespace pawl::net {

/// The fields as received: where one occurs several times, the values in order, joined by a comma. Empty: not there.
struct ForwardedFields {
  std::string_view x_forwarded_for{};
  std::string_view x_forwarded_proto{};
  std::string_view forwarded{};  ///< RFC 7239
};

struct ClientOrigin {
  IpAddress address;
  bool https = false;  ///< how the client speaks to the first proxy
};

class TrustedProxies {
 public:
  /// Addresses and networks (`10.0.0.0/8`). Error `net.invalid_proxy`.
  [[nodiscard]] static Result<TrustedProxies> parse(std::span<const std::string> entries);

  [[nodiscard]] bool empty() const noexcept { return networks_.empty(); }
  [[nodiscard]] bool trusts(const IpAddress& address) const noexcept;

  /// `https` is what the connection itself is. Proxies are expected to write one kind of field: where both kinds are there and do not
  /// name the same client, one of them came through from the client unread, and neither is believed. A malformed entry ends the chain.
  [[nodiscard]] ClientOrigin client_of(const IpAddress& peer, bool https, const ForwardedFields& fields) const;

 private:
  std::vector<Cidr> networks_;
};

}  // namespace pawl::net
