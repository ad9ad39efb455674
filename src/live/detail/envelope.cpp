#include "live/detail/envelope.hpp"

#include <utility>

#include "base/assert.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "live/topics.hpp"

namespace pawl::live::detail {
namespace {

constexpr std::size_t kMostTopics = 16;
constexpr std::size_t kMostTypeBytes = 100;

template <class Id>
[[nodiscard]] bool read_id(const json::Value& object, std::string_view name, std::optional<Id>& out) {
  const auto* member = object.find(name);
  if (member == nullptr) return true;
  if (!member->is_string()) return false;
  out = Id::parse(member->as_string());
  return out.has_value();
}

std::optional<Revocation> read_revocation(const json::Value& object) {
  Revocation revocation;
  const bool fine = read_id(object, "organization", revocation.organization) && read_id(object, "user", revocation.user) &&
                    read_id(object, "session", revocation.session) && read_id(object, "api_key", revocation.api_key);
  if (!fine || !object.is_object()) return std::nullopt;
  return revocation;
}

bool read_news(const json::Value& object, News& news) {
  auto& announcement = news.announcement;
  std::optional<OrganizationId> organization;
  if (!read_id(object, "organization", organization) || !organization) return false;
  announcement.organization = *organization;
  if (!read_id(object, "only_for", announcement.only_for)) return false;
  const auto& type = object.get("event");
  if (!type.is_string() || type.size() == 0 || type.size() > kMostTypeBytes) return false;
  announcement.type = type.as_string();
  const auto& topics = object.get("topics");
  if (!topics.is_array() || topics.size() == 0 || topics.size() > kMostTopics) return false;
  for (const auto& topic : topics.items()) {
    if (!topic.is_string() || !is_topic(topic.as_string())) return false;
    announcement.topics.emplace_back(topic.as_string());
  }
  const auto& time = object.get("time");
  if (!time.is_string() || !parse_rfc3339(time.as_string())) return false;
  news.time = time.as_string();
  news.truncated = object.get("truncated").truthy();
  announcement.transient = object.get("transient").truthy();
  const auto& data = object.get("data");
  if (!data.is_object()) return false;
  news.data = json::to_text(data);
  return true;
}

}  // namespace

News news_of(Announcement announcement, TimePoint time, std::size_t max_data_bytes) {
  PAWL_ASSERT(announcement.data.is_object(), "an event's data is an object");
  News news;
  news.time = to_rfc3339(time);
  if (auto text = json::to_text(announcement.data); text.size() <= max_data_bytes) {
    news.data = std::move(text);
  } else {
    news.truncated = true;
  }
  announcement.data = {};
  news.announcement = std::move(announcement);
  return news;
}

std::string write_envelope(std::string_view origin, const News& news) {
  const auto& announcement = news.announcement;
  auto topics = json::Value::array();
  for (const auto& topic : announcement.topics) topics.push_back(topic);
  auto object = json::Value::object({{"origin", origin},
                                     {"time", news.time},
                                     {"organization", announcement.organization.to_string()},
                                     {"event", announcement.type},
                                     {"topics", std::move(topics)}});
  if (announcement.only_for) object.set("only_for", announcement.only_for->to_string());
  if (news.truncated) object.set("truncated", true);
  if (announcement.transient) object.set("transient", true);
  auto text = json::to_text(object);
  text.pop_back();
  return text + ",\"data\":" + news.data + "}";
}

std::string write_envelope(std::string_view origin, const Revocation& revocation) {
  auto who = json::Value::object();
  const auto add = [&](std::string_view name, const auto& id) {
    if (id) who.set(name, id->to_string());
  };
  add("organization", revocation.organization);
  add("user", revocation.user);
  add("session", revocation.session);
  add("api_key", revocation.api_key);
  return json::to_text(json::Value::object({{"origin", origin}, {"revoke", std::move(who)}}));
}

std::string write_gap(std::string_view origin) { return json::to_text(json::Value::object({{"origin", origin}, {"gap", true}})); }

std::optional<Envelope> read_envelope(std::string_view text) {
  const auto parsed = json::parse(text, {.max_depth = 64, .max_bytes = 64 * 1024});
  if (parsed.has_error() || !parsed->is_object()) return std::nullopt;
  Envelope envelope;
  const auto& origin = parsed->get("origin");
  if (!origin.is_string() || origin.size() == 0) return std::nullopt;
  envelope.origin = origin.as_string();
  if (parsed->get("gap").truthy()) {
    envelope.gap = true;
    return envelope;
  }
  if (const auto* revoke = parsed->find("revoke"); revoke != nullptr) {
    envelope.revocation = read_revocation(*revoke);
    if (!envelope.revocation) return std::nullopt;
    return envelope;
  }
  if (!read_news(*parsed, envelope.news)) return std::nullopt;
  return envelope;
}

}  // namespace pawl::live::detail
