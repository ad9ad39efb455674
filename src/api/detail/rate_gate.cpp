#include "api/detail/rate_gate.hpp"

#include <fmt/core.h>

#include <thread>

#include "api/detail/adding_sink.hpp"
#include "identity/user.hpp"
#include "limits/headers.hpp"
#include "limits/rate_limiter.hpp"
#include "net/address_policy.hpp"

namespace pawl::api::detail {
namespace {

/// Who counts later decides: what is there already stays.
http::Responder with_limits(http::Responder responder, std::vector<limits::HeaderField> fields) {
  return adding(std::move(responder), [fields = std::move(fields)](http::Headers& headers) {
    for (const auto& field : fields) {
      if (!headers.contains(field.name)) headers.set(field.name, field.value);
    }
  });
}

net::IpAddress address_of(const http::Request& request) { return net::IpAddress::parse(request.remote_address).value_or(net::IpAddress()); }

/// Whose credential is tested: as the request names it, or who is signed in.
std::string account_of(const Call& call) {
  if (call.principal.kind == identity::Principal::Kind::user) return call.principal.user.to_string();
  for (const auto* member : {"email", "token"}) {
    if (!call.body.is_object()) break;
    const auto& value = call.body.get(member);
    if (value.is_string()) return identity::email_key(value.as_string()).value_or(std::string(value.as_string()));
  }
  return {};
}

/// All keys and sessions of a user together; the installation's own key is the nil user.
limits::Keys caller_keys(Context& context, const Call& call) {
  auto& limiter = *context.d.limiter;
  if (call.principal.kind != identity::Principal::Kind::anonymous) return limiter.principal_keys(call.principal.user.uuid);
  return limiter.address_keys(address_of(call.request));
}

limits::Keys keys_of(Context& context, const Route& route, const Call& call) {
  auto& limiter = *context.d.limiter;
  switch (route.rate) {
    case RateClass::none: return {};
    case RateClass::auth: return limiter.auth_keys(address_of(call.request), account_of(call));
    case RateClass::hook: return limiter.webhook_keys(call.request.param("token"));
    case RateClass::model: return limiter.model_keys(call.principal.user.uuid);
    case RateClass::general: break;
  }
  return caller_keys(context, call);
}

Error too_many(const limits::Decision& decision) {
  const auto seconds = limits::retry_after_seconds(decision);
  return {ErrorClass::limited, "rate.limited",
          fmt::format("Too many requests; try again in {} second{}.", seconds, seconds == 1 ? "" : "s")};
}

void decided(Context& context, Call& call, const limits::Decision& decision, const std::function<void()>& go_on) {
  auto fields = limits::header_fields(decision, context.d.clock.now());
  if (!fields.empty()) call.responder = with_limits(std::move(call.responder), std::move(fields));
  if (decision.allowed) return go_on();
  call.fail(too_many(decision));
}

void check(Context& context, Call& call, const limits::Keys& keys, std::function<void()> go_on) {
  const auto caller = std::this_thread::get_id();
  context.d.limiter->check(keys, [&context, &call, caller, go_on = std::move(go_on)](const limits::Decision& decision) mutable {
    if (std::this_thread::get_id() == caller) return decided(context, call, decision, go_on);
    // Redis' thread: not the place for bodies and handlers.
    context.d.threads.post(call.request.shard,
                           [&context, &call, decision, go_on = std::move(go_on)] { decided(context, call, decision, go_on); });
  });
}

}  // namespace

void count(Context& context, const Route& route, Call& call, std::function<void()> go_on) {
  if (route.rate == RateClass::none || context.d.limiter == nullptr) return go_on();
  check(context, call, keys_of(context, route, call), std::move(go_on));
}

void count_caller(Context& context, Call& call, std::function<void()> go_on) {
  if (context.d.limiter == nullptr) return go_on();
  check(context, call, caller_keys(context, call), std::move(go_on));
}

void count_stranger(Context& context, Call& call, std::function<void()> go_on) {
  if (context.d.limiter == nullptr) return go_on();
  check(context, call, context.d.limiter->address_keys(address_of(call.request)), std::move(go_on));
}

}  // namespace pawl::api::detail
