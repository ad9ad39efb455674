/// The Model Context Protocol, client side: one request to a server and all that the protocol wants around it, as data.
///
///     Conversation talk({.method = "tools/call", .params = ...}, options);
///     for (auto& message : talk.begin()) send(message);
///     while (!talk.ended()) for (auto& message : talk.take(receive())) send(message);
///     use(talk.result());
///
/// - Both eras: 2026-07-28 (each request says its version; `server/discover` first) and the revisions that begin with `initialize`. Which
///   one a server speaks is found out: over HTTP by asking in the newer way first, since every request is answered there; over pipes the
///   other way round, since an old server may say nothing to what it does not know.
/// - Lists are read to their end, page after page. In the newer era a tool is looked up before it is called, because its definition says
///   which HTTP fields go with it; with a pin in both.
/// - Nothing is offered to the server: no sampling, no elicitation, no roots. `ping` is answered, all else it asks is refused.
/// - The other side may be hostile: sizes, depth, numbers of pages, entries and messages are limited, an answer counts only under the
///   request's own id, and what the server says of a tool is a text like any other.
///
/// Errors (`result`): `mcp.protocol` (unavailable: not what the protocol allows, or past a limit), `mcp.version` (unavailable: no common
/// revision), `mcp.error` (unprocessable: the server's own error, its message included), `mcp.unknown_tool` (not_found), `mcp.tool`
/// (unprocessable: a definition that cannot be used), `mcp.tool_changed` (denied: not what was pinned), `mcp.input_required` (unsupported:
/// it wants to ask a person).
///
/// Pure: no clock, no I/O. Not thread-safe: one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "json/value.hpp"

namespace pawl::mcp {

enum class Era : std::uint8_t { unknown, stateless, sessions };

struct ClientLimits {
  std::size_t max_message = 16U << 20U;  ///< bytes of one message
  std::size_t max_depth = 128;
  std::size_t max_pages = 100;
  std::size_t max_entries = 1000;     ///< of a list
  std::size_t max_list = 8U << 20U;   ///< bytes of a whole list
  std::size_t max_messages = 10'000;  ///< that the server may send altogether
  std::size_t max_notes = 100;        ///< kept of them
};

struct ClientOptions {
  std::string name = "pawl";
  std::string version{};
  std::string protocol_version{};  ///< a revision to insist on; empty: what both can
  Era era = Era::unknown;          ///< where it is known from an earlier conversation
  bool initialize_first = false;   ///< pipes
  ClientLimits limits{};
};

/// What is wanted.
struct Ask {
  std::string method;  ///< `tools/call`, `tools/list`, `prompts/get` ...
  json::Value params;  ///< object
  std::string pin{};   ///< of `tools/call`: what its definition must be (definition.hpp); empty: anything
  std::string key{};   ///< of `tools/call`: names this very call, for servers that know it again (`_meta["io.pawl/idempotencyKey"]`)
};

/// A message for the server, and what HTTP says beside it.
struct Outgoing {
  std::string text;
  std::vector<std::pair<std::string, std::string>> fields;
  bool expects_answer = false;
  bool acts = false;  ///< the call itself: must not be sent twice
};

/// What the server told on the way: progress, log messages.
struct Note {
  std::string level;
  std::string text;
};

class Conversation {
 public:
  Conversation(Ask ask, ClientOptions options);

  [[nodiscard]] std::vector<Outgoing> begin();
  /// A message of the server.
  [[nodiscard]] std::vector<Outgoing> take(std::string_view message);
  /// HTTP: the request in progress was answered with this status, none of 200-299. False: that is no part of the protocol, and for the
  /// caller to report.
  [[nodiscard]] bool refused(int status, std::string_view body, std::vector<Outgoing>& next);
  /// What tells the server that nobody waits any more; empty where closing the connection says it.
  [[nodiscard]] std::vector<Outgoing> cancel() const;

  [[nodiscard]] bool ended() const { return result_.has_value(); }
  /// Of the method, as the server gave it; of a list all pages in one, and each tool with its pin in `_meta["io.pawl/pin"]`.
  [[nodiscard]] const Result<json::Value>& result() const { return *result_; }
  /// Of a tool that was called: its definition, where it was looked up; null else.
  [[nodiscard]] const json::Value& definition() const { return definition_; }
  [[nodiscard]] Era era() const { return era_; }
  [[nodiscard]] const std::vector<Note>& notes() const { return notes_; }

 private:
  enum class Stage : std::uint8_t { discovering, initializing, listing, asking };

  [[nodiscard]] std::vector<Outgoing> discover();
  [[nodiscard]] std::vector<Outgoing> initialize();
  [[nodiscard]] std::vector<Outgoing> proceed();
  [[nodiscard]] std::vector<Outgoing> list_page(std::string_view method, const std::string& cursor);
  [[nodiscard]] std::vector<Outgoing> ask();
  [[nodiscard]] Outgoing request(std::string_view method, json::Value params);
  [[nodiscard]] Outgoing message_of(json::Value message, std::string_view method, const json::Value& params) const;
  [[nodiscard]] std::vector<Outgoing> server_request(const json::Value& message);
  void notification(const json::Value& message);
  [[nodiscard]] std::vector<Outgoing> answered(const json::Value& result);
  [[nodiscard]] std::vector<Outgoing> failed(const json::Value& error);
  [[nodiscard]] std::vector<Outgoing> discovered(const json::Value& result);
  [[nodiscard]] std::vector<Outgoing> initialized(const json::Value& result);
  [[nodiscard]] std::vector<Outgoing> listed(const json::Value& result);
  [[nodiscard]] std::vector<Outgoing> tool_found();
  [[nodiscard]] bool is_right_type(const json::Value& result);
  [[nodiscard]] std::vector<Outgoing> fail(Error error);
  [[nodiscard]] std::vector<Outgoing> fail(std::string message);

  Ask ask_;
  ClientOptions options_;
  Stage stage_ = Stage::discovering;
  Era era_;
  std::string revision_;  ///< with sessions: what was agreed
  bool tried_stateless_ = false;
  bool tried_initialize_ = false;
  std::int64_t last_id_ = 0;
  std::size_t messages_ = 0;
  std::size_t pages_ = 0;
  std::size_t list_bytes_ = 0;
  std::vector<std::string> cursors_;
  json::Value entries_;
  json::Value definition_;
  std::vector<Note> notes_;
  std::optional<Result<json::Value>> result_;
};

/// What a model or a person reads of a tool's result: `structuredContent` where there is one, the text where there is nothing else, else
/// the list of contents.
[[nodiscard]] json::Value content_of(const json::Value& result);
/// The texts of a result, joined.
[[nodiscard]] std::string text_of_result(const json::Value& result);

}  // namespace pawl::mcp
