/// Which addresses outbound requests may reach: the guard against server-side request forgery.
///
/// The guard looks at the *resolved* address at the moment of each connect, redirect hops included, so neither a name that points
/// inwards nor one that changes its answer (rebinding) gets through, in whatever notation an address was written.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace pawl::net {

/// An IPv4 or IPv6 address. IPv4 is kept in its IPv4-mapped form, so both compare alike.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  [[nodiscard]] static IpAddress v4(std::uint32_t host_order) noexcept;
  /// Dotted or colon notation only; nothing for other text.
  [[nodiscard]] static std::optional<IpAddress> parse(const std::string& text);
  /// What a `sockaddr` of this family holds; nothing for other families than IPv4 and IPv6.
  [[nodiscard]] static std::optional<IpAddress> of_socket(int family, const void* socket_address) noexcept;
  [[nodiscard]] bool is_v4() const noexcept;
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

/// A network such as `10.0.0.0/8` or `fd00::/8`; a bare address is a network of one.
struct Cidr {
  IpAddress network;
  int prefix_bits = 128;  ///< in the 128-bit form

  [[nodiscard]] static std::optional<Cidr> parse(std::string_view text);
  [[nodiscard]] bool contains(const IpAddress& address) const noexcept;
};

/// True for addresses in the public internet: false for unspecified, loopback, private, CGNAT, link-local (cloud metadata), unique local,
/// multicast, documentation, benchmark and reserved ranges, and for every form that embeds such an IPv4 address (mapped, compatible,
/// NAT64, 6to4, Teredo).
[[nodiscard]] bool is_public(const IpAddress& address) noexcept;

struct AddressPolicy {
  /// Everything may be called (`pawl run`: it acts for the person at the keyboard).
  bool allow_private = false;
  /// Exceptions: networks, and names (`intranet.example`, `*.corp.example`) that may lead anywhere.
  std::vector<Cidr> allowed_networks{};
  std::vector<std::string> allowed_hosts{};
  /// Tests only: `scheme://host:port` (the port always written) to another origin in the same form. The request goes there and the
  /// response says it came from the original; mapped origins are not guarded.
  std::vector<std::pair<std::string, std::string>> host_map{};

  /// Adds an entry of an allow-list as configuration writes it: an address, a CIDR, a name or `*.name`. Error: `net.invalid_allow_entry`.
  [[nodiscard]] Result<void> allow(std::string_view entry);
  /// Adds `petstore.swagger.io:443 -> http://127.0.0.1:8080`, or the same with a scheme before the host (without one, 443 means https and
  /// any other port http). Error: `net.invalid_host_map`.
  [[nodiscard]] Result<void> map_host(std::string_view entry);

  /// May a request for `host` (lower case, as written in the URL) connect to `address`?
  [[nodiscard]] bool permits(std::string_view host, const IpAddress& address) const noexcept;
};

}  // namespace pawl::net
