/// Agent2Agent: what becomes of a message, and who follows a task. Both answer the call, now or when there is something to tell.
#pragma once

#include "api/detail/context.hpp"
#include "api/route.hpp"
#include "json/value.hpp"

namespace pawl::api::detail::a2a {

/// Of `SendMessage`, and `SendStreamingMessage` where it `streams`.
void send_message(Context& context, Call call, const json::Value& id, const json::Value& params, bool streams);
/// Of `SubscribeToTask`: the task, then what becomes of it.
void follow_task(Context& context, Call call, const json::Value& id, const RunId& run);

}  // namespace pawl::api::detail::a2a
