#include "live/streams.hpp"

#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "live/detail/channel.hpp"
#include "live/protocol.hpp"

namespace pawl::live {
namespace {

constexpr unsigned kMostMistakes = 20;

std::string_view reason_of(End why) {
  switch (why) {
    case End::expired: return "expired";
    case End::revoked: return "revoked";
    case End::stopping: return "stopping";
  }
  return {};
}

class SocketReceiver final : public Receiver {
 public:
  explicit SocketReceiver(std::shared_ptr<http::WebSocket> socket) : socket_(std::move(socket)) {}

  bool subscribed(const std::vector<std::string>& topics, std::string_view last_id) override {
    return socket_->send(subscribed_message(topics, last_id));
  }
  bool event(const EventPtr& event) override { return socket_->send(event->json); }
  bool reset(std::string_view last_id) override { return socket_->send(reset_message(last_id)); }
  void end(End why) override { socket_->close(why == End::stopping ? http::CloseCode::restart : http::CloseCode::policy, reason_of(why)); }

 private:
  std::shared_ptr<http::WebSocket> socket_;
};

/// The client's side of one socket; lives in its callbacks, on its thread.
class Conversation {
 public:
  Conversation(Hub& hub, std::shared_ptr<http::WebSocket> socket, Subscriber who, Hub::Id id)
      : hub_(hub), socket_(std::move(socket)), who_(std::move(who)), id_(id) {}

  void hear(std::string_view text) {
    const auto message = read_client_message(text);
    const auto answered = message.has_error() ? Result<void>(message.error()) : answer(*message);
    if (answered.has_error()) refuse(answered.error());
  }

 private:
  void refuse(const Error& why) {
    static_cast<void>(socket_->send(error_message(why)));
    if (++mistakes_ == kMostMistakes) socket_->close(http::CloseCode::policy, "too many mistakes");
  }

  /// What cannot be followed is refused by its name, and the rest taken: one wrong address must not cost a page all of its events.
  /// It is no mistake that counts: clients leave it to us what a topic may be called. An answer is hardly longer than the message, and the
  /// socket of a client that does not read them is closed.
  [[nodiscard]] Result<void> subscribe(const ClientMessage& message) {
    std::vector<std::string> taken;
    std::map<std::string, std::pair<Error, std::vector<std::string>>> refused;
    for (const auto& topic : message.topics) {
      const auto checked = detail::check_topic(who_, topic);
      if (checked.has_error()) {
        refused.try_emplace(checked.error().code, checked.error(), std::vector<std::string>()).first->second.second.push_back(topic);
      } else {
        taken.push_back(topic);
      }
    }
    for (const auto& [code, why] : refused) static_cast<void>(socket_->send(error_message(why.first, why.second)));
    return taken.empty() ? Result<void>() : hub_.subscribe(id_, taken, message.last_id);
  }

  [[nodiscard]] Result<void> answer(const ClientMessage& message) {
    switch (message.kind) {
      case ClientMessage::Kind::subscribe: return subscribe(message);
      case ClientMessage::Kind::unsubscribe: {
        auto done = hub_.unsubscribe(id_, message.topics);
        if (!done.has_error()) static_cast<void>(socket_->send(unsubscribed_message(message.topics)));
        return done;
      }
      case ClientMessage::Kind::ping: static_cast<void>(socket_->send(pong_message())); break;
    }
    return {};
  }

  Hub& hub_;
  const std::shared_ptr<http::WebSocket> socket_;
  const Subscriber who_;
  const Hub::Id id_;
  unsigned mistakes_ = 0;
};

http::CloseCode code_for(const Error& error) {
  if (error.kind == ErrorClass::limited) return http::CloseCode::overloaded;
  if (error.kind == ErrorClass::unavailable) return http::CloseCode::restart;
  return http::CloseCode::policy;
}

class EventsReceiver final : public Receiver {
 public:
  /// The hub is asked first and the answer begun then: afterwards there would be no other status to give. It may end in between.
  void begin(std::shared_ptr<http::EventStream> stream) {
    const std::lock_guard lock(mutex_);
    stream_ = std::move(stream);
    if (ended_) finish(*ended_);
  }

  bool subscribed(const std::vector<std::string>& topics, std::string_view last_id) override {
    return named("subscribed", last_id, subscribed_message(topics, last_id));
  }
  bool event(const EventPtr& event) override {
    std::string text;
    text.reserve(event->json->size() + event->id.size() + 16);
    text.append("id: ").append(event->id).append("\ndata: ").append(*event->json).append("\n\n");
    return send(std::move(text));
  }
  bool reset(std::string_view last_id) override { return named("reset", last_id, reset_message(last_id)); }
  void end(End why) override {
    const std::lock_guard lock(mutex_);
    ended_ = why;
    if (stream_) finish(why);
  }

 private:
  void finish(End why) {
    std::string text = "event: end\ndata: {\"type\":\"end\",\"reason\":\"";
    static_cast<void>(stream_->send(text.append(reason_of(why)).append("\"}\n\n")));
    stream_->close();
  }
  bool send(std::string text) {
    const std::lock_guard lock(mutex_);
    return stream_ && stream_->send(std::move(text));
  }
  bool named(std::string_view name, std::string_view id, const std::string& data) {
    std::string text = "id: ";
    text.append(id).append("\nevent: ").append(name).append("\ndata: ").append(data).append("\n\n");
    return send(std::move(text));
  }

  std::mutex mutex_;
  std::shared_ptr<http::EventStream> stream_;
  std::optional<End> ended_;
};

}  // namespace

void serve_websocket(Hub& hub, const std::shared_ptr<http::WebSocket>& socket, Subscriber who) {
  const auto id = hub.open(who, std::make_shared<SocketReceiver>(socket));
  if (id.has_error()) {
    static_cast<void>(socket->send(error_message(id.error())));
    return socket->close(code_for(id.error()), id.error().code);
  }
  const auto conversation = std::make_shared<Conversation>(hub, socket, std::move(who), *id);
  socket->on_message([conversation](std::string_view text) { conversation->hear(text); });
  socket->on_close([&hub, id = *id] { hub.close(id); });
}

Result<void> serve_events(Hub& hub, http::Responder& responder, Subscriber who, const std::vector<std::string>& topics,
                          std::string_view last_id) {
  if (topics.empty()) return Error(ErrorClass::invalid, "live.topic", "A stream follows at least one topic.");
  for (const auto& topic : topics) PAWL_TRY_VOID(detail::check_topic(who, topic));
  auto receiver = std::make_shared<EventsReceiver>();
  const auto id = hub.open(std::move(who), receiver);
  if (id.has_error()) return id.error();
  const auto stream = responder.stream();
  receiver->begin(stream);
  if (hub.subscribe(*id, topics, last_id).has_error()) stream->close();
  stream->on_close([&hub, id = *id] { hub.close(id); });
  return {};
}

}  // namespace pawl::live
