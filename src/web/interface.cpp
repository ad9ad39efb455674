#include "web/interface.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/error.hpp"
#include "crypto/crypto.hpp"
#include "http/problem.hpp"
#include "web/detail/interface_files.hpp"

namespace pawl::web {
namespace {

using http::Method;

constexpr std::array kPages = std::to_array<std::string_view>(
    {"admin",          "approvals",  "assistant", "audit",         "dead-letters", "forgot-password", "functions",
     "integrations",   "invitation", "login",     "notifications", "organization", "profile",         "register",
     "reset-password", "runs",       "schedules", "setup",         "verify-email", "workflows"});
constexpr std::string_view kNoncePlace = "PAWL-NONCE";

/// The page with a nonce of its own.
http::Response page(const EmbeddedFile& index, int status = 200) {
  const auto nonce = crypto::random_token(16);
  std::string text(index.plain);
  if (const auto at = text.find(kNoncePlace); at != std::string::npos) text.replace(at, kNoncePlace.size(), nonce);
  http::Response response(status, "text/html; charset=utf-8", std::move(text));
  response.headers.add("Cache-Control", "no-store");
  response.headers.add("Content-Security-Policy",
                       fmt::format("default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{}'; img-src 'self' data:; "
                                   "font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; "
                                   "base-uri 'none'; frame-ancestors 'none'",
                                   nonce));
  return response;
}

void add_page(http::Router& router, std::string_view pattern, const EmbeddedFile& index) {
  router.add(Method::get, pattern, [&index](http::Request&& /*request*/, http::Responder responder) { responder.send(page(index)); },
             {.name = "page"});
}

void send_asset(http::Request&& request, http::Responder responder) {
  const auto* file = find(detail::interface_files(), request.path.substr(1));
  if (file == nullptr) {
    responder.send(http::problem(Error(ErrorClass::not_found, "web.no_file", "The web interface has no such file."), request));
    return;
  }
  responder.send(respond(*file, request));
}

/// Whom an address that leads nowhere is told to: people get the interface, which says so, programs and the API's paths a problem.
bool asked_by_a_person(const http::Request& request) {
  for (const std::string_view machine : {"/api/", "/assets/", "/hooks/", "/.well-known/"}) {
    if (request.path.starts_with(machine)) return false;
  }
  return request.method == Method::get && request.header("accept").find("text/html") != std::string_view::npos;
}

/// What answers where nothing else does, whatever the method: one that knew GET alone would make unknown paths answer 405 to the others.
void add_not_found(http::Router& router, const EmbeddedFile& index) {
  for (const auto method : {Method::get, Method::post, Method::put, Method::patch, Method::delete_}) {
    router.add(method, "/{nowhere...}",
               [&index](http::Request&& request, http::Responder responder) {
                 if (asked_by_a_person(request)) return responder.send(page(index, 404));
                 responder.send(http::problem(Error(ErrorClass::not_found, "http.not_found", "There is nothing at this path."), request));
               },
               {.name = "nowhere"});
  }
}

}  // namespace

std::span<const std::string_view> page_addresses() { return kPages; }

void add_interface(http::Router& router, std::string version) {
  const auto* index = find(detail::interface_files(), "index.html");
  if (index == nullptr) {
    router.add(Method::get, "/", [version = std::move(version)](http::Request&& /*request*/, http::Responder responder) {
      responder.send(http::Response::text(200, fmt::format("Pawl {}. This program was built without the web interface (-DPAWL_WEB=OFF). "
                                                           "The HTTP API is under /api, its description at /api/docs.\n",
                                                           version)));
    });
    return;
  }
  add_page(router, "/", *index);
  for (const auto name : kPages) {
    add_page(router, fmt::format("/{}", name), *index);
    add_page(router, fmt::format("/{}/{{rest...}}", name), *index);
  }
  router.add(Method::get, "/assets/{name}", send_asset, {.name = "asset"});
  router.add(Method::get, "/favicon.svg", send_asset, {.name = "asset"});
  add_not_found(router, *index);
}

}  // namespace pawl::web
