// Sessions of browsers: tokens in cookies that scripts cannot read, and the CSRF token beside them that our own pages must send back.
//
// | cookie         | holds                | httpOnly | SameSite | lives as long as |
// | ---            | ---                  | ---      | ---      | ---              |
// | `pawl_access`  | access token         | yes      | Lax      | the token        |
// | `pawl_refresh` | refresh token        | yes      | Strict   | the session      |
// | `pawl_csrf`    | CSRF token           | no       | Strict   | the session      |
//
// Over https each name begins with `__Host-` (http/cookies.hpp). A client gets and uses cookies at sign-in and refresh only when it asks
// with `X-Pawl-Session: cookie`: a header that no form and no foreign page can send without our consent (CORS).
#pragma once

#include <optional>
#include <string_view>

#include "api/detail/context.hpp"
#include "http/cookies.hpp"
#include "http/request.hpp"
#include "http/response.hpp"

namespace pawl::identity {
class Accounts;
struct SignedIn;
}  // namespace pawl::identity

namespace pawl::api::detail {

[[nodiscard]] bool wants_cookies(const http::Request& request);

void add_session_cookies(http::Response& response, const identity::SignedIn& session, const identity::Accounts& accounts,
                         http::CookieRules rules);
void add_csrf_cookie(http::Response& response, std::string_view token, http::CookieRules rules);
void clear_session_cookies(http::Response& response, http::CookieRules rules);

/// Empty where there is none. Views into the request.
[[nodiscard]] std::string_view access_cookie(const http::Request& request, http::CookieRules rules);
[[nodiscard]] std::string_view refresh_cookie(const http::Request& request, http::CookieRules rules);

/// Requests that change something, on a session from a cookie, need its CSRF token. Error `auth.csrf` (403), or nothing.
[[nodiscard]] std::optional<Error> csrf_problem(const Context& context, const Call& call);

}  // namespace pawl::api::detail
