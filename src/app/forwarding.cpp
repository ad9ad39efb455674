#include "app/forwarding.hpp"

#include <string>

namespace pawl::app {
namespace {

/// All fields of that name, joined as one list (RFC 9110 section 5.3).
std::string joined(const http::Headers& headers, std::string_view name) {
  std::string all;
  for (const auto field : headers) {
    if (!http::equals_ignoring_case(field.name, name)) continue;
    if (!all.empty()) all += ", ";
    all += field.value;
  }
  return all;
}

}  // namespace

void see_through(const net::TrustedProxies& proxies, http::Request& request) {
  if (proxies.empty()) return;
  const auto peer = net::IpAddress::parse(request.remote_address);
  if (!peer || !proxies.trusts(*peer)) return;
  const auto addresses = joined(request.headers, "X-Forwarded-For");
  const auto schemes = joined(request.headers, "X-Forwarded-Proto");
  const auto standard = joined(request.headers, "Forwarded");
  const net::ForwardedFields fields{addresses, schemes, standard};
  const auto client = proxies.client_of(*peer, false, fields);
  request.remote_address = client.address.to_string();
  if (client.https) {
    request.scheme = http::Scheme::https;
  } else if (!proxies.client_of(*peer, true, fields).https) {  // somebody said so
    request.scheme = http::Scheme::http;
  }
}

}  // namespace pawl::app
