/// What clients and server say to each other over a WebSocket, one JSON object a message (`docs/live.md`). Server-sent events carry the
/// same objects.
///
///     > {"type":"subscribe","topics":["runs"],"last_id":"5f1c-41"}
///     < {"type":"subscribed","topics":["runs"],"last_id":"5f1c-41"}
///     < {"type":"event","id":"5f1c-42",...}                            hub.hpp
///     > {"type":"unsubscribe","topics":["runs"]}
///     < {"type":"unsubscribed","topics":["runs"]}
///     > {"type":"ping"}
///     < {"type":"pong"}
///     < {"type":"reset","last_id":"9a02-0"}                            events may be missing: read again what is shown
///     < {"type":"error","code":"live.topic","message":"...","topics":["run:1"]}
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace pawl::live {

struct ClientMessage {
  enum class Kind : std::uint8_t { subscribe, unsubscribe, ping } kind = Kind::ping;
  std::vector<std::string> topics{};  ///< of the first two: at least one
  std::string last_id{};              ///< of `subscribe`, or empty
};

/// Error `live.message`: not JSON, not such an object, a member that is unknown or of the wrong kind.
[[nodiscard]] Result<ClientMessage> read_client_message(std::string_view text);

[[nodiscard]] std::string subscribed_message(const std::vector<std::string>& topics, std::string_view last_id);
[[nodiscard]] std::string unsubscribed_message(const std::vector<std::string>& topics);
[[nodiscard]] std::string reset_message(std::string_view last_id);
[[nodiscard]] std::string pong_message();
/// `topics`: of a `subscribe`, those that this is about; the others were taken. Empty: it is about the whole message.
[[nodiscard]] std::string error_message(const Error& error, const std::vector<std::string>& topics = {});

}  // namespace pawl::live
