/// Credentials of an integration go to its own hosts only.
///
/// A secret that is an object with `allowed_hosts` and `secret_fields` (`integrations/integrations.hpp`) is looked for in everything that a
/// request carries: URL, header fields, body and credentials, as it is, percent-encoded, and inside of Basic credentials. A workflow that
/// transforms the value otherwise before sending is not found out.
#pragma once

#include <string>

#include "base/error.hpp"
#include "json/value.hpp"
#include "net/outbound.hpp"

namespace pawl::functions {

/// Error `http.secret_host` (denied): the request carries a secret to a host that it is not meant for. A request that carries one where it
/// may follows no redirects.
[[nodiscard]] Result<void> hold_to_hosts(net::OutboundRequest& request, const json::Value& secrets);

/// The same for calls that are no HTTP requests: the values of `arguments` are looked through. `host` in any case; empty: none that a
/// secret may go to.
[[nodiscard]] Result<void> hold_to_host(const json::Value& arguments, std::string_view host, const json::Value& secrets);

/// Is `host` (lower case) one of `allowed`, names or `*.` and a name?
[[nodiscard]] bool host_allowed(std::string_view host, const json::Value& allowed);

}  // namespace pawl::functions
