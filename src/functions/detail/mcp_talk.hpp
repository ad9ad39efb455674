/// Carries a conversation with an MCP server (`mcp/client.hpp`): over HTTP, or with a program of the catalogue.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "engine/function.hpp"
#include "functions/detail/builtin.hpp"
#include "functions/detail/http_call.hpp"
#include "functions/mcp_servers.hpp"
#include "mcp/client.hpp"

namespace pawl::functions {

/// How it ended.
struct Talked {
  Result<json::Value> result;
  std::optional<engine::Outcome> failure{};  ///< the transport's own, in place of `result`
  json::Value definition{};
  mcp::Era era = mcp::Era::unknown;
  std::vector<mcp::Note> notes{};
};
/// Comes once, from any thread, perhaps before the call returns.
using TalkDone = std::function<void(Talked)>;

/// What is asked, and of what step it is part.
struct Talk {
  mcp::Ask ask;
  mcp::ClientOptions options;
  Millis timeout{0};
  json::Value secrets;
  bool at_most_once = false;
  bool may_destroy = true;  ///< of the run: where it may not, a program writes no folder that workflows may use
};

/// Streamable HTTP: each message a POST, answered by JSON or by an event stream; a session where the server opens one, ended at the
/// end. `place` has URL, header fields and authentication.
[[nodiscard]] engine::Cancel talk_over_http(const std::shared_ptr<HttpExchanger>& http, HttpCall place, Talk talk, TalkDone done);

/// A process of its own in the sandbox, a message a line.
[[nodiscard]] engine::Cancel talk_with_program(const std::shared_ptr<ProcessRunner>& processes, const McpServer& server, Talk talk,
                                               TalkDone done);

}  // namespace pawl::functions
