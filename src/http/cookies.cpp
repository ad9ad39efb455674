#include "http/cookies.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "http/detail/target.hpp"

namespace pawl::http {
namespace {

constexpr std::string_view kHostPrefix = "__Host-";

/// `cookie-octet` of RFC 6265: printable ASCII but for space, quote, comma, semicolon and backslash.
bool is_cookie_value(std::string_view value) noexcept {
  return std::all_of(value.begin(), value.end(), [](char letter) {
    return letter > ' ' && letter < '\x7F' && letter != '"' && letter != ',' && letter != ';' && letter != '\\';
  });
}

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Is `sent` the name that browsers know `name` by?
bool names(std::string_view sent, std::string_view name, CookieRules rules) noexcept {
  if (!rules.secure) return sent == name;
  return sent.starts_with(kHostPrefix) && sent.substr(kHostPrefix.size()) == name;
}

}  // namespace

std::string cookie_name(std::string_view name, CookieRules rules) {
  std::string full(rules.secure ? kHostPrefix : std::string_view());
  full += name;
  return full;
}

std::string set_cookie(const SetCookie& cookie, CookieRules rules) {
  PAWL_ASSERT(detail::is_token(cookie.name), "a cookie's name is a token");
  PAWL_ASSERT(is_cookie_value(cookie.value), "a cookie's value has only characters that need no quoting");
  std::string text = cookie_name(cookie.name, rules);
  text += '=';
  text += cookie.value;
  text += "; Path=/";
  if (cookie.max_age) text += "; Max-Age=" + std::to_string(std::max<std::chrono::seconds::rep>(cookie.max_age->count(), 0));
  if (rules.secure) text += "; Secure";
  if (cookie.http_only) text += "; HttpOnly";
  text += cookie.same_site == SameSite::strict ? "; SameSite=Strict" : "; SameSite=Lax";
  return text;
}

std::string clear_cookie(std::string_view name, CookieRules rules) {
  return set_cookie({.name = name, .value = {}, .max_age = std::chrono::seconds(0)}, rules);
}

std::optional<std::string_view> cookie_value(const Request& request, std::string_view name, CookieRules rules) noexcept {
  std::optional<std::string_view> found;
  for (const auto [field, line] : request.headers) {
    if (!equals_ignoring_case(field, "cookie")) continue;
    for (std::string_view rest = line; !rest.empty();) {
      const auto end = rest.find(';');
      const auto pair = rest.substr(0, end);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      const auto equals = pair.find('=');
      if (equals == std::string_view::npos || !names(trimmed(pair.substr(0, equals)), name, rules)) continue;
      if (found) return std::nullopt;
      found = trimmed(pair.substr(equals + 1));
    }
  }
  if (found && (found->empty() || !is_cookie_value(*found))) return std::nullopt;
  return found;
}

}  // namespace pawl::http
