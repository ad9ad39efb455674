/// The Model Context Protocol, server side: messages in, decisions out; results in, messages out.
///
/// Revisions: 2026-07-28 (no sessions; each request names its protocol version and the client's capabilities in `params._meta`, and its
/// HTTP fields repeat what a proxy may want to know) and 2025-11-25, 2025-06-18, 2025-03-26 (`initialize` first). Offered: tools, prompts
/// and resources, and for clients of the first that declare it the extension `io.modelcontextprotocol/tasks`, under which a long call
/// becomes a task to ask for. Clients that declare elicitation can be asked questions: those of the first revision as the result of a call,
/// which they then repeat with the answers; the others in the stream of the call. What the others declare is in the session id that they
/// repeat.
///
/// Pure and total: any text gives an `Act` or a `Fault`. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "json/value.hpp"

namespace pawl::mcp {

inline constexpr std::string_view kNewest = "2026-07-28";
inline constexpr std::string_view kTasksExtension = "io.modelcontextprotocol/tasks";

/// The codes of JSON-RPC 2.0 and of the protocol.
enum class Code : std::int32_t {
  parse_error = -32700,
  invalid_request = -32600,
  method_not_found = -32601,
  invalid_params = -32602,
  internal_error = -32603,
  resource_not_found = -32002,  ///< until 2025-11-25
  header_mismatch = -32020,
  missing_capability = -32021,
  unsupported_version = -32022,
};

/// A JSON-RPC error and the HTTP status that carries it.
struct Fault {
  Code code = Code::internal_error;
  std::string message;
  int http_status = 200;
  json::Value data{};  ///< null: none
  json::Value id{};    ///< of the request, where it could be read
};

/// The HTTP fields that repeat parts of the message; empty where they are absent.
struct Fields {
  std::string_view version;    ///< MCP-Protocol-Version
  std::string_view method;     ///< Mcp-Method
  std::string_view name;       ///< Mcp-Name
  std::string_view session{};  ///< Mcp-Session-Id
};

/// Who answers, for `initialize` and `server/discover`.
struct ServerInfo {
  std::string name;
  std::string title;
  std::string version;
  std::string instructions;
};

// ---- what a message asks for -------------------------------------------------------------------------------------------------------

/// Nothing to do: a notification, or an answer to a question that was never asked.
struct Nothing {};
/// The answer is known.
struct Known {
  json::Value result;
};
struct ListTools {
  std::string cursor;
};
struct CallTool {
  std::string name;
  json::Value arguments;       ///< an object
  json::Value progress_token;  ///< null: progress is not asked for
  json::Value responses{};     ///< answers to what was asked for this call before, by key; null: there are none
  std::string state{};         ///< that came with those questions
};
struct ListPrompts {
  std::string cursor;
};
struct GetPrompt {
  std::string name;
  json::Value arguments;  ///< an object of texts
};
struct ListResources {
  std::string cursor;
};
struct ListTemplates {
  std::string cursor;
};
struct ReadResource {
  std::string uri;
};
/// What could stand for an argument of a prompt, or of a resource's template.
struct Complete {
  std::string prompt;  ///< name; empty: of a template
  std::string uri;     ///< of the template
  std::string argument;
  std::string value;  ///< what has been typed
};
struct GetTask {
  std::string task;
};
struct CancelTask {
  std::string task;
};
struct UpdateTask {
  std::string task;
  json::Value responses;  ///< an object
};
/// To a question that stood in a stream.
struct Answer {
  std::string question;  ///< its id
  json::Value result;    ///< null: the client could not ask
};

/// One request and what it asks for.
struct Request {
  json::Value id;          ///< string or integer; null: a notification
  bool stateless = false;  ///< of 2026-07-28: results say their type, errors have HTTP statuses
  bool takes_tasks = false;
  bool elicits = false;  ///< the client can ask a person; of `initialize` too
  std::variant<Nothing, Known, ListTools, CallTool, ListPrompts, GetPrompt, ListResources, ListTemplates, ReadResource, Complete, GetTask,
               CancelTask, UpdateTask, Answer>
      act;
};

/// The session id that tells of a client what it declared: nothing else is remembered. `unique`: visible ASCII.
[[nodiscard]] std::string eliciting_session(std::string_view unique);

[[nodiscard]] std::variant<Request, Fault> interpret(std::string_view message, const Fields& fields, const ServerInfo& server);

// ---- answers ----------------------------------------------------------------------------------------------------------------------

struct Tool {
  /// What a client may tell its person about the worst that a call can do. Hints, as the protocol has them: nothing relies on them here.
  struct Hints {
    bool read_only = false;
    bool destructive = true;
    bool idempotent = false;
    bool open_world = true;
  };
  std::string name;  ///< [A-Za-z0-9_-]{1,64}
  std::string title;
  std::string description;
  json::Value input_schema;   ///< JSON Schema of an object
  json::Value output_schema;  ///< the same, or null: not declared
  std::optional<Hints> hints{};
};

/// How a call ended. `output` is the tool's value; where it is an object with an array `content` of content blocks, those are the content.
struct Outcome {
  json::Value output{};
  std::string failure{};  ///< not empty: the tool failed, and this says why, for the model
  json::Value meta{};     ///< `_meta` of the result; null: none
  bool declared = false;  ///< the tool has an output schema, so that structured content is the whole output
};

struct Prompt {
  struct Argument {
    std::string name;
    std::string description;
    bool required = false;
  };
  std::string name;
  std::string title;
  std::string description;
  std::vector<Argument> arguments;
  json::Value meta{};  ///< null: none
};

struct Resource {
  std::string uri;  ///< or of a template its form, with `{names}`
  std::string name;
  std::string title;
  std::string description;
  std::string mime_type;
};
struct Contents {
  std::string uri;
  std::string mime_type;
  std::string text;
  json::Value meta{};  ///< null: none
};

/// What a person is asked through the client. Its answer is `{action: accept | decline | cancel, content?}`.
struct Question {
  std::string key;
  std::string message;
  json::Value form;  ///< JSON Schema that `is_plain_form`, or null: yes or no
};
/// A form that clients can show: an object of texts, numbers, truth values and choices, one level deep.
[[nodiscard]] bool is_plain_form(const json::Value& form);

enum class TaskStatus : std::uint8_t { working, input_required, completed, failed, cancelled };
struct TaskState {
  std::string id;
  TaskStatus status = TaskStatus::working;
  std::string message;     ///< for people; may be empty
  std::string created_at;  ///< RFC 3339
  std::string updated_at;
};

[[nodiscard]] json::Value tools_result(const Request& request, const std::vector<Tool>& tools, const std::string& next_cursor);
[[nodiscard]] json::Value call_result(const Request& request, Outcome outcome);
/// Instead of a call's result: it has become a task.
[[nodiscard]] json::Value task_created(const TaskState& task);
/// Of `tasks/get`; `outcome` where the task is completed, `questions` where it needs input.
[[nodiscard]] json::Value task_result(const Request& request, const TaskState& task, Outcome outcome,
                                      const std::vector<Question>& questions = {});
/// Instead of a result, for clients without sessions that elicit: the call is to be repeated with the answers and `state`.
[[nodiscard]] json::Value input_required(const std::vector<Question>& questions, const std::string& state);
[[nodiscard]] json::Value prompts_result(const Request& request, const std::vector<Prompt>& prompts);
/// `output`: `{messages: [{role, content}]}` of the protocol's form passes as it is, anything else becomes one message of the user.
[[nodiscard]] json::Value prompt_result(const Request& request, const std::string& description, const json::Value& output,
                                        json::Value meta);
[[nodiscard]] json::Value resources_result(const Request& request, const std::vector<Resource>& resources);
[[nodiscard]] json::Value templates_result(const Request& request, const std::vector<Resource>& templates);
/// All that fit; of more than 100 the first ones.
[[nodiscard]] json::Value completion_result(const Request& request, const std::vector<std::string>& values);
[[nodiscard]] json::Value read_result(const Request& request, const Contents& contents);
/// There is no resource of this address.
[[nodiscard]] Fault no_resource(const Request& request, const std::string& uri);
[[nodiscard]] json::Value empty_result(const Request& request);

/// The JSON-RPC messages around them, without line breaks.
[[nodiscard]] std::string reply_text(const Request& request, json::Value result);
[[nodiscard]] std::string fault_text(const Fault& fault);
/// The message that asks, for the stream of a client with a session; the key is its id.
[[nodiscard]] std::string question_text(const Question& question);
[[nodiscard]] std::string progress_text(const json::Value& token, std::uint64_t done, std::string_view message);

/// How a name stands in an HTTP field: printable ASCII as it is, anything else as `=?base64?...?=`.
[[nodiscard]] std::string field_of(std::string_view text);
/// A name of the form that all clients and models take: other characters become `_`, at most 64 of them; never empty.
[[nodiscard]] std::string tool_name(std::string_view text);

}  // namespace pawl::mcp
