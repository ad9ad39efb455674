// One's own account: profile, preferences, password, sessions, the second factor.
#include <algorithm>
#include <cstdint>
#include <optional>

#include "api/body.hpp"
#include "api/detail/whole_list.hpp"
#include "api/routes/account_calls.hpp"
#include "api/routes/theme.hpp"

namespace pawl::api::detail {
namespace {

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
  std::string out;
  {
    ObjectWriter object(out);
    write_user(object, user);
  }
  call.reply(200, std::move(out));
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

/// The newest stands first: when it was used last changes between two pages, and the row would move from one to the other.
std::string place_of(const identity::SessionInfo& session) {
  Uuid inverted;
  std::transform(session.id.uuid.bytes.begin(), session.id.uuid.bytes.end(), inverted.bytes.begin(),
                 [](std::uint8_t byte) { return static_cast<std::uint8_t>(~byte); });
  return inverted.to_string();
}

void list_sessions(Context& context, Call call) {
  PAWL_API_TRY(sessions, accounts(context).sessions(call.principal.user));
  Query query(call.request);
  const auto page = page_of(query, sessions, place_of);
  PAWL_API_CHECK(query.finish());
  const auto own = own_session(call);
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.items, [&](const identity::SessionInfo& session) { append_session(out, session, own); });
    page.write_next(object);
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

}  // namespace

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
       .query = whole_list_parameters(),
       .reply = Shape::page("SessionPage", session_shape()),
       .description = "In the order in which they were begun, the newest first. Of more than 200 those that were used last."},
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

}  // namespace pawl::api::detail
