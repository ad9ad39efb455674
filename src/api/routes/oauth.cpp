// Sign-in with other providers' accounts: out to the provider, and back.
#include "identity/oauth.hpp"

#include <algorithm>

#include "api/detail/context.hpp"
#include "api/detail/session_cookies.hpp"
#include "api/detail/whole_list.hpp"
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
void reply_failed(Context& context, Call& call, const Error& error, std::string_view page = "/login") {
  auto response = redirect(std::string(page) + "?error=" + error.code);
  response.headers.add("Set-Cookie", http::clear_cookie(kCookie, context.options.cookies));
  call.reply(std::move(response));
}

void list_providers(Context& context, Call call) {
  Query query(call.request);
  const auto providers = context.d.oauth->providers();
  const auto page = page_of(query, providers, [](const std::string& name) { return name; });
  PAWL_API_CHECK(query.finish());
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.items, [&](const std::string& name) {
      ObjectWriter item(out);
      item.text("name", name);
      item.text("login", "/api/auth/" + name + "/login");
    });
    page.write_next(object);
  }
  call.reply(200, std::move(out));
}

void remember(Context& context, http::Response& response, const identity::OAuth::Start& start) {
  const http::SetCookie cookie{
      .name = kCookie, .value = start.cookie, .max_age = std::chrono::duration_cast<std::chrono::seconds>(identity::kOAuthPatience)};
  response.headers.add("Set-Cookie", http::set_cookie(cookie, context.options.cookies));
}

void begin_sign_in(Context& context, Call call) {
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.oauth->begin(shared->request.param("provider"), std::nullopt, [&context, shared](Result<identity::OAuth::Start> start) {
    if (start.has_error()) return shared->fail(start.error());
    auto response = redirect(start->location);
    remember(context, response, *start);
    shared->reply(std::move(response));
  });
}

identity::Client client_of(const Call& call) { return {call.request.remote_address, std::string(call.request.header("User-Agent"))}; }

void link(Context& context, Call& call, const identity::ExternalIdentity& identity) {
  const auto linked = context.d.accounts->link_provider(identity.asked_by->user, identity, client_of(call));
  auto response = redirect(linked.has_error() ? "/profile?error=" + linked.error().code : "/profile?linked=" + identity.provider);
  response.headers.add("Set-Cookie", http::clear_cookie(kCookie, context.options.cookies));
  call.reply(std::move(response));
}

void open_session(Context& context, Call& call, const identity::ExternalIdentity& identity) {
  if (identity.asked_by) return link(context, call, identity);
  const auto session = context.d.accounts->login(identity, client_of(call));
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
  const std::string_view page = context.d.oauth->is_link(cookie) ? "/profile" : "/login";
  const auto finished = [&context, shared, page](Result<identity::ExternalIdentity> identity) {
    if (identity.has_error()) {
      if (identity.error().kind == ErrorClass::not_found) return shared->fail(identity.error());
      return reply_failed(context, *shared, identity.error(), page);
    }
    const bool taken =
        context.d.pool.try_post([&context, shared, identity = std::move(*identity)] { open_session(context, *shared, identity); });
    if (!taken) shared->fail(busy());
  };
  context.d.oauth->finish(request.param("provider"), answer, cookie, finished);
}

// ---- accounts of providers that one signs in with ---------------------------------------------------------------------------------

Error no_session() { return {ErrorClass::denied, "auth.no_session", "This is for browsers: an API key links nothing."}; }
Error no_person() { return {ErrorClass::denied, "auth.no_person", "The installation's own key is nobody who signs in."}; }
/// No 401: the session is a good one.
Error wrong_password() { return {ErrorClass::denied, "oauth.wrong_password", "The password is not right."}; }

void list_links(Context& context, Call call) {
  PAWL_API_TRY(links, context.d.accounts->linked_providers(call.principal.user));
  Query query(call.request);
  const auto page = page_of(query, links, [](const identity::LinkedProvider& link) { return link.provider; });
  PAWL_API_CHECK(query.finish());
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.items, [&](const identity::LinkedProvider& link) {
      ObjectWriter item(out);
      item.text("provider", link.provider);
      item.text_or_null("email", link.email);
      item.time("created_at", link.created_at);
      item.time("last_used_at", link.last_used_at);
    });
    page.write_next(object);
  }
  call.reply(200, std::move(out));
}

std::string password_of(const Call& call) {
  const auto& password = call.body.get("password");
  return password.is_string() ? std::string(password.as_string()) : std::string();
}

/// On the sign-ins' own pool: passwords are slow on purpose.
template <Handler kHandler>
void with_password(Context& context, Call call) {
  if (call.principal.user.is_nil()) return call.fail(no_person());
  const auto shared = std::make_shared<Call>(std::move(call));
  const bool taken = context.d.auth_pool->try_post([&context, shared] { kHandler(context, std::move(*shared)); });
  if (!taken) shared->fail(busy());
}

void begin_link(Context& context, Call call) {
  const auto known = context.d.oauth->providers();
  if (std::find(known.begin(), known.end(), call.request.param("provider")) == known.end()) {
    return call.fail(Error(ErrorClass::not_found, "oauth.unknown_provider", "This sign-in provider is not set up here."));
  }
  if (call.principal.kind != identity::Principal::Kind::user) return call.fail(no_session());
  const identity::Asker asker{call.principal.user, call.principal.session};
  const auto proved = context.d.accounts->prove_password("account.oauth_linked", asker.user, password_of(call), client_of(call));
  if (proved.has_error()) return call.fail(proved.error().code == "auth.invalid_credentials" ? wrong_password() : proved.error());
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.oauth->begin(shared->request.param("provider"), asker, [&context, shared](Result<identity::OAuth::Start> start) {
    if (start.has_error()) return shared->fail(start.error());
    std::string out;
    { ObjectWriter(out).text("location", start->location); }
    auto response = http::Response::json(200, std::move(out));
    response.headers.add("Cache-Control", "no-store");
    remember(context, response, *start);
    shared->reply(std::move(response));
  });
}

void unlink(Context& context, Call call) {
  const auto own = call.principal.kind == identity::Principal::Kind::user ? std::optional(call.principal.session) : std::nullopt;
  const auto unlinked =
      context.d.accounts->unlink_provider(call.principal.user, own, call.request.param("provider"), password_of(call), client_of(call));
  if (unlinked.has_error()) return call.fail(unlinked.error().code == "auth.invalid_credentials" ? wrong_password() : unlinked.error());
  call.reply(http::Response::empty(204));
}

std::vector<Route> link_routes() {
  using http::Method;
  const auto proof = Shape::object("SignInLinkProof", {{"password", Shape::secret(1024)}});
  return {
      {.method = Method::get,
       .path = "/api/auth/oauth/links",
       .id = "listSignInLinks",
       .tag = "auth",
       .summary = "The accounts of providers that one signs in with",
       .permission = Permission::account,
       .handler = list_links,
       .runs = Runs::pool,
       .query = whole_list_parameters(),
       .reply = Shape::page("SignInLinkPage", Shape::object("SignInLink", {{"provider", Shape::text("google")},
                                                                           {"email", Shape::text("ada@example.org", 254).or_null()},
                                                                           {"created_at", Shape::time()},
                                                                           {"last_used_at", Shape::time()}}))},
      {.method = Method::post,
       .path = "/api/auth/oauth/links/{provider}",
       .id = "beginSignInLink",
       .tag = "auth",
       .summary = "Link a further account of a provider with one's own",
       .permission = Permission::account,
       .handler = with_password<begin_link>,
       .rate = RateClass::auth,
       .body = Body::json,
       .request = proof,
       .reply = Shape::object("SignInLinkStart", {{"location", Shape::text("https://provider.example.org/authorize", 0)}}),
       .description =
           "For browsers: sets a cookie and says where to go. The provider sends the browser back to its callback, which goes on to "
           "`/profile?linked=PROVIDER`, or to `/profile?error=CODE`."},
      {.method = Method::delete_,
       .path = "/api/auth/oauth/links/{provider}",
       .id = "removeSignInLink",
       .tag = "auth",
       .summary = "Sign in with this provider no more",
       .permission = Permission::account,
       .handler = with_password<unlink>,
       .rate = RateClass::auth,
       .body = Body::json,
       .request = proof,
       .status = 204,
       .description = "Ends all other sessions. 409 where nothing else is left to sign in with."},
  };
}

}  // namespace

std::vector<Route> oauth_routes() {
  using http::Method;
  std::vector<Route> routes = {
      {.method = Method::get,
       .path = "/api/auth/providers",
       .id = "listSignInProviders",
       .tag = "auth",
       .summary = "List the providers that people can sign in with",
       .permission = Permission::open,
       .handler = list_providers,
       .query = whole_list_parameters(),
       .reply = Shape::page("SignInProviders", Shape::object("SignInProvider", {{"name", Shape::text("google")},
                                                                                {"login", Shape::text("/api/auth/google/login")}}))},
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
  for (auto& route : link_routes()) routes.push_back(std::move(route));
  return routes;
}

}  // namespace pawl::api::detail
