#include "api/detail/gate.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "api/body.hpp"
#include "api/detail/adding_sink.hpp"
#include "api/detail/cors.hpp"
#include "api/detail/deprecation.hpp"
#include "api/detail/rate_gate.hpp"
#include "api/detail/session_cookies.hpp"
#include "base/trace_context.hpp"
#include "http/websocket.hpp"
#include "identity/authenticator.hpp"

namespace pawl::api::detail {
namespace {

using identity::Principal;

/// One request on its way through the gate.
struct Passage {
  Context& context;
  const Route& route;
  Call call;
  std::shared_ptr<Witness> witness;  ///< what the audit trail will say of it; null: nothing
  TraceContext trace{};
};
using PassagePtr = std::shared_ptr<Passage>;

Error busy() { return {ErrorClass::unavailable, "server.busy", "The server is busy; try again."}; }

// ---- who asks -------------------------------------------------------------------------------------------------------------------

/// The script of a page cannot set `Authorization` on a WebSocket: there the token is one of the protocols it offers.
std::string_view offered_bearer(const http::Request& request) {
  constexpr std::string_view kPrefix = "pawl.bearer.";
  if (!http::asks_for_websocket(request)) return {};
  for (const auto protocol : http::offered_protocols(request)) {
    if (protocol.starts_with(kPrefix)) return protocol.substr(kPrefix.size());
  }
  return {};
}

std::string_view bearer_of(const http::Request& request) {
  constexpr std::string_view kScheme = "bearer ";
  const auto header = request.header("Authorization");
  if (header.empty()) return offered_bearer(request);
  if (header.size() <= kScheme.size() || !http::equals_ignoring_case(header.substr(0, kScheme.size()), kScheme)) return {};
  return header.substr(kScheme.size());
}

/// Views into the request. The cookie counts only where no bearer is sent.
identity::Credentials credentials_of(const Context& context, const http::Request& request) {
  const auto bearer = bearer_of(request);
  if (!bearer.empty()) return {bearer, {}};
  return {{}, access_cookie(request, context.options.cookies)};
}

/// The installation's own key: its holder administers the installation and owns the organization that came with it.
bool is_installation_key(const Context& context, std::string_view bearer) {
  if (bearer.empty()) return false;
  // Digests have one length and all are compared, so the time says nothing about the keys.
  const auto presented = crypto::hash(bearer);
  bool accepted = false;
  for (const auto& digest : context.key_digests) accepted |= crypto::equal(presented, digest);
  return accepted;
}

Principal administrator(const Context& context) {
  Principal principal;
  principal.kind = Principal::Kind::administrator;
  principal.superuser = true;
  principal.memberships.push_back({context.d.organization, identity::Role::owner});
  principal.home = context.d.organization;
  return principal;
}

// ---- the body -------------------------------------------------------------------------------------------------------------------

Result<json::Value> read_body(const Route& route, const http::Request& request) {
  if (route.body == Body::none || route.body == Body::raw) return json::Value();
  return parse_body(request, route.body == Body::optional);
}

std::optional<Error> shape_problems(const Route& route, const json::Value& body) {
  if (!route.request || route.body == Body::raw) return std::nullopt;
  auto findings = route.request->check(body);
  if (findings.empty()) return std::nullopt;
  auto message = fmt::format("The request has {} problem{}.", findings.size(), findings.size() == 1 ? "" : "s");
  return Error(ErrorClass::unprocessable, "request.invalid", std::move(message), std::move(findings));
}

// ---- the organization -----------------------------------------------------------------------------------------------------------

Error no_organization() { return {ErrorClass::not_found, "organization.not_found", "There is no organization of this id."}; }

Error contradiction() {
  return {ErrorClass::invalid, "organization.contradictory",
          "The request names several organizations (path, query, `X-Organization-Id` or body); name one."};
}

bool takes_organization(const Route& route) { return route.request && route.request->has_member("organization_id"); }

/// The organization that the request names itself; nothing where it names none. No place has precedence: all must agree.
Result<std::optional<OrganizationId>> named_organization(const Route& route, const Call& call) {
  std::optional<OrganizationId> found;
  std::optional<Error> problem;
  const auto name = [&](std::string_view text) {
    if (text.empty() || problem) return;
    const auto id = OrganizationId::parse(text);
    if (!id) {
      problem = no_organization();
    } else if (found && *found != *id) {
      problem = contradiction();
    }
    found = id;
  };
  name(call.request.param("org_id"));
  for (const auto& [parameter, value] : call.request.query) {
    if (parameter == "organization_id") name(value);
  }
  for (const auto& [field, value] : call.request.headers) {
    if (http::equals_ignoring_case(field, "X-Organization-Id")) name(value);
  }
  if (const auto& member = call.body.get("organization_id"); takes_organization(route) && member.is_string()) name(member.as_string());
  if (problem) return *problem;
  return found;
}

// ---- the query ------------------------------------------------------------------------------------------------------------------

/// A parameter that the row does not declare is refused, as an unknown member of a body is. What is open to everybody takes whatever
/// monitors and callers of hooks append.
std::optional<Error> query_problems(const Route& route, const http::Request& request) {
  if (request.query.empty() || route.permission == Permission::open) return std::nullopt;
  Query query(request);
  for (const auto& parameter : route.query) static_cast<void>(query.text(parameter.name));
  return query.finish();
}

// ---- the stations ---------------------------------------------------------------------------------------------------------------

/// While the database is away nothing new becomes durable, and who waited for that would wait as long.
bool waits_for_database(const Context& context, const Route& route) {
  const bool changes = Trail::concerns(route) || route.rate == RateClass::hook;
  return changes && context.d.database.breaker().state != CircuitBreaker::State::closed;
}

void handle(const PassagePtr& passage) {
  const TraceScope scope(passage->trace);  // the way here may have led over threads that know of no trace
  auto& context = passage->context;
  if (waits_for_database(context, passage->route)) {
    return passage->call.fail(
        Error(ErrorClass::unavailable, "storage.unavailable", "The database cannot be reached at the moment; nothing was changed."));
  }
  if (passage->witness != nullptr && !context.trail->ready()) {
    return passage->call.fail(
        Error(ErrorClass::unavailable, "audit.overloaded", "The audit trail cannot be written; nothing was changed."));
  }
  const auto handler = passage->route.handler;
  if (passage->route.runs == Runs::here) {
    if (context.d.threads.on_thread(passage->call.request.shard)) return handler(context, std::move(passage->call));
    return context.d.threads.post(passage->call.request.shard, [passage, handler] { handler(passage->context, std::move(passage->call)); });
  }
  if (!context.d.pool.try_post([passage, handler] { handler(passage->context, std::move(passage->call)); })) passage->call.fail(busy());
}

void admit(const PassagePtr& passage) {
  if (const auto problem = query_problems(passage->route, passage->call.request)) return passage->call.fail(*problem);
  if (const auto problem = shape_problems(passage->route, passage->call.body)) return passage->call.fail(*problem);
  if (passage->route.rate != RateClass::auth) return handle(passage);
  // Only now the account is known. What is malformed tests no credential; it was counted as any request is.
  count(passage->context, passage->route, passage->call, [passage] { handle(passage); });
}

/// What reaches beyond the one organization that a key belongs to, changes how its user signs in, or says what the person has read.
bool is_by_session(const Route& route) {
  constexpr std::array<std::string_view, 15> kBySession{"changePassword",
                                                        "listSessions",
                                                        "revokeSessions",
                                                        "revokeSession",
                                                        "setupTotp",
                                                        "enableTotp",
                                                        "disableTotp",
                                                        "exportMyData",
                                                        "eraseMyData",
                                                        "createOrganization",
                                                        "acceptInvitation",
                                                        "markNotificationRead",
                                                        "markNotificationUnread",
                                                        "markAllNotificationsRead",
                                                        "setNotificationPreferences"};
  return std::find(kBySession.begin(), kBySession.end(), route.id) != kBySession.end();
}

Error session_needed() {
  return {ErrorClass::denied, "auth.forbidden", "This is for people who are signed in; no API key does it, whatever its scopes."};
}

void decide(const PassagePtr& passage, const OrganizationId& organization) {
  auto& call = passage->call;
  const auto permission = passage->route.permission;
  if (passage->witness != nullptr && call.principal.role_in(organization)) passage->witness->organization = organization;
  if (!call.principal.permits(permission, organization)) {
    const bool concerns_organization = identity::required_role(permission).has_value();
    if (concerns_organization && !call.principal.role_in(organization)) {
      return call.fail(passage->route.owner != nullptr ? not_found(*passage->route.owner) : no_organization());
    }
    return call.fail(forbidden(permission));
  }
  if (is_by_session(passage->route) && call.principal.kind == Principal::Kind::api_key) return call.fail(session_needed());
  call.organization = organization;
  admit(passage);
}

void locate(const PassagePtr& passage) {
  auto& call = passage->call;
  const auto& route = passage->route;
  const bool acts_in_one = identity::required_role(route.permission) || takes_organization(route);
  if (!acts_in_one) return decide(passage, call.principal.home);
  auto named = named_organization(route, call);
  if (named.has_error()) return call.fail(named.error());
  std::erase_if(call.request.query, [](const auto& parameter) { return parameter.first == "organization_id"; });  // read, for everybody
  if (route.owner == nullptr) return decide(passage, named->value_or(call.principal.home));
  route.owner->find(passage->context, call.request, [passage, named = *named](Result<OrganizationId> found) {
    if (found.has_error() && found.error().kind != ErrorClass::not_found) return passage->call.fail(found.error());
    if (found.has_error() || (named && *named != *found)) return passage->call.fail(not_found(*passage->route.owner));
    decide(passage, *found);
  });
}

void take_body(const PassagePtr& passage) {
  auto body = read_body(passage->route, passage->call.request);
  if (body.has_error()) return passage->call.fail(body.error());
  passage->call.body = std::move(*body);
  locate(passage);
}

void identified(const PassagePtr& passage, Result<Principal> principal) {
  auto& call = passage->call;
  if (principal.has_error()) {
    return count_stranger(passage->context, call, [passage, error = principal.error()] { passage->call.fail(error); });
  }
  call.principal = std::move(*principal);
  if (passage->witness != nullptr) passage->witness->principal = call.principal;
  if (call.principal.kind == Principal::Kind::anonymous && passage->route.permission != Permission::open) {
    return count_stranger(passage->context, call, [passage] {
      passage->call.fail(Error(ErrorClass::unauthenticated, "auth.missing", "Sign in, or send a key as `Authorization: Bearer ...`."));
    });
  }
  if (const auto problem = csrf_problem(passage->context, call)) return call.fail(*problem);
  if (passage->route.rate == RateClass::auth) return count_caller(passage->context, call, [passage] { take_body(passage); });
  count(passage->context, passage->route, call, [passage] { take_body(passage); });
}

void identify(const PassagePtr& passage) {
  auto& context = passage->context;
  if (passage->route.permission == Permission::open) return identified(passage, Principal());
  const auto bearer = bearer_of(passage->call.request);
  if (is_installation_key(context, bearer)) return identified(passage, administrator(context));
  auto* authenticator = context.d.authenticator;
  if (authenticator == nullptr) {
    if (bearer.empty()) return identified(passage, Principal());
    return identified(passage, Error(ErrorClass::unauthenticated, "auth.invalid", "The key is not valid."));
  }
  if (auto known = authenticator->try_authenticate(credentials_of(context, passage->call.request)))
    return identified(passage, std::move(*known));
  const bool taken = context.d.pool.try_post([passage] {
    auto principal = passage->context.d.authenticator->authenticate(credentials_of(passage->context, passage->call.request));
    identified(passage, std::move(principal));
  });
  if (!taken) passage->call.fail(busy());
}

}  // namespace

Error forbidden(Permission permission) {
  return {ErrorClass::denied, "auth.forbidden",
          fmt::format("This needs the permission `{}`, which you do not have here.", identity::to_text(permission))};
}

Result<void> still_permitted(const Context& context, const Call& call, Permission permission) {
  auto principal = call.principal;
  // What the installation's own key may do changes with its configuration only; nobody else gets far without an authenticator.
  if (principal.kind != Principal::Kind::administrator && context.d.authenticator != nullptr) {
    PAWL_TRY(now, context.d.authenticator->authenticate(credentials_of(context, call.request)));
    principal = std::move(now);
  }
  if (!principal.permits(permission, call.organization)) return forbidden(permission);
  return {};
}

Error not_found(const Owner& owner) {
  return {ErrorClass::not_found, std::string(owner.code), "There is no " + std::string(owner.what) + " of this id."};
}

http::Handler gate(Context& context, const Route& route) {
  return [&context, &route, farewell = deprecation_fields(route.path)](http::Request&& request, http::Responder responder) {
    if (!context.options.cors_origins.empty()) responder = with_cors(context.options.cors_origins, request, std::move(responder));
    if (!farewell.empty()) responder = with_fields(std::move(responder), farewell);
    std::shared_ptr<Witness> witness;
    if (context.d.audit != nullptr && Trail::concerns(route)) {
      witness = std::make_shared<Witness>();
      responder = context.trail->follow(route, request, witness, std::move(responder));
    }
    identify(std::make_shared<Passage>(
        Passage{context, route, Call{std::move(request), std::move(responder)}, std::move(witness), current_trace()}));
  };
}

}  // namespace pawl::api::detail
