// A responder that adds fields to whatever is answered through it.
#pragma once

#include <memory>
#include <utility>

#include "http/headers.hpp"
#include "http/responder.hpp"

namespace pawl::api::detail {

class AddingSink final : public http::ResponseSink {
 public:
  AddingSink(http::Responder inner, http::Headers fields) : inner_(std::move(inner)), fields_(std::move(fields)) {}

  void send(http::Response response) override {
    add_to(response.headers);
    inner_.send(std::move(response));
  }
  std::shared_ptr<http::EventStream> stream(http::Headers headers) override {
    add_to(headers);
    return inner_.stream(std::move(headers));
  }
  void upgrade(http::WebSocketUpgrade upgrade) override { inner_.upgrade(std::move(upgrade.options), std::move(upgrade.opened)); }
  void abandon() override { const http::Responder dropped = std::move(inner_); }

 private:
  void add_to(http::Headers& headers) const {
    for (const auto& [name, value] : fields_) headers.set(name, value);
  }

  http::Responder inner_;
  http::Headers fields_;
};

/// The fields take the place of those of the same name.
[[nodiscard]] inline http::Responder with_fields(http::Responder responder, http::Headers fields) {
  return http::Responder(std::make_shared<AddingSink>(std::move(responder), std::move(fields)));
}

}  // namespace pawl::api::detail
