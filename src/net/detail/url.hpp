// URLs through libcurl's own parser, so that what is checked is what is connected to.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pawl::net::detail {

struct Url {
  std::string text;    ///< normalised, without user, password and fragment
  std::string scheme;  ///< "http" or "https"
  std::string host;    ///< lower case; IPv6 in brackets
  std::string port;    ///< always there
  std::string user;    ///< decoded
  std::string password;

  [[nodiscard]] std::string origin() const { return scheme + "://" + host + ":" + port; }
  /// The Host field: the port only where it is not the scheme's own.
  [[nodiscard]] std::string host_field() const;
};

/// Nothing unless it is an absolute http or https URL.
[[nodiscard]] std::optional<Url> parse_url(const std::string& text);
/// A Location field, relative or absolute, seen from `base`.
[[nodiscard]] std::optional<Url> resolve_url(const Url& base, const std::string& location);
/// The same path and query at another origin (`scheme://host:port`).
[[nodiscard]] std::optional<Url> at_origin(const Url& url, const std::string& origin);

}  // namespace pawl::net::detail
