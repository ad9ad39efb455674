/// The address guard for connections that are not made by `net::Outbound`: databases, programs. Blocking (it asks the resolver).
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "net/address_policy.hpp"

namespace pawl::net {

/// The addresses of a host that may be connected to, as text. What is connected to must be one of these texts and never the name, or the
/// name could lead elsewhere by then. Errors `net.dns`, `net.refused_address` (one refused address refuses the host).
[[nodiscard]] Result<std::vector<std::string>> permitted_addresses(const std::string& host, const AddressPolicy& policy);

}  // namespace pawl::net
