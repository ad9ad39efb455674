#include "api/detail/cors.hpp"

#include <algorithm>

namespace pawl::api::detail {
namespace {

bool is_allowed(const std::vector<std::string>& origins, std::string_view origin) {
  return !origin.empty() &&
         std::any_of(origins.begin(), origins.end(), [&](const std::string& known) { return known == "*" || known == origin; });
}

void add_fields(http::Headers& headers, std::string_view origin) {
  headers.add("Access-Control-Allow-Origin", origin);
  headers.add("Access-Control-Expose-Headers", "Location, X-Request-Id");
  headers.add("Vary", "Origin");
}

class CorsSink final : public http::ResponseSink {
 public:
  CorsSink(http::Responder inner, std::string origin) : inner_(std::move(inner)), origin_(std::move(origin)) {}

  void send(http::Response response) override {
    add_fields(response.headers, origin_);
    inner_.send(std::move(response));
  }
  std::shared_ptr<http::EventStream> stream(http::Headers headers) override {
    add_fields(headers, origin_);
    return inner_.stream(std::move(headers));
  }
  void abandon() override { const http::Responder dropped = std::move(inner_); }

 private:
  http::Responder inner_;
  std::string origin_;
};

}  // namespace

http::Responder with_cors(const std::vector<std::string>& origins, const http::Request& request, http::Responder responder) {
  const auto origin = request.header("Origin");
  if (!is_allowed(origins, origin)) return responder;
  return http::Responder(std::make_shared<CorsSink>(std::move(responder), std::string(origin)));
}

http::Handler preflight(const std::vector<std::string>& origins, const std::vector<http::Method>& methods) {
  std::string allow = "OPTIONS";
  for (const auto method : methods) {
    allow += ", ";
    allow += http::to_string(method);
    if (method == http::Method::get) allow += ", HEAD";
  }
  return [&origins, allow](http::Request&& request, http::Responder responder) {
    auto response = http::Response::empty();
    response.headers.add("Allow", allow);
    const auto origin = request.header("Origin");
    if (is_allowed(origins, origin)) {
      add_fields(response.headers, origin);
      response.headers.add("Access-Control-Allow-Methods", allow);
      response.headers.add("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Request-Id");
      response.headers.add("Access-Control-Max-Age", "600");
    }
    responder.send(std::move(response));
  };
}

}  // namespace pawl::api::detail
