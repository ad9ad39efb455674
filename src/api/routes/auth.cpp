// Accounts: sign up, sign in, stay signed in, get back in, the second factor, the first start.
#include <algorithm>
#include <optional>

#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/session_cookies.hpp"
#include "api/detail/user_reply.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"
#include "identity/accounts.hpp"

namespace pawl::api::detail {
namespace {

constexpr std::size_t kMaxEmail = 254;
constexpr std::size_t kMaxToken = 512;
constexpr std::size_t kMaxCode = 64;

using identity::Accounts;

Error busy() {
  return {ErrorClass::unavailable, "auth.busy", "Too many people are signing in at this moment; try again in a few seconds."};
}

/// Passwords are slow on purpose, so these handlers have a small pool of their own: sign-ins never hold up the others.
template <Handler kHandler>
void with_password(Context& context, Call call) {
  const auto shared = std::make_shared<Call>(std::move(call));
  const bool taken = context.d.auth_pool->try_post([&context, shared] { kHandler(context, std::move(*shared)); });
  if (!taken) shared->fail(busy());
}

Accounts& accounts(Context& context) { return *context.d.accounts; }

identity::Client client_of(const Call& call) { return {call.request.remote_address, std::string(call.request.header("User-Agent"))}; }

std::optional<SessionId> own_session(const Call& call) {
  if (call.principal.kind != identity::Principal::Kind::user) return std::nullopt;
  return call.principal.session;
}

std::string text_of(const Call& call, std::string_view name) {
  const auto& member = call.body.get(name);
  return member.is_string() ? std::string(member.as_string()) : std::string();
}

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

void reply_message(Call& call, std::string_view message) {
  std::string out;
  { ObjectWriter(out).text("message", message); }
  call.reply(200, std::move(out));
}

void reply_user(Call& call, const identity::User& user) {
  std::string out;
  {
    ObjectWriter object(out);
    write_user(object, user);
  }
  call.reply(200, std::move(out));
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

// ---- the account ------------------------------------------------------------------------------------------------------------------

void write_preferences(ObjectWriter& object, const identity::Preferences& preferences) {
  object.text("theme", identity::to_text(preferences.theme));
  object.text("time_zone", preferences.time_zone);
  object.boolean("letter_shortcuts", preferences.letter_shortcuts);
}

void me(Context& context, Call call) {
  PAWL_API_TRY(user, accounts(context).user(call.principal.user));
  PAWL_API_TRY(preferences, accounts(context).preferences(call.principal.user));
  std::string out;
  {
    ObjectWriter object(out);
    write_user(object, user);
    append_array(object.raw("organizations"), call.principal.memberships, [&](const identity::Membership& membership) {
      ObjectWriter entry(out);
      entry.text("id", membership.organization.to_string());
      entry.text("role", identity::to_text(membership.role));
    });
    object.text_or_null("organization_id", call.principal.home.is_nil() ? "" : call.principal.home.to_string());
    if (preferences) {
      ObjectWriter chosen(object.raw("preferences"));
      write_preferences(chosen, *preferences);
    } else {
      object.null("preferences");
    }
  }
  call.reply(200, std::move(out));
}

void change_profile(Context& context, Call call) {
  PAWL_API_TRY(user, accounts(context).rename(call.principal.user, text_of(call, "name")));
  reply_user(call, user);
}

void change_preferences(Context& context, Call call) {
  identity::PreferencesChange change;
  const auto& theme = call.body.get("theme");
  if (theme.is_string()) change.theme = identity::parse_theme(theme.as_string());
  const auto& zone = call.body.get("time_zone");
  if (zone.is_string()) change.time_zone = std::string(zone.as_string());
  const auto& letters = call.body.get("letter_shortcuts");
  if (letters.is_bool()) change.letter_shortcuts = letters.as_bool();
  PAWL_API_TRY(preferences, accounts(context).change_preferences(call.principal.user, change));
  std::string out;
  {
    ObjectWriter object(out);
    write_preferences(object, preferences);
  }
  call.reply(200, std::move(out));
}

void change_password(Context& context, Call call) {
  PAWL_API_TRY_VOID(accounts(context).change_password(call.principal.user, own_session(call), text_of(call, "old_password"),
                                                      text_of(call, "new_password"), client_of(call)));
  reply_message(call, "The password was changed; all other sessions were ended.");
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

void resend_verification(Context& context, Call call) {
  PAWL_API_TRY_VOID(accounts(context).resend_verification(call.principal.user));
  reply_message(call, "A new link is on its way.");
}

// ---- sessions ---------------------------------------------------------------------------------------------------------------------

void append_session(std::string& out, const identity::SessionInfo& session, const std::optional<SessionId>& own) {
  ObjectWriter entry(out);
  entry.text("id", session.id.to_string());
  entry.text("user_agent", session.user_agent);
  entry.text("address", session.address);
  entry.boolean("current", own == session.id);
  entry.time("created_at", session.created_at);
  entry.time("last_used_at", session.last_used_at);
  entry.time("expires_at", session.expires_at);
}

void list_sessions(Context& context, Call call) {
  PAWL_API_TRY(sessions, accounts(context).sessions(call.principal.user));
  const auto own = own_session(call);
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), sessions, [&](const identity::SessionInfo& session) { append_session(out, session, own); });
    object.null("next_cursor");
  }
  call.reply(200, std::move(out));
}

void get_session(Context& context, Call call) {
  PAWL_API_TRY(id, path_id<SessionId>(call.request, "session_id", "session.not_found", "session"));
  PAWL_API_TRY(sessions, accounts(context).sessions(call.principal.user));
  const auto found = std::find_if(sessions.begin(), sessions.end(), [&](const identity::SessionInfo& session) { return session.id == id; });
  if (found == sessions.end()) {
    return call.fail(Error(ErrorClass::not_found, "session.not_found", "There is no session of this id."));
  }
  std::string out;
  append_session(out, *found, own_session(call));
  call.reply(200, std::move(out));
}

void revoke_sessions(Context& context, Call call) {
  PAWL_API_TRY_VOID(accounts(context).revoke_sessions(call.principal.user, own_session(call)));
  call.reply(http::Response::empty(204));
}

void revoke_session(Context& context, Call call) {
  PAWL_API_TRY(id, path_id<SessionId>(call.request, "session_id", "session.not_found", "session"));
  PAWL_API_TRY_VOID(accounts(context).revoke_session(call.principal.user, id));
  call.reply(http::Response::empty(204));
}

// ---- second factor ----------------------------------------------------------------------------------------------------------------

void setup_totp(Context& context, Call call) {
  PAWL_API_TRY(made, accounts(context).setup_totp(call.principal.user, text_of(call, "password"), client_of(call)));
  std::string out;
  {
    ObjectWriter object(out);
    object.text("secret", made.secret);
    object.text("uri", made.uri);
  }
  auto response = http::Response::json(200, std::move(out));
  response.headers.add("Cache-Control", "no-store");
  call.reply(std::move(response));
}

void enable_totp(Context& context, Call call) {
  PAWL_API_TRY(codes, accounts(context).enable_totp(call.principal.user, text_of(call, "code"), client_of(call)));
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("backup_codes"), codes, [&](const std::string& code) { json::append_quoted(out, code); });
  }
  auto response = http::Response::json(200, std::move(out));
  response.headers.add("Cache-Control", "no-store");
  call.reply(std::move(response));
}

void disable_totp(Context& context, Call call) {
  PAWL_API_TRY_VOID(accounts(context).disable_totp(call.principal.user, text_of(call, "password"), text_of(call, "code"), client_of(call)));
  reply_message(call, "The second factor is off.");
}

// ---- rows -------------------------------------------------------------------------------------------------------------------------

Shape user_shape() { return Shape::object("User", user_members()); }

Shape preferences_shape(std::string_view name, Shape::Presence presence) {
  return Shape::object(
      name, {{"theme", Shape::choice({identity::kThemes.begin(), identity::kThemes.end()}), presence},
             {"time_zone",
              Shape::text("Europe/Berlin", identity::kMaxTimeZone).described("A name of the tz database; empty: the browser's."), presence},
             {"letter_shortcuts", Shape::boolean(true).described("Whether single letters are keys of the interface."), presence}});
}

Shape me_shape() {
  auto members = user_members();
  members.push_back(
      {"organizations", Shape::array(Shape::object(
                            "OwnMembership", {{"id", Shape::id()}, {"role", Shape::choice({"viewer", "member", "admin", "owner"})}}))});
  members.push_back({"organization_id", Shape::id().or_null().described("Where requests that name no organization act.")});
  members.push_back({"preferences", preferences_shape("Preferences", Shape::Presence::required)
                                        .or_null()
                                        .described("How the interface shows things; null: nothing was ever chosen.")});
  return Shape::object("Me", std::move(members));
}

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

Shape message_shape() { return Shape::object("Message", {{"message", Shape::text("It is done.", 500)}}); }
Shape password_shape() { return Shape::secret(1024).described("At least 10 characters, none of the commonest, not the address."); }
Shape token_shape() { return Shape::secret(kMaxToken).at_least(1).described("What stands behind `#` in the link."); }
Shape code_shape() { return Shape::secret(kMaxCode).at_least(1).described("Six digits of the app, or a backup code."); }

Shape session_shape() {
  return Shape::object("Session", {{"id", Shape::id()},
                                   {"user_agent", Shape::text("Mozilla/5.0", 256)},
                                   {"address", Shape::text("192.0.2.7")},
                                   {"current", Shape::boolean(true)},
                                   {"created_at", Shape::time()},
                                   {"last_used_at", Shape::time()},
                                   {"expires_at", Shape::time()}});
}

constexpr std::string_view kCookieNote =
    "With the header `X-Pawl-Session: cookie` the tokens come as httpOnly cookies instead of in the reply; unsafe requests then need the "
    "`csrf_token` in the header `X-CSRF-Token`.";

std::vector<Route> entry_routes() {
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

std::vector<Route> account_routes() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/api/auth/me",
       .id = "getMe",
       .tag = "auth",
       .summary = "Who am I?",
       .permission = Permission::account,
       .handler = me,
       .runs = Runs::pool,
       .reply = me_shape()},
      {.method = Method::put,
       .path = "/api/auth/profile",
       .id = "changeProfile",
       .tag = "auth",
       .summary = "Change one's name",
       .permission = Permission::account,
       .handler = change_profile,
       .runs = Runs::pool,
       .body = Body::json,
       .request = Shape::object("ProfileChange", {{"name", Shape::text("Ada").at_least(1)}}),
       .reply = user_shape()},
      {.method = Method::put,
       .path = "/api/auth/preferences",
       .id = "changePreferences",
       .tag = "auth",
       .summary = "Choose how the interface shows things",
       .permission = Permission::account,
       .handler = change_preferences,
       .runs = Runs::pool,
       .body = Body::json,
       .request = preferences_shape("PreferencesChange", Shape::kOptional),
       .reply = preferences_shape("Preferences", Shape::Presence::required),
       .description = "They follow the person to every browser (`getMe`). What is left out stays as it is."},
      {.method = Method::post,
       .path = "/api/auth/change-password",
       .id = "changePassword",
       .tag = "auth",
       .summary = "Change one's password",
       .permission = Permission::account,
       .handler = with_password<change_password>,
       .rate = RateClass::auth,
       .body = Body::json,
       .request = Shape::object("PasswordChange", {{"old_password", Shape::secret(100'000)}, {"new_password", password_shape()}}),
       .reply = message_shape(),
       .description = "Ends all other sessions."},
      {.method = Method::post,
       .path = "/api/auth/resend-verification",
       .id = "resendVerification",
       .tag = "auth",
       .summary = "Ask for a new link to confirm one's address",
       .permission = Permission::account,
       .handler = resend_verification,
       .runs = Runs::pool,
       .rate = RateClass::auth,
       .reply = message_shape()},
      {.method = Method::get,
       .path = "/api/auth/sessions",
       .id = "listSessions",
       .tag = "auth",
       .summary = "Where one is signed in",
       .permission = Permission::account,
       .handler = list_sessions,
       .runs = Runs::pool,
       .reply = Shape::page("SessionPage", session_shape())},
      {.method = Method::delete_,
       .path = "/api/auth/sessions",
       .id = "revokeSessions",
       .tag = "auth",
       .summary = "End all other sessions",
       .permission = Permission::account,
       .handler = revoke_sessions,
       .runs = Runs::pool,
       .status = 204},
      {.method = Method::get,
       .path = "/api/auth/sessions/{session_id}",
       .id = "getSession",
       .tag = "auth",
       .summary = "One of one's own sessions",
       .permission = Permission::account,
       .handler = get_session,
       .runs = Runs::pool,
       .reply = session_shape()},
      {.method = Method::delete_,
       .path = "/api/auth/sessions/{session_id}",
       .id = "revokeSession",
       .tag = "auth",
       .summary = "End a session",
       .permission = Permission::account,
       .handler = revoke_session,
       .runs = Runs::pool,
       .status = 204},
      {.method = Method::post,
       .path = "/api/auth/totp/setup",
       .id = "setupTotp",
       .tag = "auth",
       .summary = "A new secret for an authenticator app",
       .permission = Permission::account,
       .handler = with_password<setup_totp>,
       .rate = RateClass::auth,
       .body = Body::json,
       .request = Shape::object("TotpSetupRequest", {{"password", Shape::secret(100'000)}}),
       .reply = Shape::object("TotpSetup", {{"secret", Shape::text("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")},
                                            {"uri", Shape::text("otpauth://totp/Pawl:ada@example.org?secret=GEZDGNBVGY3TQOJQ", 1024)}}),
       .description = "Not in force until it is enabled with a code."},
      {.method = Method::post,
       .path = "/api/auth/totp/enable",
       .id = "enableTotp",
       .tag = "auth",
       .summary = "Ask for a code at every sign-in from now on",
       .permission = Permission::account,
       .handler = enable_totp,
       .runs = Runs::pool,
       .rate = RateClass::auth,
       .body = Body::json,
       .request = Shape::object("TotpCode", {{"code", code_shape()}}),
       .reply = Shape::object("BackupCodes", {{"backup_codes", Shape::array(Shape::text("ABCD-EFGH-IJKL-MNOP"), 10)}}),
       .description = "The backup codes are shown only now; each works once."},
      {.method = Method::post,
       .path = "/api/auth/totp/disable",
       .id = "disableTotp",
       .tag = "auth",
       .summary = "Ask for no code any more",
       .permission = Permission::account,
       .handler = with_password<disable_totp>,
       .rate = RateClass::auth,
       .body = Body::json,
       .request = Shape::object("TotpDisable", {{"password", Shape::secret(100'000)}, {"code", code_shape()}}),
       .reply = message_shape(),
       .description = "Needs the password and a code."},
  };
}

}  // namespace

std::vector<Route> auth_routes() {
  auto routes = entry_routes();
  for (auto& route : account_routes()) routes.push_back(std::move(route));
  return routes;
}

}  // namespace pawl::api::detail
