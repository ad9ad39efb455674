// The functions that call services, against our own server on loopback.

#include <gmock/gmock.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <vector>

#include "async/io_threads.hpp"
#include "functions/testing/bench.hpp"
#include "http/server.hpp"
#include "json/write.hpp"
#include "net/curl_outbound.hpp"

namespace pawl::functions {
namespace {

using http::Method;
using http::Request;
using http::Responder;
using http::Response;
using testing::HasSubstr;
using testing::Not;

std::string describe(const Request& request) {
  json::Value query = json::Value::array();
  for (const auto& [name, value] : request.query) query.push_back(name + "=" + value);
  return json::to_text(json::Value::object({{"method", std::string(to_string(request.method))},
                                            {"target", request.target},
                                            {"query", std::move(query)},
                                            {"type", request.header("content-type")},
                                            {"auth", request.header("authorization")},
                                            {"key", request.header("idempotency-key")},
                                            {"custom", request.header("x-custom")},
                                            {"cookie", request.header("cookie")},
                                            {"body", request.body}}));
}

// The services of the world outside.
class HttpFunctions : public testing::Test {
 protected:
  void SetUp() override {
    threads_.start();
    server_.emplace(threads_, routes(), http::ServerOptions{});
    ASSERT_TRUE(server_->start().has_value());
  }
  void TearDown() override {
    {
      const std::lock_guard lock(mutex_);
      stalled_.clear();
    }
    server_.reset();
    threads_.stop();
  }

  http::Router routes() {
    http::Router router;
    const auto echo = [](Request&& request, Responder responder) { responder.send(Response::json(200, describe(request))); };
    for (const auto method : {Method::get, Method::post, Method::put, Method::patch, Method::delete_})
      router.add(method, "/echo/{tail...}", echo);
    router.add(Method::get, "/text", [](Request&&, Responder responder) { responder.send(Response::text(200, "plain")); });
    router.add(Method::get, "/bytes", [](Request&&, Responder responder) {
      responder.send(Response(200, "application/octet-stream", std::string("\xFF\x00", 2)));
    });
    router.add(Method::get, "/broken", [](Request&&, Responder responder) { responder.send(Response::json(200, "{oops")); });
    router.add(Method::get, "/status/{status}", [](Request&& request, Responder responder) {
      responder.send(Response::text(std::stoi(std::string(request.param("status"))), "said abcdefgh"));
    });
    router.add(Method::get, "/redirect",
               [](Request&&, Responder responder) { responder.send(Response::empty(302).with("Location", "/text")); });
    router.add(Method::get, "/stall", [this](Request&&, Responder responder) {
      const std::lock_guard lock(mutex_);
      stalled_.push_back(std::move(responder));
      ++stalled_count_;
      stalled_count_.notify_all();
    });
    router.add(Method::get, "/digest", [](Request&& request, Responder responder) {
      if (request.header("authorization").starts_with("Digest username=\"u\"")) return responder.send(Response::text(200, "in"));
      responder.send(Response::text(401, "who?").with("WWW-Authenticate", "Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=MD5"));
    });
    add_token_routes(router);
    add_document_routes(router);
    router.add(Method::get, "/page", [](Request&&, Responder responder) {
      responder.send(Response(200, "text/html", "<title>T</title><h1>One</h1><a class=x href=/a>A</a><a href=/b>B</a>"));
    });
    router.add(Method::get, "/script.py", [](Request&&, Responder responder) { responder.send(Response::text(200, "print('fetched')")); });
    return router;
  }

  void add_token_routes(http::Router& router) {
    router.add(Method::post, "/realm/oauth2/token", [this](Request&& request, Responder responder) {
      ++tokens_given_;
      {
        const std::lock_guard lock(mutex_);
        token_request_ = std::string(request.header("authorization")) + " " + request.body;
      }
      if (request.body.find("client_secret=wrong") != std::string::npos) {
        return responder.send(Response::json(401, R"({"error": "invalid_client", "error_description": "wrong is wrong"})"));
      }
      responder.send(Response::json(200, R"({"access_token": "token-)" + std::to_string(tokens_given_) + R"(", "expires_in": 3600})"));
    });
    router.add(Method::get, "/realm/.well-known/openid-configuration", [this](Request&&, Responder responder) {
      responder.send(Response::json(200, R"({"token_endpoint": ")" + url("/realm/oauth2/token") + "\"}"));
    });
  }

  void add_document_routes(http::Router& router) {
    router.add(Method::get, "/v2/swagger.json", [this](Request&&, Responder responder) {
      ++documents_given_;
      responder.send(Response::json(200, R"json({
        "swagger": "2.0", "basePath": "/echo/v2", "consumes": ["application/json"],
        "parameters": {"trace": {"name": "X-Custom", "in": "header", "type": "string"}},
        "paths": {
          "/pet/findByStatus": {"get": {"operationId": "findPetsByStatus",
            "parameters": [{"name": "status", "in": "query", "required": true, "type": "array", "collectionFormat": "multi"}]}},
          "/pet/{petId}": {
            "parameters": [{"name": "petId", "in": "path", "required": true, "type": "integer"}],
            "get": {"operationId": "getPetById", "parameters": [{"$ref": "#/parameters/trace"}]},
            "post": {"operationId": "updatePetWithForm", "consumes": ["application/x-www-form-urlencoded"],
              "parameters": [{"name": "name", "in": "formData", "type": "string"}]}},
          "/pet": {"post": {"operationId": "addPet", "parameters": [{"name": "pet", "in": "body", "required": true, "schema": {}}]}}
        }})json"));
    });
    router.add(Method::get, "/v3/openapi.yaml", [](Request&&, Responder responder) {
      responder.send(Response::text(200, R"(
openapi: 3.1.0
servers:
  - url: "../echo/{version}"
    variables: {version: {default: v3}}
paths:
  /items/{ids}:
    get:
      operationId: getItems
      parameters:
        - {name: ids, in: path, required: true, schema: {type: array}}
        - {name: tags, in: query, schema: {type: array}}
        - {name: piped, in: query, style: pipeDelimited, explode: false, schema: {type: array}}
        - {name: filter, in: query, style: deepObject, schema: {type: object}}
        - {name: session, in: cookie, schema: {type: string}}
  /items:
    post:
      operationId: addItem
      requestBody:
        $ref: "#/components/requestBodies/item"
    put:
      operationId: putForm
      requestBody:
        content: {application/x-www-form-urlencoded: {}}
components:
  requestBodies:
    item:
      required: true
      content: {application/json: {}}
)"));
    });
  }

  [[nodiscard]] std::string url(std::string_view path) const {
    return "http://127.0.0.1:" + std::to_string(server_->port()) + std::string(path);
  }
  // `@` in arguments stands for the server.
  engine::Outcome call(std::string_view function, std::string arguments, std::string_view input = "{}", std::string_view secrets = "{}") {
    for (std::size_t at = arguments.find('@'); at != std::string::npos; at = arguments.find('@', at)) arguments.replace(at, 1, url(""));
    return bench_.call(function, arguments, input, secrets);
  }
  static std::string text(const engine::Outcome& outcome) {
    return outcome.ok() ? json::to_text(outcome.output) : json::to_text(outcome.error);
  }

  async::IoThreads threads_{1};
  std::mutex mutex_;
  std::vector<Responder> stalled_;
  std::atomic<int> stalled_count_ = 0;
  std::atomic<int> tokens_given_ = 0;
  std::atomic<int> documents_given_ = 0;
  std::string token_request_;
  std::optional<http::Server> server_;
  net::CurlOutbound outbound_{{.policy = {.allow_private = true}}};
  Bench bench_{outbound_};
};

TEST_F(HttpFunctions, HttpSendsWhatItIsTold) {
  const auto got =
      call("http",
           R"({"method": "get", "endpoint": "@/echo/{id}?a=1", "query": {"b": [1, 2], "c": "x y", "d": null}, "headers": {"X-Custom": 7}})",
           R"({"id": "a b"})");
  EXPECT_EQ(json::to_text(got.output.get("query")), R"(["a=1","b=1","b=2","c=x y"])") << text(got);
  EXPECT_EQ(got.output.get("custom"), json::Value("7"));
  EXPECT_EQ(got.output.get("key"), json::Value(""));
  const auto posted = call("http", R"({"method": "post", "endpoint": {"uri": "@/echo/x"}, "body": {"n": 9007199254740993}})");
  EXPECT_EQ(posted.output.get("body"), json::Value(R"({"n":9007199254740993})")) << text(posted);
  EXPECT_EQ(posted.output.get("type"), json::Value("application/json"));
  EXPECT_EQ(posted.output.get("key"), json::Value("key-1"));
  const auto form = call(
      "http",
      R"({"method": "put", "endpoint": "@/echo/x", "headers": {"content-type": "application/x-www-form-urlencoded"}, "body": {"a": "x&y"}})");
  EXPECT_EQ(form.output.get("body"), json::Value("a=x%26y"));
}

TEST_F(HttpFunctions, HttpRefusesAUriWithAHole) {
  EXPECT_THAT(text(call("http", R"({"method": "delete", "endpoint": "@/echo/{id}"})")), HasSubstr("needs 'id'"));
}

TEST_F(HttpFunctions, HttpShapesItsOutput) {
  EXPECT_EQ(text(call("http", R"({"method": "get", "endpoint": "@/text"})")), "\"plain\"");
  EXPECT_EQ(text(call("http", R"({"method": "get", "endpoint": "@/text", "output": "raw"})")), "\"cGxhaW4=\"");
  EXPECT_EQ(text(call("http", R"({"method": "get", "endpoint": "@/bytes"})")), "\"/wA=\"");
  EXPECT_THAT(text(call("http", R"({"method": "get", "endpoint": "@/broken"})")), HasSubstr("communication"));
  const auto full = call(
      "http",
      R"({"method": "get", "endpoint": "@/text", "output": "response", "headers": {"X-Api-Key": "k", "X-Custom": "abcdefgh", "Accept": "a/b"}})",
      "{}", R"({"s": "abcdefgh"})");
  EXPECT_EQ(full.output.get("statusCode"), json::Value(200)) << text(full);
  EXPECT_EQ(full.output.get("content"), json::Value("plain"));
  EXPECT_EQ(full.output.get("request").get("method"), json::Value("GET"));
  EXPECT_EQ(full.output.get("request").get("uri"), json::Value(url("/text")));
  EXPECT_EQ(json::to_text(full.output.get("request").get("headers")), R"({"X-Custom":"***","Accept":"a/b"})");
  EXPECT_TRUE(full.output.get("headers").is_object());
}

TEST_F(HttpFunctions, HttpTurnsStatusesIntoErrors) {
  const auto outcome = call("http", R"({"method": "get", "endpoint": "@/status/503"})", "{}", R"({"s": "abcdefgh"})");
  EXPECT_EQ(outcome.error.get("status"), json::Value(503));
  EXPECT_THAT(text(outcome), HasSubstr("communication"));
  EXPECT_THAT(text(outcome), HasSubstr("said ***"));
  EXPECT_EQ(call("http", R"({"method": "get", "endpoint": "@/redirect"})").error.get("status"), json::Value(302));
  EXPECT_EQ(text(call("http", R"({"method": "get", "endpoint": "@/redirect", "redirect": true})")), "\"plain\"");
}

// proves: S4-M2
TEST_F(HttpFunctions, S4M2HttpEndsWhenItsTimeIsUp) {
  EXPECT_THAT(text(call("http", R"({"method": "get", "endpoint": "@/stall", "timeout": 0.2})")), HasSubstr("timeout"));
}

TEST_F(HttpFunctions, CancelEndsARequest) {
  auto [future, cancel] = bench_.start("http", bench_.invocation(R"({"method": "get", "endpoint": ")" + url("/stall") + "\"}"));
  stalled_count_.wait(0);
  cancel();
  EXPECT_FALSE(future.get().ok());
}

TEST_F(HttpFunctions, AuthenticationIsSentAndNeverShown) {
  const auto with = [&](const std::string& policy, std::string_view secrets = "{}") {
    return call("http", R"({"method": "get", "endpoint": {"uri": "@/echo/x", "authentication": )" + policy + "}}", "{}", secrets)
        .output.get("auth");
  };
  EXPECT_EQ(with(R"({"basic": {"username": "u", "password": "p"}})"), json::Value("Basic dTpw"));
  EXPECT_EQ(with(R"({"bearer": {"token": "t"}})"), json::Value("Bearer t"));
  EXPECT_EQ(with(R"({"bearer": {"use": "s"}})", R"({"s": {"token": "t2"}})"), json::Value("Bearer t2"));
  EXPECT_EQ(with(R"({"bearer": {"use": "s"}})", R"({"s": "t3"})"), json::Value("Bearer t3"));
  EXPECT_EQ(with(R"({"basic": {"use": "s"}})", R"({"s": "{\"username\": \"u\", \"password\": \"p\"}"})"), json::Value("Basic dTpw"));
  EXPECT_EQ(
      text(call("http",
                R"({"method": "get", "endpoint": {"uri": "@/digest", "authentication": {"digest": {"username": "u", "password": "p"}}}})")),
      "\"in\"");
  EXPECT_THAT(text(call("http", R"({"method": "get", "endpoint": {"uri": "@/text", "authentication": {"basic": {"use": "none"}}}})")),
              HasSubstr("'none'"));
  const auto shown = text(call(
      "http",
      R"({"method": "get", "output": "response", "endpoint": {"uri": "@/text", "authentication": {"basic": {"username": "user77", "password": "pass77"}}}})"));
  EXPECT_THAT(shown, Not(HasSubstr("pass77")));
  EXPECT_THAT(shown, Not(HasSubstr("Basic")));
}

TEST_F(HttpFunctions, TokensAreFetchedOnceAndKept) {
  const std::string arguments =
      R"({"method": "get", "endpoint": {"uri": "@/echo/x", "authentication": {"oauth2": {"authority": "@/realm", "grant": "client_credentials",
         "client": {"id": "c", "secret": "s"}, "scopes": ["a", "b"]}}}})";
  EXPECT_EQ(call("http", arguments).output.get("auth"), json::Value("Bearer token-1"));
  EXPECT_EQ(call("http", arguments).output.get("auth"), json::Value("Bearer token-1"));
  EXPECT_EQ(tokens_given_, 1);
  EXPECT_EQ(token_request_, " grant_type=client_credentials&scope=a%20b&client_id=c&client_secret=s");
}

TEST_F(HttpFunctions, TokensComeByEveryGrant) {
  const auto body = [&](const std::string& settings) {
    const auto outcome =
        call("http", R"({"method": "get", "endpoint": {"uri": "@/echo/x", "authentication": {"oauth2": {"authority": "@/realm", )" +
                         settings + "}}}}");
    EXPECT_THAT(text(outcome), HasSubstr("Bearer token-"));
    return token_request_;
  };
  EXPECT_EQ(body(R"("grant": "password", "username": "u", "password": "p", "client": {"id": "c", "authentication": "none"})"),
            " grant_type=password&username=u&password=p&client_id=c");
  EXPECT_EQ(body(R"("grant": "refresh_token", "subject": {"token": "r", "type": "x"})"), " grant_type=refresh_token&refresh_token=r");
  EXPECT_EQ(body(R"("grant": "client_credentials", "client": {"id": "c", "secret": "s", "authentication": "client_secret_basic"})"),
            "Basic Yzpz grant_type=client_credentials");
  EXPECT_EQ(body(R"("grant": "client_credentials", "request": {"encoding": "application/json"}, "client": {"id": "c", "secret": "s"})"),
            R"( {"grant_type":"client_credentials","client_id":"c","client_secret":"s"})");
}

TEST_F(HttpFunctions, OidcDiscoversItsTokenEndpoint) {
  const auto outcome = call(
      "http",
      R"({"method": "get", "endpoint": {"uri": "@/echo/x", "authentication": {"oidc": {"authority": "@/realm", "grant": "client_credentials",
                                       "client": {"id": "c", "secret": "s"}}}}})");
  EXPECT_THAT(text(outcome), HasSubstr("Bearer token-1"));
}

TEST_F(HttpFunctions, ARefusedTokenIsAnAuthenticationErrorWithoutTheSecret) {
  const auto outcome = call(
      "http",
      R"({"method": "get", "endpoint": {"uri": "@/echo/x", "authentication": {"oauth2": {"authority": "@/realm", "grant": "client_credentials",
                                       "client": {"id": "c", "secret": "wrong"}}}}})");
  EXPECT_EQ(outcome.error.get("status"), json::Value(401));
  EXPECT_THAT(text(outcome), HasSubstr("invalid_client"));
  EXPECT_THAT(text(outcome), Not(HasSubstr("wrong is wrong")));
}

// proves: S4-O10
TEST_F(HttpFunctions, S4O10PrivateAddressesAreRefusedUnlessAllowed) {
  net::CurlOutbound guarded{{}};
  Bench bench(guarded);
  for (const std::string& target : {url("/text"), std::string("http://localhost:1/"), std::string("http://169.254.169.254/latest"),
                                    std::string("http://[::1]/"), std::string("http://2130706433/")}) {
    for (const std::string& call :
         {R"(http|{"method": "get", "endpoint": ")" + target + "\"}", R"(http-task|{"url": ")" + target + "\"}",
          R"(web-scraper|{"url": ")" + target + R"(", "selectors": {"a": "a"}})",
          R"(openapi|{"document": {"endpoint": ")" + target + R"("}, "operationId": "x"})",
          R"(run.script|{"language": "js", "source": {"endpoint": ")" + target + "\"}}",
          R"(http|{"method": "get", "endpoint": {"uri": "http://example.invalid/", "authentication": {"oauth2": {"authority": ")" + target +
              R"(", "grant": "client_credentials"}}}})"}) {
      const std::size_t bar = call.find('|');
      const auto outcome = bench.call(call.substr(0, bar), call.substr(bar + 1));
      ASSERT_FALSE(outcome.ok()) << call;
      EXPECT_EQ(outcome.error.get("status"), json::Value(403)) << call << text(outcome);
    }
  }
  EXPECT_EQ(documents_given_ + tokens_given_ + stalled_count_, 0);
}

TEST_F(HttpFunctions, HttpTaskDescribesTheAnswer) {
  const auto outcome = call("http-task", R"({"url": "@/echo/x", "method": "post", "payload": {"a": 1}, "timeout": 5})");
  EXPECT_EQ(outcome.output.get("status_code"), json::Value(200)) << text(outcome);
  EXPECT_EQ(outcome.output.get("response_json").get("body"), json::Value(R"({"a":1})"));
  EXPECT_EQ(outcome.output.get("response_json").get("key"), json::Value("key-1"));
  EXPECT_EQ(call("http-task", R"({"url": "@/status/404"})").error.get("status"), json::Value(404));
}

TEST_F(HttpFunctions, OpenApi2CallsOperations) {
  const auto operation = [&](const std::string& id, const std::string& parameters) {
    return call("openapi",
                R"({"document": {"endpoint": "@/v2/swagger.json"}, "operationId": ")" + id + R"(", "parameters": )" + parameters + "}");
  };
  EXPECT_EQ(operation("findPetsByStatus", R"({"status": "available"})").output.get("target"),
            json::Value("/echo/v2/pet/findByStatus?status=available"));
  EXPECT_EQ(operation("findPetsByStatus", R"({"status": ["a", "b"]})").output.get("target"),
            json::Value("/echo/v2/pet/findByStatus?status=a&status=b"));
  const auto pet = operation("getPetById", R"({"petId": 1, "X-Custom": "c"})");
  EXPECT_EQ(pet.output.get("target"), json::Value("/echo/v2/pet/1")) << text(pet);
  EXPECT_EQ(pet.output.get("custom"), json::Value("c"));
  EXPECT_EQ(operation("updatePetWithForm", R"({"petId": 1, "name": "Rex & Co"})").output.get("body"), json::Value("name=Rex%20%26%20Co"));
  const auto added = operation("addPet", R"({"pet": {"name": "x"}})");
  EXPECT_EQ(added.output.get("body"), json::Value(R"({"name":"x"})")) << text(added);
  EXPECT_EQ(added.output.get("key"), json::Value("key-1"));
  EXPECT_EQ(operation("addPet", R"({"name": "x"})").output.get("body"), json::Value(R"({"name":"x"})"));
  EXPECT_EQ(documents_given_, 1);
}

TEST_F(HttpFunctions, OpenApi3CallsOperations) {
  const auto operation = [&](const std::string& id, const std::string& parameters) {
    return call("openapi", R"({"document": {"endpoint": {"uri": "@/v3/openapi.yaml"}}, "operationId": ")" + id + R"(", "parameters": )" +
                               parameters + "}");
  };
  const auto got =
      operation("getItems", R"({"ids": ["a", "b c"], "tags": ["x", "y"], "piped": [1, 2], "filter": {"k": "v"}, "session": "s"})");
  EXPECT_THAT(text(got), HasSubstr(R"("/echo/v3/items/a,b%20c?tags=x&tags=y&piped=1%7C2&filter%5Bk%5D=v")"));
  EXPECT_EQ(got.output.get("cookie"), json::Value("session=s"));
  EXPECT_EQ(operation("addItem", R"({"body": [1]})").output.get("body"), json::Value("[1]"));
  EXPECT_EQ(operation("addItem", R"({"a": 1})").output.get("body"), json::Value(R"({"a":1})"));
  EXPECT_EQ(operation("putForm", R"({"a": 1})").output.get("body"), json::Value("a=1"));
  EXPECT_THAT(text(operation("addItem", "{}")), HasSubstr("body is required"));
}

TEST_F(HttpFunctions, OpenApiNamesWhatIsWrong) {
  const auto operation = [&](const std::string& rest) {
    return text(call("openapi", R"({"document": {"endpoint": "@/v2/swagger.json"}, )" + rest + "}"));
  };
  EXPECT_THAT(operation(R"("operationId": "getPetById", "parameters": {})"), HasSubstr("'petId' (path) is required"));
  EXPECT_THAT(operation(R"("operationId": "getPetById", "parameters": {"petId": 1, "nonsense": 2})"), HasSubstr("no parameter 'nonsense'"));
  EXPECT_THAT(operation(R"("operationId": "getPetById", "parameters": {"petId": ".."})"), HasSubstr("may not be"));
  EXPECT_THAT(operation(R"("operationId": "nothing")"), HasSubstr("findPetsByStatus"));
  EXPECT_THAT(text(call("openapi", R"({"document": {"endpoint": "@/text"}, "operationId": "x"})")), HasSubstr("not an OpenAPI document"));
  EXPECT_THAT(text(call("openapi", R"({"document": {"endpoint": "@/status/404"}, "operationId": "x"})")), HasSubstr("communication"));
}

TEST_F(HttpFunctions, OpenApiKnowsWhatReadsOnceItKnowsTheDocument) {
  const auto* function = bench_.registry.get("openapi");
  const auto arguments = bench_
                             .invocation(R"({"document": {"endpoint": ")" + url("/v2/swagger.json") +
                                         R"("}, "operationId": "getPetById", "parameters": {"petId": 1}})")
                             .arguments;
  EXPECT_EQ(function->effect_class(arguments), engine::EffectClass::idempotent);
  call("openapi", json::to_text(arguments));
  EXPECT_EQ(function->effect_class(arguments), engine::EffectClass::read);
}

TEST_F(HttpFunctions, WebScraperPicksBySelectors) {
  const auto outcome = call(
      "web-scraper",
      R"({"url": "@/page", "selectors": {"heads": "h1", "links": "a[href]#href", "first": {"selector": "a", "attribute": "href", "all": false},
                                              "none": {"selector": "b", "all": false}}})");
  EXPECT_FALSE(outcome.ok() && outcome.output.get("data").get("links").size() > 0);  // `#` is not the sign for attributes
  auto arguments =
      json::parse(R"({"selectors": {"heads": "h1", "links": "a[href]@href", "first": {"selector": "a", "attribute": "href", "all": false},
                                   "none": {"selector": "b", "all": false}}})");
  arguments->set("url", url("/page"));
  const auto scraped = bench_.call("web-scraper", json::to_text(*arguments));
  EXPECT_EQ(scraped.output.get("title"), json::Value("T")) << text(scraped);
  EXPECT_EQ(json::to_text(scraped.output.get("data")), R"({"heads":["One"],"links":["/a","/b"],"first":"/a","none":null})");
  EXPECT_THAT(text(call("web-scraper", R"({"url": "@/page", "selectors": {"x": "a["}})")), HasSubstr("css.syntax"));
  EXPECT_EQ(call("web-scraper", R"({"url": "@/status/500", "selectors": {"x": "a"}})").error.get("status"), json::Value(500));
}

TEST_F(HttpFunctions, ScriptsComeFromServices) {
  EXPECT_EQ(text(call("run.script", R"({"language": "python", "source": {"endpoint": "@/script.py"}})")), R"("fetched\n")");
  EXPECT_EQ(call("run.script", R"({"language": "python", "source": {"endpoint": "@/status/404"}})").error.get("status"), json::Value(404));
}

}  // namespace
}  // namespace pawl::functions
