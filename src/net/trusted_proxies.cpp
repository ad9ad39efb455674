#include "net/trusted_proxies.hpp"

#include <algorithm>
#include <optional>

namespace pawl::net {
namespace {

/// One link of the chain, as the proxy that added it saw it.
struct Hop {
  std::optional<IpAddress> from;  ///< nothing: unknown, hidden or malformed
  std::string_view scheme{};      ///< empty: not said
};

constexpr std::size_t kMaxHops = 64;

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

bool same_word(std::string_view left, std::string_view right) {
  const auto lower = [](char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + ('a' - 'A')) : letter; };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [&](char a, char b) { return lower(a) == lower(b); });
}

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
std::optional<IpAddress> parse_node(std::string_view text) {
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    const auto rest = text.substr(close + 1);
    if (!rest.empty() && (rest.front() != ':' || !is_port(rest.substr(1)))) return std::nullopt;
    const auto inside = text.substr(1, close - 1);
    return inside.find(':') == std::string_view::npos ? std::nullopt : IpAddress::parse(std::string(inside));
  }
  const auto colon = text.find(':');
  if (colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos) {
    return is_port(text.substr(colon + 1)) ? IpAddress::parse(std::string(text.substr(0, colon))) : std::nullopt;
  }
  return IpAddress::parse(std::string(text));
}

/// Splits outside of double quotes. Nothing for an open quote or too many parts.
std::optional<std::vector<std::string_view>> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  bool quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '"') quoted = !quoted;
    if (quoted && text[at] == '\\') ++at;
    if (at >= text.size() || quoted || text[at] != separator) continue;
    parts.push_back(trim(text.substr(begin, at - begin)));
    begin = at + 1;
  }
  if (quoted || parts.size() >= kMaxHops) return std::nullopt;
  parts.push_back(trim(text.substr(begin)));
  return parts;
}

std::string_view unquoted(std::string_view text) {
  return text.size() >= 2 && text.front() == '"' && text.back() == '"' ? text.substr(1, text.size() - 2) : text;
}

Hop parse_element(std::string_view element) {
  Hop hop;
  const auto pairs = split(element, ';');
  if (!pairs) return hop;
  for (const auto pair : *pairs) {
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos) return {};
    const auto value = unquoted(pair.substr(equals + 1));
    if (same_word(pair.substr(0, equals), "for")) hop.from = parse_node(value);
    if (same_word(pair.substr(0, equals), "proto")) hop.scheme = value;
  }
  return hop;
}

std::vector<Hop> chain_of_forwarded(std::string_view field) {
  std::vector<Hop> chain;
  const auto elements = split(field, ',');
  if (!elements) return chain;
  for (const auto element : *elements) chain.push_back(parse_element(element));
  return chain;
}

/// One scheme is that of the client; as many as there are addresses belong to them in order; else the nearest proxy's word counts.
std::vector<Hop> chain_of_x_forwarded(std::string_view addresses, std::string_view schemes) {
  std::vector<Hop> chain;
  const auto froms = split(addresses, ',');
  if (!froms) return chain;
  const auto protos = split(schemes, ',');
  for (std::size_t i = 0; i < froms->size(); ++i) {
    Hop hop{.from = parse_node((*froms)[i])};
    if (protos) hop.scheme = protos->size() == froms->size() ? (*protos)[i] : protos->back();
    chain.push_back(hop);
  }
  return chain;
}

}  // namespace

Result<TrustedProxies> TrustedProxies::parse(std::span<const std::string> entries) {
  TrustedProxies proxies;
  for (const auto& entry : entries) {
    const auto network = Cidr::parse(entry);
    if (!network) {
      return Error(ErrorClass::invalid, "net.invalid_proxy", "\"" + entry + "\" is neither an address nor a network like 10.0.0.0/8.");
    }
    proxies.networks_.push_back(*network);
  }
  return proxies;
}

bool TrustedProxies::trusts(const IpAddress& address) const noexcept {
  return std::any_of(networks_.begin(), networks_.end(), [&](const Cidr& network) { return network.contains(address); });
}

ClientOrigin TrustedProxies::client_of(const IpAddress& peer, bool https, const ForwardedFields& fields) const {
  const ClientOrigin own{peer, https};
  if (!trusts(peer)) return own;
  const auto walk = [&](const std::vector<Hop>& chain) {
    ClientOrigin client = own;
    for (auto hop = chain.rbegin(); hop != chain.rend() && hop->from && trusts(client.address); ++hop) {
      client.address = *hop->from;
      if (same_word(hop->scheme, "https")) client.https = true;
      if (same_word(hop->scheme, "http")) client.https = false;
    }
    return client;
  };
  if (fields.x_forwarded_for.empty() && fields.forwarded.empty()) {
    // A proxy that says how it was spoken to, but not by whom.
    auto client = own;
    if (const auto schemes = split(fields.x_forwarded_proto, ',')) {
      if (same_word(schemes->back(), "https")) client.https = true;
      if (same_word(schemes->back(), "http")) client.https = false;
    }
    return client;
  }
  if (fields.forwarded.empty()) return walk(chain_of_x_forwarded(fields.x_forwarded_for, fields.x_forwarded_proto));
  const auto standard = walk(chain_of_forwarded(fields.forwarded));
  if (fields.x_forwarded_for.empty()) return standard;
  const auto other = walk(chain_of_x_forwarded(fields.x_forwarded_for, fields.x_forwarded_proto));
  if (standard.address == other.address && standard.https == other.https) return standard;
  return own;
}

}  // namespace pawl::net
