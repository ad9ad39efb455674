/// Cookies (RFC 6265): reading what a browser sends, writing what it is to keep.
///
///     const CookieRules rules{.secure = true};
///     response.headers.add("Set-Cookie", set_cookie({.name = "pawl_session", .value = token, .max_age = std::chrono::days(30)}, rules));
///     ...
///     const auto token = cookie_value(request, "pawl_session", rules);
///
/// Every cookie of ours is for this host alone, for all of its paths, and by default hidden from scripts. Over https its name begins with
/// `__Host-`: then no neighbouring subdomain and no plain http page can plant or replace it. Over plain http, which is for development
/// on loopback, browsers refuse that prefix, so the name stands without it and without `Secure`.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/request.hpp"

namespace pawl::http {

/// How this server is reached; the same for all cookies it sets and reads.
struct CookieRules {
  bool secure = true;  ///< browsers come by https
};

enum class SameSite : std::uint8_t {
  strict,  ///< never sent along when another site leads here
  lax,     ///< sent when a person follows a link from another site, not with its forms and scripts
};

struct SetCookie {
  std::string_view name;   ///< without the `__Host-` prefix; a token
  std::string_view value;  ///< of letters, digits and `!#$%&'()*+-./:<=>?@[]^_`{|}~`
  /// Nothing: until the browser is closed. Zero: remove it now.
  std::optional<std::chrono::seconds> max_age{};
  bool http_only = true;  ///< false: scripts of our own pages may read it (the CSRF token)
  SameSite same_site = SameSite::lax;
};

/// The name as browsers see it.
[[nodiscard]] std::string cookie_name(std::string_view name, CookieRules rules);

/// The value of a `Set-Cookie` field. A name or value with other characters than those above is a bug of the caller: asserted.
[[nodiscard]] std::string set_cookie(const SetCookie& cookie, CookieRules rules);

/// The `Set-Cookie` field that makes browsers forget a cookie.
[[nodiscard]] std::string clear_cookie(std::string_view name, CookieRules rules);

/// The value that the browser sent. Nothing when there is no such cookie, when it is empty, and when there are several of that name: one
/// of them is not ours, and nothing tells which. `name` without prefix; over https only the prefixed name counts. The view lives as long as
/// the request's headers.
[[nodiscard]] std::optional<std::string_view> cookie_value(const Request& request, std::string_view name, CookieRules rules) noexcept;

}  // namespace pawl::http
