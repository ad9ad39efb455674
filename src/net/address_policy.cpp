#include "net/address_policy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>

namespace pawl::net {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

struct V4Range {
  std::uint32_t network;
  unsigned bits;
};
constexpr std::uint32_t v4_number(unsigned a, unsigned b, unsigned c, unsigned d) { return a << 24U | b << 16U | c << 8U | d; }

// The IANA special-purpose registry (RFC 6890 and successors), everything that is not globally reachable.
constexpr std::array kSpecialV4{
    V4Range{v4_number(0, 0, 0, 0), 8},        // this network
    V4Range{v4_number(10, 0, 0, 0), 8},       // private
    V4Range{v4_number(100, 64, 0, 0), 10},    // carrier-grade NAT
    V4Range{v4_number(127, 0, 0, 0), 8},      // loopback
    V4Range{v4_number(169, 254, 0, 0), 16},   // link-local, cloud metadata
    V4Range{v4_number(172, 16, 0, 0), 12},    // private
    V4Range{v4_number(192, 0, 0, 0), 24},     // protocol assignments
    V4Range{v4_number(192, 0, 2, 0), 24},     // documentation
    V4Range{v4_number(192, 88, 99, 0), 24},   // 6to4 relay, retired
    V4Range{v4_number(192, 168, 0, 0), 16},   // private
    V4Range{v4_number(198, 18, 0, 0), 15},    // benchmarks
    V4Range{v4_number(198, 51, 100, 0), 24},  // documentation
    V4Range{v4_number(203, 0, 113, 0), 24},   // documentation
    V4Range{v4_number(224, 0, 0, 0), 3},      // multicast, reserved, broadcast
};

bool is_public_v4(std::uint32_t address) noexcept {
  return std::none_of(kSpecialV4.begin(), kSpecialV4.end(),
                      [&](const V4Range& range) { return (address >> (32 - range.bits)) == (range.network >> (32 - range.bits)); });
}

std::uint32_t v4_at(const IpAddress& address, std::size_t at) noexcept {
  return v4_number(address.bytes[at], address.bytes[at + 1], address.bytes[at + 2], address.bytes[at + 3]);
}

bool starts_with(const IpAddress& address, std::initializer_list<std::uint8_t> prefix) noexcept {
  return std::equal(prefix.begin(), prefix.end(), address.bytes.begin());
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& letter : out) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter + ('a' - 'A'));
  }
  return out;
}

bool is_host_name(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' || letter == '.' || letter == '_';
  });
}

/// `scheme://host:port` in lower case with the port written out; empty for anything else.
std::string origin_of(std::string_view text) {
  std::string out = lower(text);
  while (out.ends_with('/')) out.pop_back();
  auto scheme_end = out.find("://");
  if (scheme_end == std::string::npos) {
    out.insert(0, out.ends_with(":443") ? "https://" : "http://");
    scheme_end = out.find("://");
  }
  const std::string scheme = out.substr(0, scheme_end);
  if (scheme != "http" && scheme != "https") return {};
  const auto authority = std::string_view(out).substr(scheme_end + 3);
  if (authority.empty() || authority.find_first_of("/?#@ ") != std::string_view::npos) return {};
  const auto colon = authority.rfind(':');
  if (colon == std::string_view::npos || authority.ends_with(']')) return out + (scheme == "https" ? ":443" : ":80");
  unsigned port = 0;
  const auto digits = authority.substr(colon + 1);
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (failure != std::errc{} || end != digits.data() + digits.size() || port == 0 || port > 65535 || colon == 0) return {};
  return out;
}

}  // namespace

IpAddress IpAddress::v4(std::uint32_t host_order) noexcept {
  IpAddress address;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin());
  for (std::size_t i = 0; i < 4; ++i) address.bytes[12 + i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  return address;
}

std::optional<IpAddress> IpAddress::parse(const std::string& text) {
  in_addr four{};
  if (::inet_pton(AF_INET, text.c_str(), &four) == 1) return v4(ntohl(four.s_addr));
  IpAddress address;
  if (::inet_pton(AF_INET6, text.c_str(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

std::optional<IpAddress> IpAddress::of_socket(int family, const void* socket_address) noexcept {
  if (family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, socket_address, sizeof four);
    return v4(ntohl(four.sin_addr.s_addr));
  }
  if (family != AF_INET6) return std::nullopt;
  sockaddr_in6 six{};
  std::memcpy(&six, socket_address, sizeof six);
  IpAddress address;
  std::copy(std::begin(six.sin6_addr.s6_addr), std::end(six.sin6_addr.s6_addr), address.bytes.begin());
  return address;
}

bool IpAddress::is_v4() const noexcept { return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin()); }

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (is_v4()) {
    ::inet_ntop(AF_INET, bytes.data() + 12, text.data(), text.size());
  } else {
    ::inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
  }
  return text.data();
}

std::optional<Cidr> Cidr::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(std::string(text.substr(0, slash)));
  if (!address) return std::nullopt;
  Cidr cidr{*address, 128};
  if (slash == std::string_view::npos) return cidr;
  const auto digits = text.substr(slash + 1);
  int bits = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  const int most = address->is_v4() ? 32 : 128;
  if (failure != std::errc{} || end != digits.data() + digits.size() || bits < 0 || bits > most) return std::nullopt;
  cidr.prefix_bits = bits + (128 - most);
  return cidr;
}

bool Cidr::contains(const IpAddress& address) const noexcept {
  const auto whole = static_cast<std::size_t>(prefix_bits / 8);
  if (std::memcmp(network.bytes.data(), address.bytes.data(), whole) != 0) return false;
  const int rest = prefix_bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xFF << (8 - rest));
  return (network.bytes[whole] & mask) == (address.bytes[whole] & mask);
}

bool is_public(const IpAddress& address) noexcept {
  if (address.is_v4()) return is_public_v4(v4_at(address, 12));
  // NAT64's well-known prefix reaches the embedded IPv4 address (RFC 6052).
  if (starts_with(address, {0x00, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0})) return is_public_v4(v4_at(address, 12));
  if ((address.bytes[0] & 0xE0U) != 0x20U) return false;  // global unicast is 2000::/3; all else is local, multicast or unassigned
  if (starts_with(address, {0x20, 0x02})) return is_public_v4(v4_at(address, 2));           // 6to4
  if (starts_with(address, {0x20, 0x01}) && (address.bytes[2] & 0xFEU) == 0) return false;  // 2001::/23: Teredo, ORCHID, benchmarks
  if (starts_with(address, {0x20, 0x01, 0x0D, 0xB8})) return false;                         // documentation
  if (starts_with(address, {0x3F, 0xFF}) && (address.bytes[2] & 0xF0U) == 0) return false;  // documentation (RFC 9637)
  return true;
}

Result<void> AddressPolicy::allow(std::string_view entry) {
  if (const auto cidr = Cidr::parse(entry)) {
    allowed_networks.push_back(*cidr);
    return {};
  }
  auto host = lower(entry);
  const auto name = std::string_view(host).substr(host.starts_with("*.") ? 2 : 0);
  if (!is_host_name(name)) {
    return Error(
        ErrorClass::invalid, "net.invalid_allow_entry",
        "\"" + std::string(entry) + "\" is neither an address, nor a network like 10.0.0.0/8, nor a host name like *.example.org.");
  }
  allowed_hosts.push_back(std::move(host));
  return {};
}

Result<void> AddressPolicy::map_host(std::string_view entry) {
  const auto arrow = entry.find("->");
  const auto trim = [](std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
  };
  std::string from;
  std::string to;
  if (arrow != std::string_view::npos) {
    from = origin_of(trim(entry.substr(0, arrow)));
    to = origin_of(trim(entry.substr(arrow + 2)));
  }
  if (from.empty() || to.empty()) {
    return Error(ErrorClass::invalid, "net.invalid_host_map",
                 "\"" + std::string(entry) + "\" does not read like \"api.example.org:443 -> http://127.0.0.1:8080\".");
  }
  host_map.emplace_back(std::move(from), std::move(to));
  return {};
}

bool AddressPolicy::permits(std::string_view host, const IpAddress& address) const noexcept {
  if (allow_private || is_public(address)) return true;
  for (const auto& network : allowed_networks) {
    if (network.contains(address)) return true;
  }
  return std::any_of(allowed_hosts.begin(), allowed_hosts.end(), [&](const std::string& allowed) {
    if (!allowed.starts_with("*.")) return host == allowed;
    return host.size() > allowed.size() - 1 && host.ends_with(std::string_view(allowed).substr(1));
  });
}

}  // namespace pawl::net
