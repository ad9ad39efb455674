#include "live/protocol.hpp"

#include <optional>
#include <utility>

#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::live {
namespace {

constexpr std::size_t kMostTopics = 64;
constexpr std::size_t kMostIdBytes = 64;

Error wrong(std::string message) { return {ErrorClass::invalid, "live.message", std::move(message)}; }

std::optional<ClientMessage::Kind> kind_of(const json::Value& type) {
  if (!type.is_string()) return std::nullopt;
  if (type.as_string() == "subscribe") return ClientMessage::Kind::subscribe;
  if (type.as_string() == "unsubscribe") return ClientMessage::Kind::unsubscribe;
  if (type.as_string() == "ping") return ClientMessage::Kind::ping;
  return std::nullopt;
}

Result<std::vector<std::string>> topics_of(const json::Value& list) {
  if (!list.is_array() || list.empty()) return wrong("`topics` must be a list with at least one topic.");
  if (list.size() > kMostTopics) return wrong("`topics` names at most " + std::to_string(kMostTopics) + " topics.");
  std::vector<std::string> topics;
  for (const auto& topic : list.items()) {
    if (!topic.is_string()) return wrong("A topic must be a text.");
    topics.emplace_back(topic.as_string());
  }
  return topics;
}

json::Value list_of(const std::vector<std::string>& topics) {
  auto list = json::Value::array();
  for (const auto& topic : topics) list.push_back(topic);
  return list;
}

}  // namespace

Result<ClientMessage> read_client_message(std::string_view text) {
  const auto parsed = json::parse(text, {.max_depth = 8, .max_bytes = 64 * 1024});
  if (parsed.has_error() || !parsed->is_object()) return wrong("A message must be a JSON object.");
  const auto kind = kind_of(parsed->get("type"));
  if (!kind) return wrong("`type` must be subscribe, unsubscribe or ping.");
  ClientMessage message{*kind};
  for (const auto& member : parsed->members()) {
    const auto name = member.name();
    const bool is_known = name == "type" || (name == "topics" && *kind != ClientMessage::Kind::ping) ||
                          (name == "last_id" && *kind == ClientMessage::Kind::subscribe);
    if (!is_known) return wrong("There is a member that this message does not have.");
  }
  if (*kind == ClientMessage::Kind::ping) return message;
  auto topics = topics_of(parsed->get("topics"));
  if (topics.has_error()) return topics.error();
  message.topics = std::move(*topics);
  const auto& last_id = parsed->get("last_id");
  if (last_id.is_null()) return message;
  if (!last_id.is_string() || last_id.size() > kMostIdBytes) return wrong("`last_id` must be the id of an event.");
  message.last_id = last_id.as_string();
  return message;
}

std::string subscribed_message(const std::vector<std::string>& topics, std::string_view last_id) {
  return json::to_text(json::Value::object({{"type", "subscribed"}, {"topics", list_of(topics)}, {"last_id", last_id}}));
}
std::string unsubscribed_message(const std::vector<std::string>& topics) {
  return json::to_text(json::Value::object({{"type", "unsubscribed"}, {"topics", list_of(topics)}}));
}
std::string reset_message(std::string_view last_id) {
  return json::to_text(json::Value::object({{"type", "reset"}, {"last_id", last_id}}));
}
std::string pong_message() { return R"({"type":"pong"})"; }
std::string error_message(const Error& error, const std::vector<std::string>& topics) {
  auto message = json::Value::object({{"type", "error"}, {"code", error.code}, {"message", error.message}});
  if (!topics.empty()) message.set("topics", list_of(topics));
  return json::to_text(message);
}

}  // namespace pawl::live
