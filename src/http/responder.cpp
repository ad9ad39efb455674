#include "http/responder.hpp"

#include <utility>

#include "base/assert.hpp"

namespace pawl::http {

Responder& Responder::operator=(Responder&& other) noexcept {
  if (this != &other) {
    abandon();
    sink_ = std::move(other.sink_);
  }
  return *this;
}

Responder::~Responder() { abandon(); }

void Responder::send(Response response) {
  PAWL_ASSERT(sink_ != nullptr, "a responder answers once");
  const auto sink = std::move(sink_);
  sink->send(std::move(response));
}

std::shared_ptr<EventStream> Responder::stream(Headers headers) {
  PAWL_ASSERT(sink_ != nullptr, "a responder answers once");
  const auto sink = std::move(sink_);
  return sink->stream(std::move(headers));
}

void Responder::upgrade(WebSocketOptions options, std::function<void(std::shared_ptr<WebSocket>)> opened) {
  PAWL_ASSERT(sink_ != nullptr, "a responder answers once");
  const auto sink = std::move(sink_);
  sink->upgrade({std::move(options), std::move(opened)});
}

void Responder::on_leave(std::function<void()> callback) {
  PAWL_ASSERT(sink_ != nullptr, "who has been answered is not waited for");
  sink_->on_leave(std::move(callback));
}

void Responder::abandon() noexcept {
  if (!sink_) return;
  const auto sink = std::move(sink_);
  sink->abandon();
}

}  // namespace pawl::http
