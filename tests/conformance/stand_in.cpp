#include "stand_in.hpp"

#include <charconv>
#include <map>
#include <mutex>

#include "async/io_threads.hpp"
#include "base/assert.hpp"
#include "http/server.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::conformance {
namespace {

using http::Method;
using http::Request;
using http::Responder;
using http::Response;
using json::Value;

Response reply(const Value& value, int status = 200) { return Response::json(status, json::to_text(value)); }

Value pet(std::int64_t id, std::string_view status) {
  return Value::object({{"id", id},
                        {"name", "pet-" + std::to_string(id)},
                        {"category", Value::object({{"id", 1}, {"name", "dogs"}})},
                        {"photoUrls", Value::array()},
                        {"tags", Value::array()},
                        {"status", status}});
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The operations that documents call, in Swagger 2.0.
Value swagger() {
  const auto parameter = [](std::string_view name, std::string_view in, bool required, std::string_view type) {
    return Value::object({{"name", name}, {"in", in}, {"required", required}, {"type", type}});
  };
  const auto operation = [](std::string_view id, std::vector<Value> parameters) {
    return Value::object({{"operationId", id},
                          {"produces", Value::array({"application/json"})},
                          {"parameters", Value::array(std::move(parameters))},
                          {"responses", Value::object({{"200", Value::object({{"description", "ok"}})}})}});
  };
  const Value body = Value::object({{"name", "body"}, {"in", "body"}, {"required", true}, {"schema", Value::object({{"type", "object"}})}});
  return Value::object(
      {{"swagger", "2.0"},
       {"info", Value::object({{"title", "Petstore"}, {"version", "1.0.0"}})},
       {"host", "petstore.swagger.io"},
       {"basePath", "/v2"},
       {"schemes", Value::array({"https", "http"})},
       {"paths",
        Value::object(
            {{"/pet", Value::object({{"post", operation("addPet", {body})}, {"put", operation("updatePet", {body})}})},
             {"/pet/findByStatus", Value::object({{"get", operation("findPetsByStatus", {parameter("status", "query", true, "string")})}})},
             {"/pet/{petId}", Value::object({{"get", operation("getPetById", {parameter("petId", "path", true, "integer")})},
                                             {"delete", operation("deletePet", {parameter("petId", "path", true, "integer")})}})}})}});
}

void add_petstore(http::Router& router) {
  router.add(Method::get, "/v2/swagger.json", [](Request&&, Responder responder) { responder.send(reply(swagger())); });
  router.add(Method::get, "/v2/pet/findByStatus", [](Request&& request, Responder responder) {
    const auto status = request.query_value("status").value_or("available");
    responder.send(reply(Value::array({pet(1, status), pet(2, status), pet(3, status)})));
  });
  router.add(Method::get, "/v2/pet/{id}", [](Request&& request, Responder responder) {
    const auto id = number(request.param("id"));
    if (!id || *id < 1 || *id > 1000)
      return responder.send(reply(Value::object({{"code", 1}, {"type", "error"}, {"message", "Pet not found"}}), 404));
    responder.send(reply(pet(*id, "available")));
  });
  const auto echo_pet = [](Request&& request, Responder responder) {
    auto body = json::parse(request.body);
    responder.send(body.has_value() ? reply(body.value()) : Response::json(400, "{}"));
  };
  router.add(Method::post, "/v2/pet", echo_pet);
  router.add(Method::put, "/v2/pet", echo_pet);
  router.add(Method::put, "/v2/pet/{id}", echo_pet);
}

void add_swapi(http::Router& router, const std::string& address) {
  router.add(Method::get, "/api/people/{id}/", [address](Request&& request, Responder responder) {
    responder.send(
        reply(Value::object({{"name", "Luke Skywalker"}, {"id", request.param("id")}, {"homeworld", address + "/api/planets/1/"}})));
  });
  router.add(Method::get, "/api/people/{id}", [address](Request&& request, Responder responder) {
    responder.send(
        reply(Value::object({{"name", "Luke Skywalker"}, {"id", request.param("id")}, {"homeworld", address + "/api/planets/1/"}})));
  });
  router.add(Method::get, "/api/people/", [](Request&& request, Responder responder) {
    responder.send(reply(Value::object({{"count", 1}, {"search", request.query_value("search").value_or("")}})));
  });
  router.add(Method::get, "/api/planets/{id}/", [](Request&&, Responder responder) {
    responder.send(reply(Value::object({{"name", "Tatooine"}})));
  });
}

/// What httpbin's `/anything` says about a request.
Value described(const Request& request) {
  Value headers = Value::object();
  for (const auto field : request.headers) headers.set(field.name, std::string(field.value));
  Value arguments = Value::object();
  for (const auto& [name, value] : request.query) arguments.set(name, value);
  auto body = json::parse(request.body);
  return Value::object({{"method", http::to_string(request.method)},
                        {"path", request.target.substr(0, request.target.find('?'))},
                        {"headers", std::move(headers)},
                        {"args", std::move(arguments)},
                        {"data", request.body},
                        {"json", body.has_value() ? std::move(body).value() : Value()}});
}

constexpr Method kAllMethods[] = {Method::get, Method::post, Method::put, Method::patch, Method::delete_};

std::string base64(std::string_view text) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j) bits = bits << 8 | (i + j < text.size() ? static_cast<unsigned char>(text[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j) out += i + j > text.size() ? '=' : kAlphabet[bits >> (18 - 6 * j) & 63U];
  }
  return out;
}

void add_httpbin(http::Router& router) {
  for (const auto method : kAllMethods) {
    router.add(method, "/anything", [](Request&& request, Responder responder) { responder.send(reply(described(request))); });
    router.add(method, "/anything/{rest...}", [](Request&& request, Responder responder) { responder.send(reply(described(request))); });
    router.add(method, "/status/{code}", [](Request&& request, Responder responder) {
      responder.send(
          reply(Value::object({{"status", request.param("code")}}), static_cast<int>(number(request.param("code")).value_or(500))));
    });
  }
  router.add(Method::get, "/get", [](Request&& request, Responder responder) { responder.send(reply(described(request))); });
  router.add(Method::post, "/post", [](Request&& request, Responder responder) { responder.send(reply(described(request))); });
  router.add(Method::get, "/redirect", [](Request&&, Responder responder) { responder.send(Response(302).with("Location", "/arrived")); });
  router.add(Method::get, "/arrived", [](Request&&, Responder responder) { responder.send(reply(Value::object({{"arrived", true}}))); });
  router.add(Method::get, "/bearer", [](Request&& request, Responder responder) {
    const auto given = request.header("Authorization");
    if (!given.starts_with("Bearer ")) return responder.send(Response(401).with("WWW-Authenticate", "Bearer"));
    responder.send(reply(Value::object({{"authenticated", true}, {"token", given.substr(7)}})));
  });
  router.add(Method::get, "/basic-auth/{user}/{password}", [](Request&& request, Responder responder) {
    const auto expected = "Basic " + base64(std::string(request.param("user")) + ":" + std::string(request.param("password")));
    if (request.header("Authorization") != expected) return responder.send(Response(401).with("WWW-Authenticate", "Basic realm=\"test\""));
    responder.send(reply(Value::object({{"authenticated", true}, {"user", request.param("user")}})));
  });
}

/// `/flaky/{key}/{failures}`: 503 that many times for each key, then the number of tries.
class Flaky {
 public:
  Response answer(const Request& request) {
    const auto failures = number(request.param("failures")).value_or(0);
    const std::lock_guard lock(mutex_);
    const auto tries = ++tries_[std::string(request.param("key"))];
    if (tries <= failures) return reply(Value::object({{"attempts", tries}}), 503);
    return reply(Value::object({{"attempts", tries}}));
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::int64_t> tries_;
};

}  // namespace

struct StandIn::Impl {
  async::IoThreads threads{1};
  Flaky flaky;
  std::unique_ptr<http::Server> server;
};

StandIn::StandIn() : impl_(std::make_unique<Impl>()) {
  impl_->threads.start();
  http::Router router;
  add_petstore(router);
  add_httpbin(router);
  add_swapi(router, "https://swapi.dev");
  router.add(Method::get, "/flaky/{key}/{failures}",
             [this](Request&& request, Responder responder) { responder.send(impl_->flaky.answer(request)); });
  impl_->server = std::make_unique<http::Server>(impl_->threads, std::move(router), http::ServerOptions{});
  const auto started = impl_->server->start();
  PAWL_ASSERT(started.has_value(), "the stand-in must find a free port");
}

StandIn::~StandIn() {
  impl_->server->stop();
  impl_->server.reset();
  impl_->threads.stop();
}

std::string StandIn::address() const { return "http://127.0.0.1:" + std::to_string(impl_->server->port()); }

HostMap StandIn::hosts() const {
  HostMap hosts;
  for (const auto* host : {"petstore.swagger.io", "httpbin.org", "swapi.dev"}) {
    hosts[std::string("https://") + host] = address();
    hosts[std::string("http://") + host] = address();
  }
  return hosts;
}

}  // namespace pawl::conformance
