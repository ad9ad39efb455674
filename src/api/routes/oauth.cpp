// Sign-in with other providers' accounts: out to the provider, and back.
#include "identity/oauth.hpp"

#include "api/detail/context.hpp"
#include "api/detail/session_cookies.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"
#include "identity/accounts.hpp"

namespace pawl::api::detail {
namespace {

constexpr std::string_view kCookie = "pawl_oauth";

using CallPtr = std::shared_ptr<Call>;

Error busy() { return {ErrorClass::unavailable, "server.busy", "The server is busy; try again."}; }

std::string text_of(const http::Request& request, std::string_view name) { return std::string(request.query_value(name).value_or("")); }

http::Response redirect(const std::string& location) {
  http::Response response;
  response.status = 302;
  response.headers.add("Location", location);
  response.headers.add("Cache-Control", "no-store");
  return response;
}

/// Back to our own page, which knows the codes; nothing else of what happened is worth an address.
void reply_failed(Context& context, Call& call, const Error& error) {
  auto response = redirect("/login?error=" + error.code);
  response.headers.add("Set-Cookie", http::clear_cookie(kCookie, context.options.cookies));
  call.reply(std::move(response));
}

void list_providers(Context& context, Call call) {
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), context.d.oauth->providers(), [&](const std::string& name) {
      ObjectWriter item(out);
      item.text("name", name);
      item.text("login", "/api/auth/" + name + "/login");
    });
  }
  call.reply(200, std::move(out));
}

void begin_sign_in(Context& context, Call call) {
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.oauth->begin(shared->request.param("provider"), [&context, shared](Result<identity::OAuth::Start> start) {
    if (start.has_error()) return shared->fail(start.error());
    auto response = redirect(start->location);
    const http::SetCookie cookie{
        .name = kCookie, .value = start->cookie, .max_age = std::chrono::duration_cast<std::chrono::seconds>(identity::kOAuthPatience)};
    response.headers.add("Set-Cookie", http::set_cookie(cookie, context.options.cookies));
    shared->reply(std::move(response));
  });
}

void open_session(Context& context, Call& call, const identity::ExternalIdentity& identity) {
  const identity::Client client{call.request.remote_address, std::string(call.request.header("User-Agent"))};
  const auto session = context.d.accounts->login(identity, client);
  if (session.has_error()) return reply_failed(context, call, session.error());
  auto response = redirect("/");
  response.headers.add("Set-Cookie", http::clear_cookie(kCookie, context.options.cookies));
  add_session_cookies(response, *session, *context.d.accounts, context.options.cookies);
  call.reply(std::move(response));
}

void finish_sign_in(Context& context, Call call) {
  const auto shared = std::make_shared<Call>(std::move(call));
  const auto& request = shared->request;
  const identity::OAuth::Answer answer{text_of(request, "code"), text_of(request, "state"), text_of(request, "iss"),
                                       text_of(request, "error")};
  const auto cookie = http::cookie_value(request, kCookie, context.options.cookies).value_or(std::string_view());
  context.d.oauth->finish(request.param("provider"), answer, cookie, [&context, shared](Result<identity::ExternalIdentity> identity) {
    if (identity.has_error()) {
      if (identity.error().kind == ErrorClass::not_found) return shared->fail(identity.error());
      return reply_failed(context, *shared, identity.error());
    }
    const bool taken =
        context.d.pool.try_post([&context, shared, identity = std::move(*identity)] { open_session(context, *shared, identity); });
    if (!taken) shared->fail(busy());
  });
}

}  // namespace

std::vector<Route> oauth_routes() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/api/auth/providers",
       .id = "listSignInProviders",
       .tag = "auth",
       .summary = "List the providers that people can sign in with",
       .permission = Permission::open,
       .handler = list_providers,
       .reply = Shape::object(
           "SignInProviders",
           {{"items", Shape::array(Shape::object("SignInProvider",
                                                 {{"name", Shape::text("google")}, {"login", Shape::text("/api/auth/google/login")}}))}})},
      {.method = Method::get,
       .path = "/api/auth/{provider}/login",
       .id = "beginProviderSignIn",
       .tag = "auth",
       .summary = "Go to a provider and sign in there",
       .permission = Permission::open,
       .handler = begin_sign_in,
       .rate = RateClass::auth,
       .status = 302,
       .description = "For browsers: redirects to the provider."},
      {.method = Method::get,
       .path = "/api/auth/{provider}/callback",
       .id = "finishProviderSignIn",
       .tag = "auth",
       .summary = "Come back from a provider",
       .permission = Permission::open,
       .handler = finish_sign_in,
       .runs = Runs::pool,
       .rate = RateClass::auth,
       .status = 302,
       .description = "Sets the session's cookies and redirects to `/`, or to `/login?error=CODE`. No token stands in an address."},
  };
}

}  // namespace pawl::api::detail
