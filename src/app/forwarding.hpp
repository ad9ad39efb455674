/// Sees through the configured proxies: the server's `identify` hook.
#pragma once

#include "http/request.hpp"
#include "net/trusted_proxies.hpp"

namespace pawl::app {

/// Where a trusted proxy sent the request, its client's address takes the place of the proxy's, and the scheme is what the client used.
void see_through(const net::TrustedProxies& proxies, http::Request& request);

}  // namespace pawl::app
