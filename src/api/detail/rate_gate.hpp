// Counts requests on the budgets of their rate class, and tells the client where it stands.
#pragma once

#include <functional>

#include "api/detail/context.hpp"

namespace pawl::api::detail {

/// Counts the call on the budget of its route, whose principal (and for `auth` whose body) is known by now. Where there is budget left
/// `go_on` runs, and whatever answers then has the `X-RateLimit` fields: before this returns, or later on the connection's thread. Else
/// the call is answered with 429. `call` lives until then.
void count(Context& context, const Route& route, Call& call, std::function<void()> go_on);

/// The same on the general budget of whoever calls, whatever the route: before anything of the body is read.
void count_caller(Context& context, Call& call, std::function<void()> go_on);

/// The same for a request that brings no credential where one is needed, or one that was not accepted: by address, so that keys cannot be
/// guessed without end.
void count_stranger(Context& context, Call& call, std::function<void()> go_on);

}  // namespace pawl::api::detail
