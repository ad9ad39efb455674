/// Serving the hub to a client, by WebSocket or as server-sent events. The caller has authenticated it and checked that it belongs to the
/// organization.
///
/// The hub outlives the HTTP server. Ends: a client that does not keep up is cut off by its connection's queue (1013); `End::expired` and
/// `End::revoked` close a WebSocket with 1008, `End::stopping` with 1012; an event stream gets a last event `end` with the reason.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/responder.hpp"
#include "http/websocket.hpp"
#include "live/hub.hpp"

namespace pawl::live {

/// Answers the client's messages (`protocol.hpp`) and tells it what it follows. Call it in `opened`.
void serve_websocket(Hub& hub, const std::shared_ptr<http::WebSocket>& socket, Subscriber who);

/// Follows `topics` from `last_id` (`Last-Event-ID`) on. An error (a wrong topic, too many streams) is answered instead of a stream.
/// Events come as unnamed server-sent events, the rest by name: `subscribed`, `reset`, `end`.
[[nodiscard]] Result<void> serve_events(Hub& hub, http::Responder& responder, Subscriber who, const std::vector<std::string>& topics,
                                        std::string_view last_id);

}  // namespace pawl::live
