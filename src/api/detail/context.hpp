// What handlers work with.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/api.hpp"
#include "api/detail/trail.hpp"
#include "api/route.hpp"
#include "async/blocking_pool.hpp"
#include "async/io_threads.hpp"
#include "catalog/approvals.hpp"
#include "catalog/catalog.hpp"
#include "catalog/dead_letters.hpp"
#include "catalog/scheduler.hpp"
#include "crypto/crypto.hpp"
#include "engine/engine.hpp"
#include "http/problem.hpp"
#include "http/request.hpp"
#include "http/responder.hpp"
#include "identity/principal.hpp"
#include "storage/database.hpp"

namespace pawl::api::detail {

class ToolNames;
class WaitLists;

struct Context {
  Dependencies d;
  Options options;
  std::vector<crypto::Digest> key_digests;
  http::Response::SharedBody openapi;  ///< the document, as text
  json::Value manual_trigger;
  std::unique_ptr<WaitLists> waits;
  std::unique_ptr<catalog::DeadLetters> dead_letters;
  std::unique_ptr<catalog::Approvals> approvals;
  std::unique_ptr<Trail> trail;
  TimePoint started_at{};
  crypto::Key continuation_key{};  ///< seals what clients carry from one request to the next
  std::shared_ptr<ToolNames> tool_names{};
  std::string public_url{};  ///< where the installation is reached, without a slash at the end
};

/// One request on its way through a handler; answered exactly once.
struct Call {
  http::Request request;
  http::Responder responder;
  identity::Principal principal{};
  OrganizationId organization{};  ///< that the request acts in; the principal may do there what the route asks for
  json::Value body{};             ///< fits the route's shape, where it has one

  void reply(int status, std::string json) { responder.send(http::Response::json(status, std::move(json))); }
  void reply(http::Response response) { responder.send(std::move(response)); }
  void fail(const Error& error) { responder.send(http::problem(error, request)); }
};

/// The id in the path, or an error as if it did not exist: what is not an id names nothing.
template <class AnyId>
[[nodiscard]] Result<AnyId> path_id(const http::Request& request, std::string_view name, std::string_view code, std::string_view what) {
  const auto id = AnyId::parse(request.param(name));
  if (id) return *id;
  return Error(ErrorClass::not_found, std::string(code), "There is no " + std::string(what) + " of this id.");
}
[[nodiscard]] inline Result<WorkflowId> workflow_id(const http::Request& request) {
  return path_id<WorkflowId>(request, "workflow_id", "workflow.not_found", "workflow");
}
[[nodiscard]] inline Result<RunId> run_id(const http::Request& request) {
  return path_id<RunId>(request, "run_id", "run.not_found", "run");
}

// Handlers that stand in another file than their row.
namespace handlers {
void execute_workflow(Context& context, Call call);
void stream_run(Context& context, Call call);
}  // namespace handlers

}  // namespace pawl::api::detail

/// For handlers: binds the value or answers with the error and leaves.
#define PAWL_API_TRY(name, ...)       \
  auto name##_result = (__VA_ARGS__); \
  if (name##_result.has_error()) {    \
    call.fail(name##_result.error()); \
    return;                           \
  }                                   \
  auto name = std::move(name##_result).value()
/// The same for what answers nothing.
#define PAWL_API_TRY_VOID(...)                                               \
  if (const auto outcome_found = (__VA_ARGS__); outcome_found.has_error()) { \
    call.fail(outcome_found.error());                                        \
    return;                                                                  \
  }
#define PAWL_API_CHECK(...)                                      \
  if (const auto problem_found = (__VA_ARGS__); problem_found) { \
    call.fail(*problem_found);                                   \
    return;                                                      \
  }
