// The OpenAPI document and the page that shows it, without a byte from elsewhere.
#include "api/detail/context.hpp"
#include "api/detail/docs_files.hpp"
#include "api/routes/theme.hpp"
#include "base/assert.hpp"

namespace pawl::api::detail {
namespace {

// Scripts, styles and requests of this origin only; nothing inline.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'";

void openapi(Context& context, Call call) {
  call.reply(http::Response(200, "application/json", context.openapi).with("Cache-Control", "no-cache"));
}

http::Response file(std::string_view name, const Call& call) {
  const auto* found = web::find(docs_files(), name);
  PAWL_ASSERT(found != nullptr, "the documentation page is part of the program");
  return web::respond(*found, call.request);
}

void page(Context& /*context*/, Call call) { call.reply(file("index.html", call).with("Content-Security-Policy", kPolicy)); }

void script(Context& /*context*/, Call call) { call.reply(file("docs.js", call)); }

void style(Context& /*context*/, Call call) { call.reply(file("docs.css", call)); }

}  // namespace

std::vector<Route> documentation_routes() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/api/openapi.json",
       .id = "openapi",
       .tag = "documentation",
       .summary = "This description, as OpenAPI 3.1",
       .permission = Permission::open,
       .handler = openapi,
       .rate = RateClass::none,
       .reply = Shape::object("", {{"openapi", Shape::text("3.1.0")}}).open()},
      {.method = Method::get,
       .path = "/api/docs",
       .id = "docsPage",
       .tag = "documentation",
       .summary = "This description as a page, with a way to try each route",
       .permission = Permission::open,
       .handler = page,
       .rate = RateClass::none,
       .reply = Shape::text("<!doctype html>", 1U << 20U),
       .reply_type = "text/html"},
      {.method = Method::get,
       .path = "/api/docs/docs.js",
       .id = "docsScript",
       .tag = "documentation",
       .summary = "Script of the page",
       .permission = Permission::open,
       .handler = script,
       .rate = RateClass::none,
       .reply = Shape::text("'use strict';", 1U << 20U),
       .reply_type = "text/javascript"},
      {.method = Method::get,
       .path = "/api/docs/docs.css",
       .id = "docsStyle",
       .tag = "documentation",
       .summary = "Style of the page",
       .permission = Permission::open,
       .handler = style,
       .rate = RateClass::none,
       .reply = Shape::text(":root {}", 1U << 20U),
       .reply_type = "text/css"},
  };
}

}  // namespace pawl::api::detail
