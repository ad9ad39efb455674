#include "notify/dispatcher.hpp"

#include <fmt/core.h>
#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/outage.hpp"
#include "json/parse.hpp"

namespace pawl::notify {
namespace {

using storage::Row;
using storage::Session;
using storage::Transaction;

constexpr std::chrono::seconds kLookEvery{1};
constexpr int kPerLook = 200;
constexpr int kTargetsPerLook = 20;
constexpr std::size_t kLines = 50;          ///< of a digest
constexpr std::int64_t kPerDigest = 2'000;  ///< what it may stand for; the rest waits for the next one
constexpr Millis kFirstPause{5'000};
constexpr Millis kLongestPause = std::chrono::minutes(15);
constexpr Millis kPurgeEvery = std::chrono::hours(1);
constexpr Millis kGiveUp = std::chrono::hours(24);
constexpr Millis kKeepMail = std::chrono::hours(24);

struct Fresh {
  NotificationId id;
  OrganizationId organization;
  std::string kind;
  int least_role = 0;
  std::int64_t count = 1;
};

struct Target {
  Uuid id;  ///< of a channel, or a user
  OrganizationId organization;
  bool by_mail = false;
  std::int64_t attempts = 0;
};

constexpr std::string_view kFresh =
    "select id, organization_id, kind, least_role, count from notifications where pending = 1 order by updated_at limit $1";
// What counts on meanwhile stays pending.
constexpr std::string_view kHandOut = "update notifications set pending = 0 where id = $1 and count = $2 and pending = 1";
constexpr std::string_view kChannelsOf =
    "select id from notification_channels where organization_id = $1 and is_active = 1 and (kinds = '' or kinds like $2)";
constexpr std::string_view kReadersOf =
    "select p.user_id from notification_preferences p join organization_members m on m.organization_id = p.organization_id and "
    "m.user_id = p.user_id join users u on u.id = p.user_id where p.organization_id = $1 and p.kind = $2 and p.email = 1 and "
    "u.is_active = 1 and u.deleted_at is null and u.email_verified_at is not null and "
    "case m.role when 'owner' then 3 when 'admin' then 2 when 'member' then 1 else 0 end >= $3";
constexpr std::string_view kQueue =
    "insert into notification_queue (target, organization_id, notification_id, count, queued_at) values ($1, $2, $3, $4, $5) "
    "on conflict (target, organization_id, notification_id) do update set count = excluded.count";
constexpr std::string_view kTarget =
    "insert into notification_targets (target, organization_id, by_mail, next_at, attempts) values ($1, $2, $3, $4, 0) "
    "on conflict (target, organization_id) do nothing";
constexpr std::string_view kDue =
    "select t.target, t.organization_id, t.by_mail, t.attempts from notification_targets t where t.next_at <= $1 and exists "
    "(select 1 from notification_queue q where q.target = t.target and q.organization_id = t.organization_id) order by t.next_at limit $2";
constexpr std::string_view kLinesOf =
    "select n.id, n.kind, n.title, n.data, q.count, n.updated_at from notification_queue q join notifications n on n.id = "
    "q.notification_id "
    "where q.target = $1 and q.organization_id = $2 order by n.updated_at desc limit $3";
constexpr std::string_view kTold =
    "delete from notification_queue where target = $1 and organization_id = $2 and notification_id = $3 and count <= $4";
constexpr std::string_view kLater =
    "update notification_targets set next_at = $3, attempts = $4 where target = $1 and organization_id = $2";

}  // namespace

Millis pause_after(std::int64_t attempts) {
  constexpr std::int64_t kDoublings = 8;
  return std::min(kLongestPause, kFirstPause * (std::int64_t{1} << std::clamp<std::int64_t>(attempts - 1, 0, kDoublings)));
}

/// Kept alive by the deliveries that are under way.
struct Dispatcher::Impl : std::enable_shared_from_this<Impl> {
  explicit Impl(Dependencies dependencies) : d(std::move(dependencies)) {}

  struct Delivered {
    Target target;
    Digest digest;
    Result<void> outcome;
  };

  Dependencies d;
  std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;            // guarded by mutex
  std::deque<Delivered> delivered;  // guarded by mutex
  std::set<Uuid> under_way;         // the looking thread's
  std::map<Uuid, TimePoint> rests;  // the looking thread's: until when those rest whose answer could not be recorded
  std::thread thread;

  void run();
  [[nodiscard]] Result<void> look();
  [[nodiscard]] Result<void> purge() const;
  [[nodiscard]] Result<void> hand_out(const Fresh& fresh);
  [[nodiscard]] Result<void> tell(const Target& target);
  [[nodiscard]] Result<Digest> digest_of(Session& session, const Target& target) const;
  [[nodiscard]] Result<void> forget(Transaction& transaction, const Target& target, const Digest& digest, Millis pause) const;
  [[nodiscard]] Result<void> mail(const Target& target);
  void take_answers();
  [[nodiscard]] Result<void> record(const Delivered& each) const;
};

Result<void> Dispatcher::Impl::hand_out(const Fresh& fresh) {
  const auto now = d.clock.now();
  bool handed = false;
  const auto writing = [&](Transaction& transaction) -> Result<void> {
    PAWL_TRY(changed_rows, transaction.execute(kHandOut, {fresh.id, fresh.count}));
    handed = changed_rows > 0;
    if (!handed) return {};
    std::vector<std::pair<Uuid, bool>> targets;
    const auto pattern = "%," + fresh.kind + ",%";
    PAWL_TRY_VOID(
        transaction.query(kChannelsOf, {fresh.organization, pattern}, [&](const Row& row) { targets.emplace_back(row.uuid(0), false); }));
    if (d.mailer != nullptr) {
      PAWL_TRY_VOID(transaction.query(kReadersOf, {fresh.organization, fresh.kind, fresh.least_role},
                                      [&](const Row& row) { targets.emplace_back(row.uuid(0), true); }));
    }
    for (const auto& [target, by_mail] : targets) {
      PAWL_TRY_VOID(transaction.queue(kQueue, {target, fresh.organization, fresh.id, fresh.count, now}));
      PAWL_TRY_VOID(transaction.queue(kTarget, {target, fresh.organization, by_mail ? 1 : 0, now}));
    }
    return {};
  };
  PAWL_TRY_VOID(d.database.write_and_wait(writing));
  if (handed && d.raise) d.raise(fresh.organization, fresh.id, fresh.kind, fresh.least_role);
  return {};
}

Result<Digest> Dispatcher::Impl::digest_of(Session& session, const Target& target) const {
  Digest digest;
  digest.organization = target.organization;
  PAWL_TRY_VOID(session.query(kLinesOf, {target.id, target.organization, kPerDigest}, [&](const Row& row) {
    if (digest.lines.size() >= kLines) {
      digest.more.emplace_back(row.id<NotificationId>(0), row.integer(4));
      return;
    }
    auto data = json::parse(row.text(3));
    digest.lines.push_back({row.id<NotificationId>(0), std::string(row.text(1)), std::string(row.text(2)),
                            data.has_value() ? std::move(*data) : json::Value::object(), row.integer(4), row.time(5)});
  }));
  std::reverse(digest.lines.begin(), digest.lines.end());
  return digest;
}

/// What was told, or counted among `more`.
Result<void> Dispatcher::Impl::forget(Transaction& transaction, const Target& target, const Digest& digest, Millis pause) const {
  const auto now = d.clock.now();
  for (const auto& line : digest.lines) PAWL_TRY_VOID(transaction.queue(kTold, {target.id, target.organization, line.id, line.count}));
  for (const auto& [id, count] : digest.more) PAWL_TRY_VOID(transaction.queue(kTold, {target.id, target.organization, id, count}));
  return transaction.queue(kLater, {target.id, target.organization, now + pause, 0});
}

Result<void> Dispatcher::Impl::mail(const Target& target) {
  return d.database.write_and_wait([&](Transaction& transaction) -> Result<void> {
    PAWL_TRY(digest, digest_of(transaction, target));
    std::string to;
    PAWL_TRY_VOID(transaction.query(
        "select u.email from users u join organization_members m on m.user_id = u.id where u.id = $1 and m.organization_id = $2 and "
        "u.is_active = 1 and u.deleted_at is null and u.email_verified_at is not null",
        {target.id, target.organization}, [&](const Row& row) { to = row.text(0); }));
    PAWL_TRY_VOID(forget(transaction, target, digest, d.interval));
    if (to.empty() || digest.lines.empty() || d.mailer == nullptr) return {};  // has left meanwhile
    identity::Message message;
    message.kind = "notifications";
    message.to = to;
    message.subject =
        digest.lines.size() == 1 ? digest.lines.front().title : fmt::format("{} notifications", digest.lines.size() + digest.more.size());
    message.text = text_of(digest) + "\n" + d.public_url + "/notifications\n";
    message.keep = kKeepMail;
    return d.mailer->send(transaction, message);
  });
}

Result<void> Dispatcher::Impl::tell(const Target& target) {
  if (target.by_mail) return mail(target);
  if (under_way.contains(target.id)) return {};
  if (const auto rest = rests.find(target.id); rest != rests.end()) {
    if (d.clock.now() < rest->second) return {};
    rests.erase(rest);
  }
  PAWL_TRY(digest, d.database.read([&](Session& session) { return digest_of(session, target); }));
  if (digest.lines.empty()) {
    // Their notifications are gone.
    return d.database.write_and_wait([&](Transaction& transaction) {
      return transaction.queue("delete from notification_queue where target = $1 and organization_id = $2",
                               {target.id, target.organization});
    });
  }
  under_way.insert(target.id);
  d.channels.send(target.organization, ChannelId{target.id}, digest, [self = shared_from_this(), target, digest](Result<void> outcome) {
    {
      const std::lock_guard lock(self->mutex);
      self->delivered.push_back({target, digest, std::move(outcome)});
    }
    self->changed.notify_all();
  });
  return {};
}

Result<void> Dispatcher::Impl::record(const Delivered& each) const {
  const auto& [target, digest, outcome] = each;
  const auto now = d.clock.now();
  return d.database.write_and_wait([&, &at = target, &told = digest, &end = outcome](Transaction& transaction) -> Result<void> {
    if (end.has_value()) {
      PAWL_TRY_VOID(forget(transaction, at, told, d.interval));
      return transaction.queue(
          "update notification_channels set last_sent_at = $3, last_error = null where organization_id = $1 and id = $2",
          {at.organization, at.id, now});
    }
    PAWL_TRY_VOID(transaction.queue(kLater, {at.id, at.organization, now + pause_after(at.attempts + 1), at.attempts + 1}));
    return transaction.queue("update notification_channels set last_error = $3 where organization_id = $1 and id = $2",
                             {at.organization, at.id, end.error().message});
  });
}

/// One answer that cannot be recorded is told again later, and keeps no other from being recorded.
void Dispatcher::Impl::take_answers() {
  std::deque<Delivered> taken;
  {
    const std::lock_guard lock(mutex);
    taken.swap(delivered);
  }
  for (const auto& each : taken) {
    under_way.erase(each.target.id);
    if (each.outcome.has_error() && d.report) d.report("notification channel: " + each.outcome.error().message);
    if (const auto recorded = record(each); recorded.has_error()) {
      rests[each.target.id] = d.clock.now() + pause_after(each.target.attempts + 1);
      if (d.report) d.report("notifications: " + recorded.error().message);
    }
  }
}

Result<void> Dispatcher::Impl::look() {
  take_answers();
  std::vector<Fresh> fresh;
  std::vector<Target> due;
  const auto reading = [&](Session& session) -> Result<void> {
    PAWL_TRY_VOID(session.query(kFresh, {kPerLook}, [&](const Row& row) {
      fresh.push_back({row.id<NotificationId>(0), row.id<OrganizationId>(1), std::string(row.text(2)), static_cast<int>(row.integer(3)),
                       row.integer(4)});
    }));
    return {};
  };
  PAWL_TRY_VOID(d.database.read(reading));
  for (const auto& each : fresh) PAWL_TRY_VOID(hand_out(each));
  PAWL_TRY_VOID(d.database.read([&](Session& session) {
    return session.query(kDue, {d.clock.now(), kTargetsPerLook}, [&](const Row& row) {
      due.push_back({row.uuid(0), row.id<OrganizationId>(1), row.boolean(2), row.integer(3)});
    });
  }));
  // One that cannot be told does not keep the others from it.
  for (const auto& target : due) {
    if (const auto told = tell(target); told.has_error() && d.report) d.report("notifications: " + told.error().message);
  }
  return {};
}

void Dispatcher::Impl::run() {
  ::pthread_setname_np(::pthread_self(), "pawl-notices");
  auto next_purge = d.clock.now();
  Outage outage;
  std::unique_lock lock(mutex);
  while (!stopping) {
    lock.unlock();
    const auto looked = look();
    if (outage.begins(looked.has_error()) && d.report) d.report("notifications: " + looked.error().message);
    if (d.clock.now() >= next_purge) {
      next_purge = d.clock.now() + kPurgeEvery;
      if (const auto purged = purge(); purged.has_error() && d.report) d.report("notifications: " + purged.error().message);
    }
    lock.lock();
    changed.wait_for(lock, kLookEvery, [this] { return stopping || !delivered.empty(); });
  }
}

Dispatcher::Dispatcher(Dependencies dependencies) : impl_(std::make_shared<Impl>(std::move(dependencies))) {}

Dispatcher::~Dispatcher() { stop(); }

void Dispatcher::start() {
  impl_->thread = std::thread([impl = impl_] { impl->run(); });
}

void Dispatcher::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
}

Result<void> Dispatcher::look() { return impl_->look(); }

Result<void> Dispatcher::purge() { return impl_->purge(); }

Result<void> Dispatcher::Impl::purge() const {
  const auto now = d.clock.now();
  return d.database.write_and_wait([&](Transaction& transaction) -> Result<void> {
    PAWL_TRY_VOID(transaction.queue("delete from notification_queue where queued_at < $1", {now - kGiveUp}));
    PAWL_TRY_VOID(transaction.queue(
        "delete from notification_reads where notification_id in (select id from notifications where updated_at < $1)", {now - d.keep}));
    PAWL_TRY_VOID(transaction.queue("delete from notifications where updated_at < $1", {now - d.keep}));
    return transaction.queue(
        "delete from notification_targets where next_at < $1 and not exists (select 1 from notification_queue q where "
        "q.target = notification_targets.target and q.organization_id = notification_targets.organization_id)",
        {now - kGiveUp});
  });
}

}  // namespace pawl::notify
