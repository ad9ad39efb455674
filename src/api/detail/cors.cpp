#include "api/detail/cors.hpp"

#include <algorithm>
#include <cstdint>

#include "api/detail/adding_sink.hpp"

namespace pawl::api::detail {
namespace {

/// What a page of an origin may do.
enum class Trust : std::uint8_t {
  none,
  anonymous,    ///< `*`: read what anybody may read, without the browser's cookies
  credentials,  ///< named: with them
};

Trust trust_in(const std::vector<std::string>& origins, std::string_view origin) {
  if (origin.empty()) return Trust::none;
  if (origin != "null" && std::find(origins.begin(), origins.end(), origin) != origins.end()) return Trust::credentials;
  return std::find(origins.begin(), origins.end(), "*") != origins.end() ? Trust::anonymous : Trust::none;
}

void add_fields(http::Headers& headers, std::string_view origin, Trust trust) {
  headers.add("Vary", "Origin");  // also where nothing follows: a cache must not hand one origin's answer to another
  if (trust == Trust::none) return;
  headers.add("Access-Control-Allow-Origin", trust == Trust::credentials ? origin : std::string_view("*"));
  if (trust == Trust::credentials) headers.add("Access-Control-Allow-Credentials", "true");
}

void add_exposed(http::Headers& headers, Trust trust) {
  if (trust == Trust::none) return;
  headers.add("Access-Control-Expose-Headers",
              "ETag, Location, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id");
}

}  // namespace

bool is_own_or_trusted_origin(const std::vector<std::string>& origins, const http::Request& request) {
  const auto origin = request.header("Origin");
  if (origin.empty() || origin == "null") return false;
  if (trust_in(origins, origin) == Trust::credentials) return true;
  // The page came from this very host: whatever the browser calls the scheme in front of a proxy.
  const auto mark = origin.find("://");
  return mark != std::string_view::npos && !request.host.empty() && http::equals_ignoring_case(origin.substr(mark + 3), request.host);
}

http::Responder with_cors(const std::vector<std::string>& origins, const http::Request& request, http::Responder responder) {
  const auto origin = request.header("Origin");
  if (origin.empty()) return responder;
  return adding(std::move(responder), [origin = std::string(origin), trust = trust_in(origins, origin)](http::Headers& headers) {
    add_fields(headers, origin, trust);
    add_exposed(headers, trust);
  });
}

http::Handler preflight(const std::vector<std::string>& origins, const std::vector<http::Method>& methods) {
  std::string allow = "OPTIONS";
  for (const auto method : methods) {
    allow += ", ";
    allow += http::to_string(method);
    if (method == http::Method::get) allow += ", HEAD";
  }
  return [&origins, allow](http::Request&& request, http::Responder responder) {
    auto response = http::Response::empty();
    response.headers.add("Allow", allow);
    const auto origin = request.header("Origin");
    const auto trust = trust_in(origins, origin);
    add_fields(response.headers, origin, trust);
    if (trust != Trust::none) {
      response.headers.add("Access-Control-Allow-Methods", allow);
      response.headers.add(
          "Access-Control-Allow-Headers",
          "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer, X-CSRF-Token, X-Organization-Id, "
          "X-Pawl-Session, X-Request-Id");
      response.headers.add("Access-Control-Max-Age", "600");
    }
    responder.send(std::move(response));
  };
}

}  // namespace pawl::api::detail
