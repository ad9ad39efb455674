#include "api/detail/session_cookies.hpp"

#include "identity/accounts.hpp"

namespace pawl::api::detail {
namespace {

constexpr std::string_view kAccess = "pawl_access";
constexpr std::string_view kRefresh = "pawl_refresh";
constexpr std::string_view kCsrf = "pawl_csrf";
constexpr std::chrono::hours kSessionCookie{30 * 24};

void add(http::Response& response, const http::SetCookie& cookie, http::CookieRules rules) {
  response.headers.add("Set-Cookie", http::set_cookie(cookie, rules));
}

}  // namespace

bool wants_cookies(const http::Request& request) { return http::equals_ignoring_case(request.header("X-Pawl-Session"), "cookie"); }

void add_session_cookies(http::Response& response, const identity::SignedIn& session, const identity::Accounts& accounts,
                         http::CookieRules rules) {
  add(response, {.name = kAccess, .value = session.access_token, .max_age = session.expires_in}, rules);
  add(response, {.name = kRefresh, .value = session.refresh_token, .max_age = kSessionCookie, .same_site = http::SameSite::strict}, rules);
  add_csrf_cookie(response, identity::csrf_token(accounts.token_keys(), session.session), rules);
}

void add_csrf_cookie(http::Response& response, std::string_view token, http::CookieRules rules) {
  add(response, {.name = kCsrf, .value = token, .max_age = kSessionCookie, .http_only = false, .same_site = http::SameSite::strict}, rules);
}

void clear_session_cookies(http::Response& response, http::CookieRules rules) {
  for (const auto name : {kAccess, kRefresh, kCsrf}) response.headers.add("Set-Cookie", http::clear_cookie(name, rules));
}

std::string_view access_cookie(const http::Request& request, http::CookieRules rules) {
  return http::cookie_value(request, kAccess, rules).value_or(std::string_view());
}

std::string_view refresh_cookie(const http::Request& request, http::CookieRules rules) {
  return http::cookie_value(request, kRefresh, rules).value_or(std::string_view());
}

std::optional<Error> csrf_problem(const Context& context, const Call& call) {
  const auto method = call.request.method;
  if (!call.principal.by_cookie || method == http::Method::get || method == http::Method::head || method == http::Method::options) {
    return std::nullopt;
  }
  const auto token = call.request.header("X-CSRF-Token");
  if (context.d.accounts != nullptr &&
      identity::is_csrf_token(context.d.accounts->token_keys(), call.principal.session, token, context.d.clock.now())) {
    return std::nullopt;
  }
  return Error(ErrorClass::denied, "auth.csrf", "Send the session's CSRF token in the header `X-CSRF-Token`.");
}

}  // namespace pawl::api::detail
