/// Live events: who raises something, and who is told.
///
///     live::Hub hub(clock, random, relay);
///     hub.raise({organization, "run.status", {"runs", live::run_topic(run)}, data});
///     ...
///     const auto id = hub.open({organization, user, session, {}, expires_at}, receiver);
///     hub.subscribe(*id, {"runs"}, last_id);
///
/// Events belong to one organization and never leave it. Each has an id, `<epoch>-<number>`, whose number grows by one per event of the
/// organization; an epoch begins when somebody subscribes after nobody has for a while, when the process starts, and when events from other
/// processes may have been missed. The newest events of an epoch are kept (`HubOptions`): a subscriber that comes back with the last id it
/// saw gets what it missed, without hole or double; one whose id is of another epoch, or too old, gets `reset` and reads again what it
/// shows. Ids mean nothing in another process: after a change of process a client is reset.
///
/// While nobody listens an event costs one atomic load. Events are told in the order of their ids, on the thread that raises them: a
/// `Receiver` only queues. One that cannot is dropped.
///
/// All functions may be called from any thread, but not from inside a Receiver.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "json/value.hpp"

namespace pawl::live {

class Relay;

/// Something that happened.
struct Announcement {
  OrganizationId organization;
  std::string type;                  ///< `run.status`
  std::vector<std::string> topics;   ///< whoever follows one of them is told; the first is the event's own
  json::Value data;                  ///< an object; one larger than `HubOptions::max_data_bytes` is left out, `truncated` says so
  std::optional<UserId> only_for{};  ///< tells this user's subscribers alone
  /// For those who listen now: it is not kept, takes no number and carries the id of the event before it. It has one topic.
  bool transient = false;
};

/// An announcement with its number, encoded once for all subscribers. Immutable.
struct Event {
  std::string id;
  std::uint64_t number = 0;
  std::string type;
  std::vector<std::string> topics;
  std::optional<UserId> only_for;
  /// `{"type":"event","id":...,"event":...,"topic":...,"topics":[...],"organization_id":...,"time":...,"data":{...}}`
  std::shared_ptr<const std::string> json;
};
using EventPtr = std::shared_ptr<const Event>;

enum class End : std::uint8_t {
  expired,   ///< what it was opened with is no longer valid: sign in again
  revoked,   ///< no longer permitted
  stopping,  ///< the process ends: come again
};

/// A subscriber's side. Called with the hub's locks held: must only queue, and must not call the hub. False: it is gone or does not keep
/// up; it is dropped.
class Receiver {
 public:
  Receiver() = default;
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  virtual ~Receiver() = default;

  /// From `last_id` on, events of these topics come. Comes before the first of them.
  virtual bool subscribed(const std::vector<std::string>& topics, std::string_view last_id) = 0;
  virtual bool event(const EventPtr& event) = 0;
  /// Events may be missing before `last_id`: read again.
  virtual bool reset(std::string_view last_id) = 0;
  /// The last call.
  virtual void end(End why) = 0;
};

/// Who listens. Nil ids match nothing in a revocation.
struct Subscriber {
  OrganizationId organization;
  UserId user;
  SessionId session;
  ApiKeyId api_key;
  std::optional<TimePoint> expires_at{};
  bool manages = false;  ///< may follow what shows others' acts: the topic `audit`
};

/// Whose streams end: those that match everything that is given; where nothing is, everybody's.
struct Revocation {
  std::optional<OrganizationId> organization{};
  std::optional<UserId> user{};
  std::optional<SessionId> session{};
  std::optional<ApiKeyId> api_key{};
};

struct HubOptions {
  std::size_t kept_events = 2048;  ///< per organization
  std::size_t kept_bytes = 512 * 1024;
  std::size_t max_data_bytes = 16 * 1024;
  std::size_t max_subscribers = 10'000;
  std::size_t max_subscribers_per_user = 100;
  std::size_t max_topics = 64;  ///< per subscriber
  Millis linger{60'000};        ///< events are kept this long after the last subscriber has gone
};

class Hub {
 public:
  using Id = std::uint64_t;

  /// `relay` may be null; otherwise it outlives the hub. `random` makes epochs.
  Hub(Clock& clock, Random& random, Relay* relay, HubOptions options = {});
  /// Ends all streams.
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  /// Starts the thread that ends what has expired, once a second, and listens to the relay.
  void start();
  /// Ends all streams (`End::stopping`), takes no new ones, joins the thread. Idempotent.
  void stop();

  /// Would `raise` tell anybody? Cheap; asked before an announcement is put together.
  [[nodiscard]] bool wants(const OrganizationId& organization) const;
  void raise(Announcement announcement);

  /// A subscriber without topics. Errors: `live.too_many` (limited), `live.stopping`, `live.expired`.
  [[nodiscard]] Result<Id> open(Subscriber subscriber, std::shared_ptr<Receiver> receiver);
  /// Adds topics. Those it follows already go on as they are. With a `last_id` what was missed of the new ones is told first
  /// (an event that came by another topic before may come again). Errors:
  /// `live.topic` (not a topic), `live.forbidden_topic`, `live.too_many_topics`, `live.closed`.
  [[nodiscard]] Result<void> subscribe(Id id, const std::vector<std::string>& topics, std::string_view last_id = {});
  [[nodiscard]] Result<void> unsubscribe(Id id, const std::vector<std::string>& topics);
  void close(Id id);

  /// Ends streams, here and in the other processes. Returns how many here.
  std::size_t revoke(const Revocation& revocation);
  /// Ends what has expired and forgets what nobody has asked for. What the thread does.
  void sweep();

  struct Statistics {
    std::size_t subscribers = 0;
    std::size_t organizations = 0;
    std::uint64_t raised = 0;     ///< here, while somebody wanted them
    std::uint64_t received = 0;   ///< from other processes
    std::uint64_t delivered = 0;  ///< to subscribers
    std::uint64_t dropped = 0;    ///< subscribers that did not keep up
  };
  [[nodiscard]] Statistics statistics() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::live
