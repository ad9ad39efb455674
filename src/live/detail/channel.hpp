// One organization's events: the ring of the newest, and who follows which topic. Not synchronised: the hub holds its lock.
#pragma once

#include <deque>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "live/detail/envelope.hpp"
#include "live/hub.hpp"

namespace pawl::live::detail {

/// Errors `live.topic` (there is none of this name), `live.forbidden_topic`.
[[nodiscard]] Result<void> check_topic(const Subscriber& who, std::string_view topic);

class Channel {
 public:
  Channel(const HubOptions& options, std::string epoch) : options_(options), epoch_(std::move(epoch)) {}

  void open(Hub::Id id, Subscriber subscriber, std::shared_ptr<Receiver> receiver);
  [[nodiscard]] bool has(Hub::Id id) const { return subscribers_.contains(id); }
  [[nodiscard]] bool empty() const { return subscribers_.empty(); }
  [[nodiscard]] Result<void> subscribe(Hub::Id id, const std::vector<std::string>& topics, std::string_view last_id);
  void unsubscribe(Hub::Id id, const std::vector<std::string>& topics);
  /// The receiver, to be let go without the hub's lock.
  std::shared_ptr<Receiver> close(Hub::Id id);

  struct Told {
    std::size_t delivered = 0;
    std::vector<Hub::Id> dropped;
  };
  Told tell(const News& news);
  /// Begins a new epoch and resets everybody.
  std::vector<Hub::Id> restart(std::string epoch);

  /// Those who match, without closing them.
  template <class Predicate>
  [[nodiscard]] std::vector<Hub::Id> who(const Predicate& predicate) const {
    std::vector<Hub::Id> found;
    for (const auto& [id, subscription] : subscribers_) {
      if (predicate(subscription.who)) found.push_back(id);
    }
    return found;
  }

  /// When the last subscriber left; set by the hub.
  TimePoint idle_since{};

 private:
  struct Subscription {
    Subscriber who;
    std::shared_ptr<Receiver> receiver;
    std::unordered_set<std::string> topics;
    std::uint64_t told = 0;  ///< number of the last event it was told: one that has two of its topics comes once
  };

  [[nodiscard]] EventPtr numbered(const News& news);
  [[nodiscard]] std::string id_of(std::uint64_t number) const;
  [[nodiscard]] std::string last_id() const { return id_of(last_); }
  /// The number in an id of this epoch from which on everything is in the ring.
  [[nodiscard]] std::optional<std::uint64_t> resumable(std::string_view id) const;
  void keep(EventPtr event);
  [[nodiscard]] static bool may_see(const Subscription& subscription, const Event& event) {
    return !event.only_for || *event.only_for == subscription.who.user;
  }

  const HubOptions& options_;
  std::string epoch_;
  std::uint64_t last_ = 0;
  std::deque<EventPtr> ring_;  ///< numbers without gaps, up to last_
  std::size_t ring_bytes_ = 0;
  std::map<Hub::Id, Subscription> subscribers_;
  std::unordered_map<std::string, std::unordered_map<Hub::Id, Subscription*>> by_topic_;
};

}  // namespace pawl::live::detail
