// Live events: the WebSocket and the stream of an organization. What is said on them is live/protocol.hpp and docs/live.md.
#include "live/streams.hpp"

#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/cors.hpp"
#include "api/detail/subscriber.hpp"
#include "api/routes/theme.hpp"
#include "http/websocket.hpp"

namespace pawl::api::detail {
namespace {

using http::Method;

constexpr std::string_view kProtocol = "pawl.v1";

/// A browser sends its cookie with a handshake whatever page asks for it, and no CSRF token with it.
bool is_foreign(const Context& context, const Call& call) {
  return call.principal.by_cookie && !is_own_or_trusted_origin(context.options.cors_origins, call.request);
}

Error off() { return {ErrorClass::unavailable, "live.off", "This process serves no live events."}; }

void open_socket(Context& context, Call call) {
  if (context.d.live == nullptr) return call.fail(off());
  if (is_foreign(context, call)) {
    return call.fail(Error(ErrorClass::denied, "auth.foreign_origin", "A page of another origin may not use this session."));
  }
  http::WebSocketOptions options;
  for (const auto offered : http::offered_protocols(call.request)) {
    if (offered == kProtocol) options.protocol = kProtocol;
  }
  auto opened = [&hub = *context.d.live, who = subscriber_of(call)](const std::shared_ptr<http::WebSocket>& socket) {
    live::serve_websocket(hub, socket, who);
  };
  call.responder.upgrade(std::move(options), std::move(opened));
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> parts;
  for (;;) {
    const auto comma = list.find(',');
    if (const auto part = list.substr(0, comma); !part.empty()) parts.emplace_back(part);
    if (comma == std::string_view::npos) return parts;
    list.remove_prefix(comma + 1);
  }
}

void open_stream(Context& context, Call call) {
  if (context.d.live == nullptr) return call.fail(off());
  Query query(call.request);
  const auto topics = split(query.text("topics").value_or(""));
  PAWL_API_CHECK(query.finish());
  const auto served =
      live::serve_events(*context.d.live, call.responder, subscriber_of(call), topics, call.request.header("Last-Event-ID"));
  if (served.has_error()) call.fail(served.error());
}

}  // namespace

std::vector<Route> live_routes() {
  return {
      {.method = Method::get,
       .path = "/ws",
       .id = "openSocket",
       .tag = "live",
       .summary = "Live events by WebSocket",
       .permission = Permission::read,
       .handler = open_socket,
       .status = 101,
       .description =
           "Subprotocol `pawl.v1`; the access token may be offered as `pawl.bearer.<token>`. A `subscribe` with topics that "
           "there are not, or that the caller may not follow, refuses these by name (`topics` of the `error`) and takes the others. "
           "See docs/live.md."},
      {.method = Method::get,
       .path = "/api/events/stream",
       .id = "streamEvents",
       .tag = "live",
       .summary = "Live events (server-sent events)",
       .permission = Permission::read,
       .handler = open_stream,
       .query = {{"topics", Shape::text("runs", 4000), "Topics to follow, separated by commas"}},
       .reply_type = "text/event-stream",
       .description = "Resumes from `Last-Event-ID`. One wrong topic refuses the request."},
  };
}

}  // namespace pawl::api::detail
