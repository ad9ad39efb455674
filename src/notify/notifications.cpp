#include "notify/notifications.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "json/parse.hpp"
#include "storage/database.hpp"

namespace pawl::notify {
namespace {

using storage::Row;
using storage::Session;
using storage::Transaction;

// $1 the organization, $2 the reader, $3 the reader's role.
#define PAWL_NOTIFY_SEEN                                                                                                               \
  "from notifications n left join notification_reads r on r.notification_id = n.id and r.user_id = $2 "                                \
  "where n.organization_id = $1 and n.least_role <= $3 and not exists (select 1 from notification_preferences p where p.user_id = $2 " \
  "and p.organization_id = n.organization_id and p.kind = n.kind and p.in_app = 0) "
#define PAWL_NOTIFY_NEW "and (r.read_count is null or r.read_count < n.count) "

constexpr std::string_view kList =
    "select n.id, n.kind, n.title, n.data, n.count, n.created_at, n.updated_at, r.read_count " PAWL_NOTIFY_SEEN
    "and ($4 = '' or n.kind = $4) and ($5 = 0 or r.read_count is null or r.read_count < n.count) "
    "and (n.updated_at < $6 or (n.updated_at = $6 and n.id < $7)) order by n.updated_at desc, n.id desc limit $8";
constexpr std::string_view kUnread = "select count(*) " PAWL_NOTIFY_SEEN PAWL_NOTIFY_NEW;
constexpr std::string_view kReadAll =
    "insert into notification_reads (user_id, notification_id, organization_id, read_count) "
    "select $2, n.id, n.organization_id, n.count " PAWL_NOTIFY_SEEN PAWL_NOTIFY_NEW
    "on conflict (user_id, notification_id) do update set read_count = excluded.read_count";

#undef PAWL_NOTIFY_SEEN
#undef PAWL_NOTIFY_NEW

Error not_found() { return {ErrorClass::not_found, "notification.not_found", "There is no notification of this id."}; }

}  // namespace

std::string Place::to_string() const { return std::to_string(updated_at.time_since_epoch().count()) + "." + id.to_string(); }

std::optional<Place> Place::parse(std::string_view text) {
  const auto point = text.find('.');
  if (point == std::string_view::npos) return std::nullopt;
  std::int64_t millis = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + point, millis);
  const auto id = NotificationId::parse(text.substr(point + 1));
  if (error != std::errc() || end != text.data() + point || millis < 0 || !id) return std::nullopt;
  return Place{TimePoint(Millis(millis)), *id};
}

Result<NotificationPage> Notifications::list(const OrganizationId& organization, const Reader& reader, const NotificationFilter& filter) {
  const auto before = filter.before.value_or(Place{TimePoint(Millis(std::numeric_limits<std::int64_t>::max())), {}});
  NotificationPage page;
  PAWL_TRY_VOID(database_.read([&](Session& session) {
    return session.query(kList,
                         {organization, reader.user, reader.role, filter.kind, filter.unread ? 1 : 0, before.updated_at, before.id,
                          static_cast<std::int64_t>(filter.limit) + 1},
                         [&](const Row& row) {
                           NotificationView view;
                           view.id = row.id<NotificationId>(0);
                           view.kind = row.text(1);
                           view.title = row.text(2);
                           auto data = json::parse(row.text(3));
                           view.data = data.has_value() ? std::move(*data) : json::Value::object();
                           view.count = row.integer(4);
                           view.created_at = row.time(5);
                           view.updated_at = row.time(6);
                           view.read = !row.is_null(7) && row.integer(7) >= view.count;
                           page.items.push_back(std::move(view));
                         });
  }));
  if (page.items.size() > filter.limit) {
    page.items.pop_back();
    page.next = Place{page.items.back().updated_at, page.items.back().id};
  }
  return page;
}

Result<std::int64_t> Notifications::unread(const OrganizationId& organization, const Reader& reader) {
  std::int64_t count = 0;
  PAWL_TRY_VOID(database_.read([&](Session& session) {
    return session.query(kUnread, {organization, reader.user, reader.role}, [&](const Row& row) { count = row.integer(0); });
  }));
  return count;
}

Result<void> Notifications::mark_read(const OrganizationId& organization, const Reader& reader, const NotificationId& id, bool read) {
  return database_.write_and_wait([&](Transaction& transaction) -> Result<void> {
    std::optional<std::int64_t> count;
    PAWL_TRY_VOID(transaction.query("select count from notifications where organization_id = $1 and id = $2 and least_role <= $3",
                                    {organization, id, reader.role}, [&](const Row& row) { count = row.integer(0); }));
    if (!count) return not_found();
    if (!read) return transaction.queue("delete from notification_reads where user_id = $1 and notification_id = $2", {reader.user, id});
    return transaction.queue(
        "insert into notification_reads (user_id, notification_id, organization_id, read_count) values ($1, $2, $3, $4) "
        "on conflict (user_id, notification_id) do update set read_count = excluded.read_count",
        {reader.user, id, organization, *count});
  });
}

Result<std::int64_t> Notifications::mark_all_read(const OrganizationId& organization, const Reader& reader) {
  std::int64_t marked = 0;
  const auto writing = [&](Transaction& transaction) -> Result<void> {
    PAWL_TRY(changed, transaction.execute(kReadAll, {organization, reader.user, reader.role}));
    marked = changed;
    return {};
  };
  PAWL_TRY_VOID(database_.write_and_wait(writing));
  return marked;
}

Result<std::vector<Preference>> Notifications::preferences(const OrganizationId& organization, const UserId& user) {
  std::vector<Preference> found;
  found.reserve(kKinds.size());
  for (const auto kind : kKinds) found.push_back({std::string(kind), true, false});
  PAWL_TRY_VOID(database_.read([&](Session& session) {
    return session.query("select kind, in_app, email from notification_preferences where organization_id = $1 and user_id = $2",
                         {organization, user}, [&](const Row& row) {
                           const auto each =
                               std::find_if(found.begin(), found.end(), [&](const Preference& known) { return known.kind == row.text(0); });
                           if (each == found.end()) return;
                           each->in_app = row.boolean(1);
                           each->email = row.boolean(2);
                         });
  }));
  return found;
}

Result<void> Notifications::set_preferences(const OrganizationId& organization, const UserId& user,
                                            const std::vector<Preference>& preferences) {
  return database_.write_and_wait([&](Transaction& transaction) -> Result<void> {
    for (const auto& wish : preferences) {
      PAWL_TRY_VOID(transaction.queue(
          "insert into notification_preferences (user_id, organization_id, kind, in_app, email) values ($1, $2, $3, $4, $5) "
          "on conflict (user_id, organization_id, kind) do update set in_app = excluded.in_app, email = excluded.email",
          {user, organization, wish.kind, wish.in_app ? 1 : 0, wish.email ? 1 : 0}));
    }
    return {};
  });
}

Result<OrganizationId> Notifications::owner(const NotificationId& id) {
  std::optional<OrganizationId> found;
  PAWL_TRY_VOID(database_.read([&](Session& session) {
    return session.query("select organization_id from notifications where id = $1", {id},
                         [&](const Row& row) { found = row.id<OrganizationId>(0); });
  }));
  if (!found) return not_found();
  return *found;
}

}  // namespace pawl::notify
