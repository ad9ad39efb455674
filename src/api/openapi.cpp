// The OpenAPI 3.1 document, from the route table alone.
#include <algorithm>

#include "api/detail/deprecation.hpp"
#include "api/route.hpp"

namespace pawl::api {
namespace {

using http::Method;
using json::Value;

std::string_view method_key(Method method) {
  switch (method) {
    case Method::get: return "get";
    case Method::head: return "head";
    case Method::post: return "post";
    case Method::put: return "put";
    case Method::patch: return "patch";
    case Method::delete_: return "delete";
    case Method::options: return "options";
  }
  return "";
}

Shape finding_shape() {
  return Shape::object("Finding", {{"pointer", Shape::text("/definition/do/0", 10'000)},
                                   {"message", Shape::text("is not known here", 10'000)},
                                   {"severity", Shape::choice({"error", "warning"})},
                                   {"line", Shape::integer(3), Shape::kOptional},
                                   {"column", Shape::integer(5), Shape::kOptional},
                                   {"rule", Shape::text("unknown-property"), Shape::kOptional},
                                   {"suggestion", Shape::text("definition"), Shape::kOptional}});
}

Shape problem_shape() {
  return Shape::object("Problem", {{"type", Shape::text("urn:pawl:error:run.not-found")},
                                   {"title", Shape::text("Not found")},
                                   {"status", Shape::integer(404, 400, 599)},
                                   {"detail", Shape::text("There is no run of this id.", 10'000)},
                                   {"instance", Shape::text("/api/runs/0198c5f2-7a10-7c3e-9d4b-2f6a8e1b3c5d", 10'000)},
                                   {"code", Shape::text("run.not_found")},
                                   {"request_id", Shape::text("0198c5f2-7a10-7c3e-9d4b-2f6a8e1b3c5d")},
                                   {"errors", Shape::array(finding_shape()), Shape::kOptional}});
}

/// Collects the named schemas while the document is written.
class Writer {
 public:
  explicit Writer(std::string_view version) : version_(version) {}

  void add(const Route& route) {
    auto item = paths_.take(route.path);
    if (!item.is_object()) item = Value::object();
    item.set(method_key(route.method), operation(route));
    paths_.set(route.path, std::move(item));
    if (tags_.find(route.tag) == nullptr) tags_.set(route.tag, Value::object({{"name", route.tag}}));
  }

  [[nodiscard]] Value finish() {
    auto responses = Value::object();
    for (const auto& [name, description] : kProblems) responses.set(name, problem(description));
    auto tags = Value::array();
    for (const auto& tag : tags_.members()) tags.push_back(tag.value);
    const auto bearer = Value::object({{"type", "http"}, {"scheme", "bearer"}, {"description", "An access token or an API key."}});
    return Value::object(
        {{"openapi", "3.1.0"},
         {"info", Value::object({{"title", "Pawl"},
                                 {"version", version_},
                                 {"summary", "Durable workflows over HTTP."},
                                 {"description",
                                  "Errors are application/problem+json (RFC 9457). Lists are paged by cursor. Every path below "
                                  "/api is served below /api/v1 too."},
                                 {"contact", Value::object({{"name", "The makers of Pawl"}})},
                                 {"license", Value::object({{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}})}})},
         {"servers", Value::array({Value::object({{"url", "/"}, {"description", "This installation"}})})},
         {"tags", std::move(tags)},
         {"paths", std::move(paths_)},
         {"components", Value::object({{"schemas", std::move(schemas_)},
                                       {"responses", std::move(responses)},
                                       {"securitySchemes", Value::object({{"bearer", bearer}})}})}});
  }

 private:
  static constexpr std::string_view kJson = "application/json";
  static constexpr std::pair<std::string_view, std::string_view> kProblems[] = {
      {"BadRequest", "The request is malformed: not JSON, or a query parameter that is not known."},
      {"Unauthorized", "Nobody is signed in, or the token is not valid."},
      {"Forbidden", "The caller's role does not permit this."},
      {"NotFound", "There is no such thing, or it belongs to an organization that the caller is no member of."},
      {"Unprocessable", "The body has problems; all of them are listed."},
      {"TooManyRequests", "Too many requests; `Retry-After` says when to come back."},
      {"Failure", "Something else is in the way; `code` says what."}};

  [[nodiscard]] Value schema(const Shape& shape) {
    return shape.schema([this](std::string_view name, Value defined) {
      if (schemas_.find(name) == nullptr) schemas_.set(name, std::move(defined));
    });
  }

  [[nodiscard]] Value content(std::string_view type, const Shape& shape) {
    return Value::object({{type, Value::object({{"schema", schema(shape)}, {"example", shape.example()}})}});
  }

  [[nodiscard]] Value problem(std::string_view description) {
    return Value::object({{"description", description}, {"content", content("application/problem+json", problem_shape())}});
  }

  [[nodiscard]] Value parameter(std::string_view name, std::string_view place, const Shape& shape, std::string_view description) {
    return Value::object({{"name", name},
                          {"in", place},
                          {"required", place == "path"},
                          {"description", description},
                          {"schema", schema(shape)},
                          {"example", shape.example()}});
  }

  [[nodiscard]] Value parameters(const Route& route) {
    auto all = Value::array();
    for (const auto name : path_parameters(route.path)) {
      const bool is_id = name.ends_with("_id") || name == "id";
      const bool is_number = name == "version" || name == "a" || name == "b";
      auto shape = is_id ? Shape::id() : is_number ? Shape::integer(1, 1) : Shape::text(name == "provider" ? "google" : "example");
      all.push_back(parameter(name, "path", shape, "Part of the path."));
    }
    for (const auto& each : route.query) all.push_back(parameter(each.name, "query", each.shape, each.description));
    if (identity::required_role(route.permission)) {
      const bool named_already = route.path.find("{org_id}") != std::string_view::npos;
      if (!named_already) {
        all.push_back(parameter("organization_id", "query", Shape::id("0198c5f2-0000-7000-8000-000000000001"),
                                "The organization to act in; the caller's own where it is left out."));
      }
    }
    return all;
  }

  /// Of what has no shape it is known that it is text.
  [[nodiscard]] Value content_of(std::string_view type, const std::optional<Shape>& shape) {
    if (shape) return content(type, *shape);
    return Value::object({{type, Value::object({{"schema", Value::object({{"type", "string"}})}})}});
  }

  void add_reply(Value& all, const OtherReply& reply) {
    const auto status = std::to_string(reply.status);
    auto response = all.take(status);
    if (!response.is_object()) response = Value::object({{"description", reply.description}});
    const bool has_body = reply.shape || reply.type != kJson;
    if (has_body) {
      auto contents = response.take("content");
      if (!contents.is_object()) contents = Value::object();
      const auto added = content_of(reply.type, reply.shape);
      contents.set(reply.type, added.get(reply.type));
      // The gate in front of the route answers with problems.
      constexpr std::string_view kProblem = "application/problem+json";
      if (reply.status >= 400) contents.set(kProblem, content(kProblem, problem_shape()).get(kProblem));
      response.set("content", std::move(contents));
    }
    all.set(status, std::move(response));
  }

  [[nodiscard]] Value responses(const Route& route) {
    auto all = Value::object();
    add_reply(all, {route.status, route.status == 204 ? "Done." : route.summary, route.reply_type, route.reply});
    for (const auto& other : route.other_replies) add_reply(all, other);
    const auto refer = [&](std::string_view status, std::string_view name) {
      if (all.find(status) != nullptr) return;  // the route answers so itself, beside the problems of all routes
      all.set(status, Value::object({{"$ref", "#/components/responses/" + std::string(name)}}));
    };
    const bool open = route.permission == Permission::open;
    if (!open || route.body != Body::none || !route.query.empty()) refer("400", "BadRequest");
    if (!open) refer("401", "Unauthorized");
    if (!open) refer("403", "Forbidden");
    if (route.path.find('{') != std::string_view::npos) refer("404", "NotFound");
    if (route.request) refer("422", "Unprocessable");
    if (route.rate != RateClass::none) refer("429", "TooManyRequests");
    refer("default", "Failure");
    return all;
  }

  [[nodiscard]] Value operation(const Route& route) {
    auto operation = Value::object({{"operationId", route.id},
                                    {"tags", Value::array({route.tag})},
                                    {"summary", route.summary},
                                    {"description", route.description.empty() ? route.summary : route.description},
                                    {"x-pawl-permission", identity::to_text(route.permission)}});
    if (detail::is_deprecated(route.path)) operation.set("deprecated", true);
    if (auto all = parameters(route); !all.empty()) operation.set("parameters", std::move(all));
    if (route.request) {
      const std::string_view type = route.body == Body::raw ? "application/cloudevents+json" : "application/json";
      operation.set("requestBody", Value::object({{"required", route.body != Body::optional}, {"content", content(type, *route.request)}}));
    }
    operation.set("responses", responses(route));
    const bool open = route.permission == Permission::open;
    operation.set("security", open ? Value::array() : Value::array({Value::object({{"bearer", Value::array()}})}));
    return operation;
  }

  std::string_view version_;
  Value paths_ = Value::object();
  Value tags_ = Value::object();
  Value schemas_ = Value::object();
};

}  // namespace

json::Value openapi_document(std::span<const Route> routes, std::string_view version) {
  Writer writer(version);
  for (const auto& route : routes) writer.add(route);
  return writer.finish();
}

}  // namespace pawl::api
