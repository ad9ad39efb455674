#include "live/hub.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/assert.hpp"
#include "live/detail/channel.hpp"
#include "live/detail/envelope.hpp"
#include "live/relay.hpp"

namespace pawl::live {

using detail::Channel;

namespace {

constexpr Millis kSweepPeriod{1'000};

std::string random_text(Random& random) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), random.next(), 16).ptr;
  return {digits.data(), end};
}

bool matches(const Revocation& revocation, const OrganizationId& organization, const Subscriber& who) {
  const auto is = [](const auto& wanted, const auto& actual) { return !wanted || (*wanted == actual && !actual.is_nil()); };
  return is(revocation.organization, organization) && is(revocation.user, who.user) && is(revocation.session, who.session) &&
         is(revocation.api_key, who.api_key);
}

}  // namespace

struct Hub::Impl {
  Impl(Clock& hub_clock, Random& hub_random, Relay* hub_relay, HubOptions hub_options)
      : clock(hub_clock), random(hub_random), relay(hub_relay), options(hub_options), origin(random_text(hub_random)) {}

  struct Slot {
    Slot(const HubOptions& options, std::string epoch) : channel(options, std::move(epoch)) {}
    std::mutex mutex;
    Channel channel;  // guarded by mutex
  };

  Clock& clock;
  Random& random;
  Relay* const relay;
  const HubOptions options;
  const std::string origin;  ///< this hub, among all processes

  // The map is changed under the whole lock; a slot is used under the shared one and its own.
  mutable std::shared_mutex mutex;
  std::unordered_map<OrganizationId, std::unique_ptr<Slot>> slots;
  std::unordered_map<Id, OrganizationId> where;     // of every open stream; may name one that its channel has dropped
  std::unordered_map<UserId, std::size_t> by_user;  // how many of those
  std::unordered_map<Id, UserId> user_of;
  Id last_id = 0;
  bool stopping = false;

  std::atomic<bool> anybody{false};  ///< a slot exists
  std::atomic<bool> lost{false};     ///< a message of ours to the others
  std::atomic<std::uint64_t> raised{0};
  std::atomic<std::uint64_t> received{0};
  std::atomic<std::uint64_t> delivered{0};
  std::atomic<std::uint64_t> dropped{0};

  std::mutex thread_mutex;
  std::condition_variable wake;
  bool thread_stopping = false;
  std::thread thread;

  /// Calls `use(channel)` if the organization has one. What it returns of receivers is let go after the locks.
  template <class Use>
  void with_channel(const OrganizationId& organization, const Use& use) {
    const std::shared_lock lock(mutex);
    const auto found = slots.find(organization);
    if (found == slots.end()) return;
    const std::lock_guard slot_lock(found->second->mutex);
    use(found->second->channel);
  }

  void tell(const detail::News& news) {
    std::vector<std::shared_ptr<Receiver>> gone;
    with_channel(news.announcement.organization, [&](Channel& channel) {
      const auto told = channel.tell(news);
      delivered += told.delivered;
      dropped += told.dropped.size();
      for (const auto id : told.dropped) gone.push_back(channel.close(id));
      if (channel.empty() && !told.dropped.empty()) channel.idle_since = clock.now();
    });
  }

  /// Ends what `predicate(organization, subscriber)` picks.
  template <class Predicate>
  std::size_t end_all(End why, const Predicate& predicate) {
    std::vector<std::shared_ptr<Receiver>> ended;
    {
      const std::shared_lock lock(mutex);
      for (const auto& [organization, slot] : slots) {
        const std::lock_guard slot_lock(slot->mutex);
        const auto picked = slot->channel.who([&, &home = organization](const Subscriber& who) { return predicate(home, who); });
        for (const auto id : picked) ended.push_back(slot->channel.close(id));
        if (!picked.empty() && slot->channel.empty()) slot->channel.idle_since = clock.now();
      }
    }
    for (const auto& receiver : ended) receiver->end(why);
    return ended.size();
  }

  std::size_t revoke_here(const Revocation& revocation) {
    return end_all(End::revoked,
                   [&](const OrganizationId& organization, const Subscriber& who) { return matches(revocation, organization, who); });
  }

  void take(std::string_view message) {
    auto envelope = detail::read_envelope(message);
    if (!envelope || envelope->origin == origin) return;
    ++received;
    if (envelope->gap) {
      gap();
    } else if (envelope->revocation) {
      revoke_here(*envelope->revocation);
    } else if (anybody.load(std::memory_order_relaxed)) {
      tell(envelope->news);
    }
  }

  void gap() {
    std::vector<std::shared_ptr<Receiver>> gone;
    const std::shared_lock lock(mutex);
    for (const auto& [organization, slot] : slots) {
      const std::lock_guard slot_lock(slot->mutex);
      for (const auto id : slot->channel.restart(random_text(random))) gone.push_back(slot->channel.close(id));
    }
  }

  /// What cannot be sent the others will never see: they are told that as soon as they can be.
  void publish(std::string message) {
    if (relay != nullptr && !relay->publish(std::move(message))) lost = true;
  }

  void forget(Id id) {  // under the whole lock
    where.erase(id);
    const auto user = user_of.find(id);
    if (user == user_of.end()) return;
    if (const auto count = by_user.find(user->second); --count->second == 0) by_user.erase(count);
    user_of.erase(user);
  }

  void run() {
    std::unique_lock lock(thread_mutex);
    while (!wake.wait_for(lock, kSweepPeriod, [this] { return thread_stopping; })) {
      lock.unlock();
      sweep();
      lock.lock();
    }
  }

  void sweep() {
    if (lost.exchange(false) && !relay->publish(detail::write_gap(origin))) lost = true;
    if (!anybody.load(std::memory_order_relaxed)) return;
    const auto now = clock.now();
    end_all(End::expired, [&](const OrganizationId&, const Subscriber& who) { return who.expires_at && *who.expires_at <= now; });
    const std::unique_lock lock(mutex);
    std::erase_if(slots, [&](const auto& entry) {
      const std::lock_guard slot_lock(entry.second->mutex);
      return entry.second->channel.empty() && entry.second->channel.idle_since + options.linger <= now;
    });
    anybody = !slots.empty();
  }
};

Hub::Hub(Clock& clock, Random& random, Relay* relay, HubOptions options)
    : impl_(std::make_unique<Impl>(clock, random, relay, std::move(options))) {}

Hub::~Hub() { stop(); }

void Hub::start() {
  if (impl_->relay != nullptr) {
    impl_->relay->receive({[impl = impl_.get()](std::string_view message) { impl->take(message); }, [impl = impl_.get()] { impl->gap(); }});
  }
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

void Hub::stop() {
  {
    const std::unique_lock lock(impl_->mutex);
    if (std::exchange(impl_->stopping, true)) return;
  }
  if (impl_->relay != nullptr) impl_->relay->receive({});
  {
    const std::lock_guard lock(impl_->thread_mutex);
    impl_->thread_stopping = true;
  }
  impl_->wake.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
  impl_->end_all(End::stopping, [](const OrganizationId&, const Subscriber&) { return true; });
}

bool Hub::wants(const OrganizationId& organization) const {
  if (impl_->relay != nullptr) return true;
  if (!impl_->anybody.load(std::memory_order_relaxed)) return false;
  const std::shared_lock lock(impl_->mutex);
  return impl_->slots.contains(organization);
}

void Hub::raise(Announcement announcement) {
  PAWL_ASSERT(!announcement.topics.empty(), "an event has a topic");
  if (!wants(announcement.organization)) return;
  ++impl_->raised;
  const auto news = detail::news_of(std::move(announcement), impl_->clock.now(), impl_->options.max_data_bytes);
  impl_->tell(news);
  if (impl_->relay != nullptr) impl_->publish(detail::write_envelope(impl_->origin, news));
}

Result<Hub::Id> Hub::open(Subscriber subscriber, std::shared_ptr<Receiver> receiver) {
  auto& hub = *impl_;
  if (subscriber.expires_at && *subscriber.expires_at <= hub.clock.now()) {
    return Error(ErrorClass::unauthenticated, "live.expired", "What this stream was asked for with has expired.");
  }
  const std::unique_lock lock(hub.mutex);
  if (hub.stopping) return Error(ErrorClass::unavailable, "live.stopping", "The server is stopping; come again.");
  const bool full = hub.where.size() >= hub.options.max_subscribers;
  const auto mine = hub.by_user.find(subscriber.user);
  const bool greedy = !subscriber.user.is_nil() && mine != hub.by_user.end() && mine->second >= hub.options.max_subscribers_per_user;
  if (full || greedy) return Error(ErrorClass::limited, "live.too_many", "There are too many open streams; close one and try again.");
  auto& slot = hub.slots[subscriber.organization];
  if (!slot) slot = std::make_unique<Impl::Slot>(hub.options, random_text(hub.random));
  hub.anybody = true;
  const auto id = ++hub.last_id;
  hub.where.emplace(id, subscriber.organization);
  if (!subscriber.user.is_nil()) {
    hub.user_of.emplace(id, subscriber.user);
    ++hub.by_user[subscriber.user];
  }
  const std::lock_guard slot_lock(slot->mutex);
  slot->channel.open(id, std::move(subscriber), std::move(receiver));
  return id;
}

Result<void> Hub::subscribe(Id id, const std::vector<std::string>& topics, std::string_view last_id) {
  Result<void> result = Error(ErrorClass::not_found, "live.closed", "The stream has ended.");
  const std::shared_lock lock(impl_->mutex);
  const auto home = impl_->where.find(id);
  if (home == impl_->where.end()) return result;
  const auto slot = impl_->slots.find(home->second);
  if (slot == impl_->slots.end()) return result;
  const std::lock_guard slot_lock(slot->second->mutex);
  return slot->second->channel.subscribe(id, topics, last_id);
}

Result<void> Hub::unsubscribe(Id id, const std::vector<std::string>& topics) {
  const std::shared_lock lock(impl_->mutex);
  const auto home = impl_->where.find(id);
  const auto slot = home == impl_->where.end() ? impl_->slots.end() : impl_->slots.find(home->second);
  if (slot == impl_->slots.end()) return Error(ErrorClass::not_found, "live.closed", "The stream has ended.");
  const std::lock_guard slot_lock(slot->second->mutex);
  slot->second->channel.unsubscribe(id, topics);
  return {};
}

void Hub::close(Id id) {
  std::shared_ptr<Receiver> receiver;  // let go after the locks
  const std::unique_lock lock(impl_->mutex);
  const auto home = impl_->where.find(id);
  if (home == impl_->where.end()) return;
  if (const auto slot = impl_->slots.find(home->second); slot != impl_->slots.end()) {
    const std::lock_guard slot_lock(slot->second->mutex);
    receiver = slot->second->channel.close(id);
    if (receiver && slot->second->channel.empty()) slot->second->channel.idle_since = impl_->clock.now();
  }
  impl_->forget(id);
}

std::size_t Hub::revoke(const Revocation& revocation) {
  if (impl_->relay != nullptr) impl_->publish(detail::write_envelope(impl_->origin, revocation));
  return impl_->revoke_here(revocation);
}

void Hub::sweep() { impl_->sweep(); }

Hub::Statistics Hub::statistics() const {
  Statistics statistics;
  statistics.raised = impl_->raised;
  statistics.received = impl_->received;
  statistics.delivered = impl_->delivered;
  statistics.dropped = impl_->dropped;
  const std::shared_lock lock(impl_->mutex);
  statistics.subscribers = impl_->where.size();
  statistics.organizations = impl_->slots.size();
  return statistics;
}

}  // namespace pawl::live
