/// The route table's row: what a route is called, who may use it, what it takes and gives, and who answers.
///
/// A theme (`routes/workflows.cpp`) returns its rows; `route_table()` is all of them. From the rows come the router behind the gate, the
/// OpenAPI document, the documentation page, and the tests that walk every route. A row without a permission cannot be written: the
/// member has no default.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "api/shape.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"
#include "http/request.hpp"
#include "identity/principal.hpp"

namespace pawl::api {

using identity::Permission;

namespace detail {
struct Context;
struct Call;
}  // namespace detail

/// On which budget a request is counted.
enum class RateClass : std::uint8_t {
  none,     ///< health and documentation
  general,  ///< per principal
  auth,     ///< few a minute, per address and per account: whatever takes a password or a code
  hook,     ///< per webhook token
  model,    ///< what asks a model: `general`, and a budget of its own per principal
};

/// Where a handler runs: on the connection's io thread (it must not block), or on the blocking pool.
enum class Runs : std::uint8_t { here, pool };

/// What a request carries besides its path and query.
enum class Body : std::uint8_t {
  none,      ///< nothing; what is sent is not looked at
  json,      ///< an object of the row's `request` shape
  optional,  ///< the same, or nothing, which counts as `{}`
  raw,       ///< the handler reads `Request::body` itself
};

/// What a route may answer besides its `reply`: another status of success, another media type of the same one, or a failure that says
/// more than a problem does.
struct OtherReply {
  int status;
  std::string_view description;
  std::string_view type = "application/json";
  std::optional<Shape> shape{};
};

struct Parameter {
  std::string_view name;
  Shape shape;
  std::string_view description{};
};

/// Of routes with an object in the path: which organization does it belong to?
struct Owner {
  /// Tells `done` once, on any thread, possibly before it returns. An error of class `not_found` where there is no such object.
  void (*find)(detail::Context& context, const http::Request& request, std::function<void(Result<OrganizationId>)> done);
  /// How the answer reads where there is no such object, or only one of an organization that the caller does not belong to: the two
  /// cannot be told apart.
  std::string_view code;  ///< `workflow.not_found`
  std::string_view what;  ///< `workflow`
};
using Handler = void (*)(detail::Context& context, detail::Call call);

struct Route {
  http::Method method;
  std::string_view path;     ///< `/api/...` without the version
  std::string_view id;       ///< OpenAPI's operationId, `listWorkflows`
  std::string_view tag;      ///< the theme
  std::string_view summary;  ///< one line
  Permission permission;
  Handler handler;
  Runs runs = Runs::here;
  RateClass rate = RateClass::general;
  /// Null: the request acts in the organization that it names (`organization_id` in query or body, header `X-Organization-Id`), else in
  /// the caller's own.
  const Owner* owner = nullptr;
  std::vector<Parameter> query{};
  Body body = Body::none;
  std::optional<Shape> request{};  ///< of `json` and `optional`
  int status = 200;                ///< of success
  std::optional<Shape> reply{};    ///< none: no JSON comes back
  std::string_view reply_type = "application/json";
  std::vector<OtherReply> other_replies{};
  std::string_view description{};
};

/// Every route there is, by theme.
[[nodiscard]] std::span<const Route> route_table();

/// The OpenAPI 3.1 document of the table.
[[nodiscard]] json::Value openapi_document(std::span<const Route> routes, std::string_view version);

/// Path parameters of a pattern, in order.
[[nodiscard]] std::vector<std::string_view> path_parameters(std::string_view pattern);

}  // namespace pawl::api
