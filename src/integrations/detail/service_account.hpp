// The signed claim with which a Google service account asks for an access token (RFC 7523).
#pragma once

#include <chrono>
#include <string>

#include "base/error.hpp"

namespace pawl::integrations::detail {

struct ServiceAccount {
  std::string email;
  std::string private_key;  ///< PEM
};

/// A JWT signed with RS256, good for an hour. Error `integration.key`: the private key is none.
[[nodiscard]] Result<std::string> signed_claim(const ServiceAccount& account, std::string_view scope, std::string_view audience,
                                               std::chrono::seconds now);

}  // namespace pawl::integrations::detail
