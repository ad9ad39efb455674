// Sign up, sign in, stay signed in, get back in; the first start.
#include "api/detail/session_cookies.hpp"
#include "api/routes/account_calls.hpp"
#include "api/routes/theme.hpp"

namespace pawl::api::detail {
namespace {

/// Tokens in the body, or, for browsers that ask, in cookies that scripts cannot read.
void reply_signed_in(Context& context, Call& call, int status, const identity::SignedIn& session) {
  const bool in_cookies = wants_cookies(call.request);
  std::string out;
  {
    ObjectWriter object(out);
    {
      ObjectWriter user(object.raw("user"));
      write_user(user, session.user);
    }
    if (!in_cookies) {
      object.text("access_token", session.access_token);
      object.text("refresh_token", session.refresh_token);
    }
    object.text("token_type", in_cookies ? "cookie" : "bearer");
    object.integer("expires_in", session.expires_in.count());
    if (in_cookies) object.text("csrf_token", identity::csrf_token(accounts(context).token_keys(), session.session));
  }
  auto response = http::Response::json(status, std::move(out));
  response.headers.add("Cache-Control", "no-store");
  if (in_cookies) add_session_cookies(response, session, accounts(context), context.options.cookies);
  call.reply(std::move(response));
}

identity::NewAccount new_account(const Call& call) {
  identity::NewAccount account;
  account.email = text_of(call, "email");
  account.password = text_of(call, "password");
  account.name = text_of(call, "name");
  account.organization = text_of(call, "organization");
  account.invitation = text_of(call, "invitation");
  return account;
}

// ---- signing up and in ------------------------------------------------------------------------------------------------------------

constexpr std::string_view kRequested = "A mail is on its way to this address: open the link in it, then sign in.";

void register_account(Context& context, Call call) {
  const auto request = new_account(call);
  if (accounts(context).confirms_first() && request.invitation.empty()) {
    PAWL_API_TRY_VOID(accounts(context).request_account(request, client_of(call)));
    std::string out;
    { ObjectWriter(out).text("message", kRequested); }
    return call.reply(202, std::move(out));
  }
  PAWL_API_TRY(session, accounts(context).register_account(request, client_of(call)));
  reply_signed_in(context, call, 201, session);
}

void setup(Context& context, Call call) {
  PAWL_API_TRY(session, accounts(context).setup(text_of(call, "token"), new_account(call), client_of(call)));
  reply_signed_in(context, call, 201, session);
}

void login(Context& context, Call call) {
  const identity::LoginRequest request{text_of(call, "email"), text_of(call, "password"), text_of(call, "otp")};
  PAWL_API_TRY(session, accounts(context).login(request, client_of(call)));
  reply_signed_in(context, call, 200, session);
}

void refresh(Context& context, Call call) {
  auto token = text_of(call, "refresh_token");
  if (token.empty() && wants_cookies(call.request)) token = std::string(refresh_cookie(call.request, context.options.cookies));
  PAWL_API_TRY(session, accounts(context).refresh(token, client_of(call)));
  reply_signed_in(context, call, 200, session);
}

void logout(Context& context, Call call) {
  if (const auto session = own_session(call)) PAWL_API_TRY_VOID(accounts(context).logout(call.principal.user, *session));
  http::Response response;
  response.status = 204;
  clear_session_cookies(response, context.options.cookies);
  call.reply(std::move(response));
}

void csrf(Context& context, Call call) {
  const auto session = own_session(call);
  if (!session) return call.fail(Error(ErrorClass::conflict, "auth.no_session", "Only sessions of browsers need this token."));
  const auto token = identity::csrf_token(accounts(context).token_keys(), *session);
  std::string out;
  { ObjectWriter(out).text("csrf_token", token); }
  auto response = http::Response::json(200, std::move(out));
  response.headers.add("Cache-Control", "no-store");
  add_csrf_cookie(response, token, context.options.cookies);
  call.reply(std::move(response));
}

// ---- getting back in --------------------------------------------------------------------------------------------------------------

void forgot_password(Context& context, Call call) {
  accounts(context).forgot_password(text_of(call, "email"));
  reply_message(call, "If there is an account with this address, a link is on its way.");
}

void reset_password(Context& context, Call call) {
  PAWL_API_TRY_VOID(accounts(context).reset_password(text_of(call, "token"), text_of(call, "new_password"), client_of(call)));
  reply_message(call, "The password was changed; sign in with the new one.");
}

void verify_email(Context& context, Call call) {
  PAWL_API_TRY_VOID(accounts(context).verify_email(text_of(call, "token")));
  reply_message(call, "The address is confirmed.");
}

// ---- rows -------------------------------------------------------------------------------------------------------------------------

Shape signed_in_shape() {
  return Shape::object(
      "SignedIn",
      {{"user", user_shape()},
       {"access_token", Shape::text("eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl", 2048).described("Left out where the session is in cookies."),
        Shape::kOptional},
       {"refresh_token", Shape::text("pawr_AZjF8noQfD6dSy9qjhs8XQ", 512).described("Works once; left out where the session is in cookies."),
        Shape::kOptional},
       {"token_type", Shape::choice({"bearer", "cookie"})},
       {"expires_in", Shape::integer(900).described("Seconds.")},
       {"csrf_token", Shape::text("dGhpcyBpcyBhbiBleGFtcGxl").described("Only where the session is in cookies."), Shape::kOptional}});
}

Shape token_shape() { return Shape::secret(kMaxToken).at_least(1).described("What stands behind `#` in the link."); }

constexpr std::string_view kCookieNote =
    "With the header `X-Pawl-Session: cookie` the tokens come as httpOnly cookies instead of in the reply; unsafe requests then need the "
    "`csrf_token` in the header `X-CSRF-Token`.";

}  // namespace

std::vector<Route> auth_routes() {
  using http::Method;
  return {
      {.method = Method::post,
       .path = "/api/auth/register",
       .id = "register",
       .tag = "auth",
       .summary = "Make an account and sign in",
       .permission = Permission::open,
       .handler = with_password<register_account>,
       .rate = RateClass::auth,
       .body = Body::json,
       .request = Shape::object(
           "NewAccount",
           {{"email", Shape::email("ada@example.org")},
            {"password", password_shape()},
            {"name", Shape::text("Ada").at_least(1)},
            {"organization", Shape::text("Engines"), Shape::kOptional},
            {"invitation", Shape::secret(kMaxToken).described("Token of an invitation to an organization."), Shape::kOptional}}),
       .status = 201,
       .reply = signed_in_shape(),
       .other_replies =
           {{202,
             "Where addresses are confirmed first (PAWL_CONFIRM_ADDRESS) and there is no invitation: nobody is signed in, and the "
             "answer is the same whether or not there is such an account.",
             "application/json", message_shape()}},
       .description = kCookieNote},
      {.method = Method::post,
       .path = "/api/auth/setup",
       .id = "setup",
       .tag = "auth",
       .summary = "Make the first administrator, with the link of the first start",
       .permission = Permission::open,
       .handler = with_password<setup>,
       .rate = RateClass::auth,
       .body = Body::json,
       .request = Shape::object("FirstAccount", {{"token", token_shape()},
                                                 {"email", Shape::email("root@example.org")},
                                                 {"password", password_shape()},
                                                 {"name", Shape::text("Root").at_least(1)}}),
       .status = 201,
       .reply = signed_in_shape(),
       .description = "Only while there are no users."},
      {.method = Method::post,
       .path = "/api/auth/login",
       .id = "login",
       .tag = "auth",
       .summary = "Sign in",
       .permission = Permission::open,
       .handler = with_password<login>,
       .rate = RateClass::auth,
       .body = Body::json,
       .request = Shape::object("Login", {{"email", Shape::text("ada@example.org", kMaxEmail)},
                                          {"password", Shape::secret(100'000)},
                                          {"otp", Shape::secret(kMaxCode), Shape::kOptional}}),
       .reply = signed_in_shape(),
       .description = kCookieNote},
      {.method = Method::post,
       .path = "/api/auth/refresh",
       .id = "refresh",
       .tag = "auth",
       .summary = "Exchange a refresh token for new tokens",
       .permission = Permission::open,
       .handler = refresh,
       .runs = Runs::pool,
       .body = Body::optional,
       .request = Shape::object(
           "Refresh", {{"refresh_token", Shape::secret(kMaxToken).described("Left out: the one in the cookie."), Shape::kOptional}}),
       .reply = signed_in_shape(),
       .description = "Each token works once. One that was used before ends its session, except within ten seconds, when it gives the same "
                      "next token again."},
      {.method = Method::post,
       .path = "/api/auth/logout",
       .id = "logout",
       .tag = "auth",
       .summary = "End this session",
       .permission = Permission::account,
       .handler = logout,
       .runs = Runs::pool,
       .status = 204},
      {.method = Method::get,
       .path = "/api/auth/csrf",
       .id = "getCsrfToken",
       .tag = "auth",
       .summary = "The CSRF token of this session",
       .permission = Permission::account,
       .handler = csrf,
       .reply = Shape::object("CsrfToken", {{"csrf_token", Shape::text("dGhpcyBpcyBhbiBleGFtcGxl")}})},
      {.method = Method::post,
       .path = "/api/auth/forgot-password",
       .id = "forgotPassword",
       .tag = "auth",
       .summary = "Ask for a link to choose a new password",
       .permission = Permission::open,
       .handler = forgot_password,
       .rate = RateClass::auth,
       .body = Body::json,
       .request = Shape::object("ForgotPassword", {{"email", Shape::text("ada@example.org", kMaxEmail)}}),
       .reply = message_shape(),
       .description = "The answer is the same whether or not there is such an account."},
      {.method = Method::post,
       .path = "/api/auth/reset-password",
       .id = "resetPassword",
       .tag = "auth",
       .summary = "Choose a new password with the link",
       .permission = Permission::open,
       .handler = with_password<reset_password>,
       .rate = RateClass::auth,
       .body = Body::json,
       .request = Shape::object("ResetPassword", {{"token", token_shape()}, {"new_password", password_shape()}}),
       .reply = message_shape(),
       .description = "Ends all sessions."},
      {.method = Method::post,
       .path = "/api/auth/verify-email",
       .id = "verifyEmail",
       .tag = "auth",
       .summary = "Confirm an address with the link",
       .permission = Permission::open,
       .handler = verify_email,
       .runs = Runs::pool,
       .rate = RateClass::auth,
       .body = Body::json,
       .request = Shape::object("VerifyEmail", {{"token", token_shape()}}),
       .reply = message_shape()},
  };
}

}  // namespace pawl::api::detail
