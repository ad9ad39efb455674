// `openapi`: calls an operation that an OpenAPI document describes (DSL, "OpenAPI call").

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "async/blocking_pool.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/http_exchanger.hpp"
#include "functions/detail/openapi_document.hpp"
#include "json/write.hpp"

namespace pawl::functions {
namespace {

using DocumentPtr = std::shared_ptr<const OpenApiDocument>;

constexpr std::size_t kMaxDocument = 16U << 20U;
constexpr std::size_t kMaxKept = 64;
constexpr std::chrono::minutes kKeepFor{5};

// Documents by where they are and who asks: what one may read another may not.
class DocumentCache {
 public:
  [[nodiscard]] DocumentPtr find(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto found = documents_.find(key);
    if (found == documents_.end() || std::chrono::steady_clock::now() >= found->second.good_until) return nullptr;
    return found->second.document;
  }
  void keep(const std::string& key, DocumentPtr document) {
    const std::lock_guard lock(mutex_);
    if (documents_.size() >= kMaxKept) documents_.clear();
    documents_[key] = {std::move(document), std::chrono::steady_clock::now() + kKeepFor};
  }

 private:
  struct Kept {
    DocumentPtr document;
    std::chrono::steady_clock::time_point good_until{};
  };
  std::mutex mutex_;
  std::unordered_map<std::string, Kept> documents_;
};

Result<Endpoint> document_endpoint(const engine::Invocation& call) {
  const json::Value& document = call.arguments.get("document");
  return read_endpoint(document.find("endpoint") != nullptr ? document.get("endpoint") : document, call.input);
}

std::string cache_key(const Endpoint& endpoint, const json::Value& secrets) {
  if (endpoint.authentication.is_null()) return endpoint.uri;
  return endpoint.uri + "\n" + sha256(json::to_text(endpoint.authentication) + json::to_text(secrets));
}

// Fetch the document, read it on the pool, make the call: the steps come on different threads.
class OpenApiCall : public std::enable_shared_from_this<OpenApiCall> {
 public:
  OpenApiCall(const Parts& parts, std::shared_ptr<DocumentCache> cache, engine::Invocation call, engine::Done done)
      : parts_(parts), cache_(std::move(cache)), call_(std::move(call)), done_(std::move(done)) {}

  void begin() {
    auto endpoint = document_endpoint(call_);
    if (endpoint.has_error()) return done_(failed(endpoint.error()));
    key_ = cache_key(*endpoint, call_.secrets);
    if (const DocumentPtr document = cache_->find(key_)) return make_call(*document);
    HttpCall request;
    request.request.url = endpoint->uri;
    request.request.headers.emplace_back("Accept", "application/json, application/yaml;q=0.9, */*;q=0.5");
    request.request.max_response_bytes = kMaxDocument;
    request.authentication = std::move(endpoint->authentication);
    const auto shown = std::make_shared<const HttpCall>(request);
    auto received = [self = shared_from_this(), shown](Result<net::OutboundResponse> answer) {
      self->read_document(*shown, std::move(answer));
    };
    const int step = next_step();
    under_way(step, parts_.http->send(std::move(request), call_.secrets, std::move(received)));
  }

  void cancel() {
    engine::Cancel current;
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
      current = current_;
    }
    if (current) current();
  }

 private:
  // A step that has begun makes the one before it past, whichever thread comes first.
  int next_step() {
    const std::lock_guard lock(mutex_);
    current_ = {};
    return ++step_;
  }
  void under_way(int step, engine::Cancel cancel) {
    {
      const std::lock_guard lock(mutex_);
      if (!cancelled_) {
        if (step == step_) current_ = std::move(cancel);
        return;
      }
    }
    if (cancel) cancel();
  }

  void read_document(const HttpCall& shown, Result<net::OutboundResponse> answer) {
    static_cast<void>(next_step());
    if (answer.has_error()) return done_(unanswered(shown, answer.error(), call_.secrets));
    if (answer->status != 200) return done_(to_outcome(shown, *answer, call_.secrets));
    auto response = std::make_shared<const net::OutboundResponse>(std::move(answer).value());
    const bool accepted = parts_.dependencies.pool.try_post([self = shared_from_this(), response] {
      auto document = OpenApiDocument::parse(response->body, response->effective_url);
      if (document.has_error()) return self->done_(failed(document.error()));
      auto shared = std::make_shared<const OpenApiDocument>(std::move(document).value());
      self->cache_->keep(self->key_, shared);
      self->make_call(*shared);
    });
    if (!accepted) done_(failed(Error(ErrorClass::limited, "openapi.overloaded", "too much blocking work is waiting already")));
  }

  void make_call(const OpenApiDocument& document) {
    HttpCall call;
    auto request = document.request(text_or(call_.arguments, "operationId", ""), call_.arguments.get("parameters"));
    if (request.has_error()) return done_(failed(request.error()));
    call.request = std::move(request).value();
    carry_effect(call.request, call_);
    call.request.follow_redirects = flag_or(call_.arguments, "redirect", false);
    call.request.max_response_bytes = parts_.options.max_response;
    call.authentication = call_.arguments.get("authentication");
    call.output = output_form(call_.arguments);
    const int step = next_step();
    auto finished = [self = shared_from_this()](engine::Outcome outcome) {
      static_cast<void>(self->next_step());
      self->done_(std::move(outcome));
    };
    under_way(step, parts_.http->perform(std::move(call), call_.secrets, std::move(finished)));
  }

  const Parts parts_;
  const std::shared_ptr<DocumentCache> cache_;
  const engine::Invocation call_;
  const engine::Done done_;
  std::string key_;
  std::mutex mutex_;
  engine::Cancel current_;
  int step_ = 0;
  bool cancelled_ = false;
};

class OpenApi final : public Builtin {
 public:
  explicit OpenApi(const Parts& parts)
      : Builtin(
            {.name = "openapi",
             .summary = "Calls an operation of a service that an OpenAPI document describes",
             .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "document": {"type": "object", "description": "{endpoint}: where the OpenAPI 2.0 or 3.x document is, JSON or YAML"},
                     "operationId": {"type": "string", "minLength": 1},
                     "parameters": {"type": "object", "description": "by name; the request body as body"},
                     "authentication": {"type": "object"},
                     "output": {"type": "string", "enum": ["raw", "content", "response"], "default": "content"},
                     "redirect": {"type": "boolean", "default": false}
                   },
                   "required": ["document", "operationId"],
                   "additionalProperties": false
                 })"),
             .output = literal(
                 R"({"description": "content: the decoded body; raw: base64 text; response: {request, statusCode, headers, content}"})"),
             .examples = literal(R"([
                   {"document": {"endpoint": "https://petstore.example/swagger.json"}, "operationId": "findPetsByStatus", "parameters": {"status": "available"}}
                 ])"),
             .reach = {{engine::Access::Kind::host, "/document/endpoint", ""},
                       {engine::Access::Kind::host, "/document/endpoint/uri", ""},
                       {engine::Access::Kind::host, "", "(the servers that the document names)"}}}),
        parts_(parts),
        cache_(std::make_shared<DocumentCache>()) {}

  // Only the document knows the method. Before it has been read the call is taken for one that writes, which is never wrong.
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override {
    const json::Value& document = arguments.get("document");
    const auto endpoint = read_endpoint(document.find("endpoint") != nullptr ? document.get("endpoint") : document, {});
    if (endpoint.has_error() || !endpoint->authentication.is_null()) return engine::EffectClass::idempotent;
    const DocumentPtr kept = cache_->find(endpoint->uri);
    if (!kept) return engine::EffectClass::idempotent;
    const auto method = kept->method_of(text_or(arguments, "operationId", ""));
    return method.has_value() && only_reads(*method) ? engine::EffectClass::read : engine::EffectClass::idempotent;
  }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY(endpoint, document_endpoint(call));
    return json::Value::array({json::Value::object({{"action", "request"},
                                                    {"document", without_userinfo(endpoint.uri)},
                                                    {"operation", call.arguments.get("operationId")},
                                                    {"parameters", call.arguments.get("parameters")}})});
  }
  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    auto operation = std::make_shared<OpenApiCall>(parts_, cache_, std::move(call), std::move(done));
    operation->begin();
    return [operation] { operation->cancel(); };
  }
  Parts parts_;
  std::shared_ptr<DocumentCache> cache_;
};

}  // namespace

std::unique_ptr<engine::Function> make_openapi(const Parts& parts) { return std::make_unique<OpenApi>(parts); }

}  // namespace pawl::functions
