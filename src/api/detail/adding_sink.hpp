// Responders that add fields to whatever is answered through them.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "http/headers.hpp"
#include "http/responder.hpp"

namespace pawl::api::detail {

/// `add` is called with the fields of what is answered: `void(http::Headers&)`.
template <class Add>
class AddingSink final : public http::ResponseSink {
 public:
  AddingSink(http::Responder inner, Add add) : inner_(std::move(inner)), add_(std::move(add)) {}

  void send(http::Response response) override {
    add_(response.headers);
    inner_.send(std::move(response));
  }
  std::shared_ptr<http::EventStream> stream(http::Headers headers) override {
    add_(headers);
    return inner_.stream(std::move(headers));
  }
  void upgrade(http::WebSocketUpgrade upgrade) override { inner_.upgrade(std::move(upgrade.options), std::move(upgrade.opened)); }
  void on_leave(std::function<void()> callback) override { inner_.on_leave(std::move(callback)); }
  void abandon() override { const http::Responder dropped = std::move(inner_); }

 private:
  http::Responder inner_;
  Add add_;
};

template <class Add>
[[nodiscard]] http::Responder adding(http::Responder responder, Add add) {
  return http::Responder(std::make_shared<AddingSink<Add>>(std::move(responder), std::move(add)));
}

/// The fields take the place of those of the same name.
[[nodiscard]] inline http::Responder with_fields(http::Responder responder, http::Headers fields) {
  return adding(std::move(responder), [fields = std::move(fields)](http::Headers& headers) {
    for (const auto& [name, value] : fields) headers.set(name, value);
  });
}

}  // namespace pawl::api::detail
