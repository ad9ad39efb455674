#include "live/detail/channel.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "json/write.hpp"
#include "live/topics.hpp"

namespace pawl::live::detail {
namespace {

void append_member(std::string& out, std::string_view name, std::string_view text) {
  out += ",\"";
  out += name;
  out += "\":";
  json::append_quoted(out, text);
}

std::string encode(const News& news, std::string_view id) {
  const auto& announcement = news.announcement;
  std::string out;
  out.reserve(256 + news.data.size());
  out += "{\"type\":\"event\"";
  append_member(out, "id", id);
  append_member(out, "event", announcement.type);
  append_member(out, "topic", announcement.topics.front());
  out += ",\"topics\":[";
  for (const auto& topic : announcement.topics) {
    if (out.back() != '[') out += ',';
    json::append_quoted(out, topic);
  }
  out += ']';
  append_member(out, "organization_id", announcement.organization.to_string());
  append_member(out, "time", news.time);
  out += ",\"data\":";
  out += news.data;
  if (news.truncated) out += ",\"truncated\":true";
  out += '}';
  return out;
}

}  // namespace

Result<void> check_topic(const Subscriber& who, std::string_view topic) {
  if (!is_topic(topic)) return Error(ErrorClass::invalid, "live.topic", "There is no such topic.");
  if (topic == "audit" && !who.manages) {
    return Error(ErrorClass::denied, "live.forbidden_topic", "This topic is for those who manage the organization.");
  }
  return {};
}

std::string Channel::id_of(std::uint64_t number) const { return epoch_ + "-" + std::to_string(number); }

std::optional<std::uint64_t> Channel::resumable(std::string_view id) const {
  const auto dash = id.rfind('-');
  if (dash == std::string_view::npos || id.substr(0, dash) != epoch_) return std::nullopt;
  const auto digits = id.substr(dash + 1);
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (failed != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  if (number > last_ || number + ring_.size() < last_) return std::nullopt;
  return number;
}

void Channel::open(Hub::Id id, Subscriber subscriber, std::shared_ptr<Receiver> receiver) {
  Subscription subscription;
  subscription.who = std::move(subscriber);
  subscription.receiver = std::move(receiver);
  subscription.told = last_;
  subscribers_.emplace(id, std::move(subscription));
}

Result<void> Channel::subscribe(Hub::Id id, const std::vector<std::string>& topics, std::string_view last_id_seen) {
  const auto found = subscribers_.find(id);
  if (found == subscribers_.end()) return Error(ErrorClass::not_found, "live.closed", "The stream has ended.");
  auto& subscription = found->second;
  std::vector<std::string> added;
  for (const auto& topic : topics) {
    PAWL_TRY_VOID(check_topic(subscription.who, topic));
    if (!subscription.topics.contains(topic) && std::find(added.begin(), added.end(), topic) == added.end()) added.push_back(topic);
  }
  if (subscription.topics.size() + added.size() > options_.max_topics) {
    return Error(ErrorClass::limited, "live.too_many_topics",
                 "A stream follows at most " + std::to_string(options_.max_topics) + " topics.");
  }
  for (const auto& topic : added) {
    subscription.topics.insert(topic);
    by_topic_[topic].emplace(id, &subscription);
  }
  const auto from = last_id_seen.empty() ? last_ : resumable(last_id_seen);
  bool alive = subscription.receiver->subscribed(topics, from ? id_of(*from) : last_id());
  if (alive && !from) alive = subscription.receiver->reset(last_id());
  if (alive && from) {
    for (const auto& event : ring_) {
      if (event->number <= *from || !may_see(subscription, *event)) continue;
      const auto is_new = [&](const std::string& topic) { return std::find(added.begin(), added.end(), topic) != added.end(); };
      if (!std::any_of(event->topics.begin(), event->topics.end(), is_new)) continue;
      alive = subscription.receiver->event(event);
      if (!alive) break;
    }
  }
  subscription.told = last_;
  if (!alive) return Error(ErrorClass::unavailable, "live.closed", "The stream has ended.");
  return {};
}

void Channel::unsubscribe(Hub::Id id, const std::vector<std::string>& topics) {
  const auto found = subscribers_.find(id);
  if (found == subscribers_.end()) return;
  for (const auto& topic : topics) {
    if (found->second.topics.erase(topic) == 0) continue;
    const auto followers = by_topic_.find(topic);
    followers->second.erase(id);
    if (followers->second.empty()) by_topic_.erase(followers);
  }
}

std::shared_ptr<Receiver> Channel::close(Hub::Id id) {
  const auto found = subscribers_.find(id);
  if (found == subscribers_.end()) return nullptr;
  const std::vector<std::string> topics(found->second.topics.begin(), found->second.topics.end());
  unsubscribe(id, topics);
  auto receiver = std::move(found->second.receiver);
  subscribers_.erase(found);
  return receiver;
}

EventPtr Channel::numbered(const News& news) {
  const auto& announcement = news.announcement;
  auto event = std::make_shared<Event>();
  event->number = announcement.transient ? last_ : ++last_;
  event->id = last_id();
  event->type = announcement.type;
  event->topics = announcement.topics;
  event->only_for = announcement.only_for;
  event->json = std::make_shared<const std::string>(encode(news, event->id));
  return event;
}

Channel::Told Channel::tell(const News& news) {
  const bool transient = news.announcement.transient;
  const auto shared = numbered(news);
  Told told;
  for (const auto& topic : shared->topics) {
    const auto followers = by_topic_.find(topic);
    if (followers == by_topic_.end()) continue;
    for (const auto& [id, subscription] : followers->second) {
      const bool is_told = !transient && std::exchange(subscription->told, shared->number) == shared->number;
      if (is_told || !may_see(*subscription, *shared)) continue;
      if (subscription->receiver->event(shared)) {
        ++told.delivered;
      } else {
        told.dropped.push_back(id);
      }
    }
  }
  if (!transient) keep(shared);
  return told;
}

void Channel::keep(EventPtr event) {
  ring_bytes_ += event->json->size();
  ring_.push_back(std::move(event));
  while (ring_.size() > options_.kept_events || ring_bytes_ > options_.kept_bytes) {
    ring_bytes_ -= ring_.front()->json->size();
    ring_.pop_front();
  }
}

std::vector<Hub::Id> Channel::restart(std::string epoch) {
  epoch_ = std::move(epoch);
  last_ = 0;
  ring_.clear();
  ring_bytes_ = 0;
  std::vector<Hub::Id> gone;
  for (auto& [id, subscription] : subscribers_) {
    subscription.told = 0;
    if (!subscription.receiver->reset(last_id())) gone.push_back(id);
  }
  return gone;
}

}  // namespace pawl::live::detail
