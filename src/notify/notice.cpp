#include "notify/notice.hpp"

#include <algorithm>
#include <chrono>

#include "base/utf8.hpp"
#include "crypto/crypto.hpp"
#include "json/write.hpp"
#include "storage/database.hpp"

namespace pawl::notify {
namespace {

constexpr std::chrono::hours kOneNotification{1};
constexpr std::size_t kMaxTitle = 200;

/// Of the hour, so that whoever comes second finds the row.
NotificationId id_of(const Notice& notice) {
  const auto hour = notice.at.time_since_epoch() / kOneNotification;
  auto text = notice.organization.to_string();
  text.append("\n").append(notice.kind).append("\n").append(notice.subject).append("\n").append(std::to_string(hour));
  const auto digest = crypto::hash(text);
  NotificationId id;
  std::copy_n(digest.begin(), id.uuid.bytes.size(), id.uuid.bytes.begin());
  id.uuid.bytes[6] = static_cast<std::uint8_t>((id.uuid.bytes[6] & 0x0fU) | 0x80U);  // version 8: made in a way of one's own
  id.uuid.bytes[8] = static_cast<std::uint8_t>((id.uuid.bytes[8] & 0x3fU) | 0x80U);
  return id;
}

/// No line breaks: titles become subjects of mails and lines of chats.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text.substr(0, kMaxTitle)) line += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  return to_utf8(line);
}

}  // namespace

Result<void> store(storage::Transaction& transaction, const Notice& notice) {
  const auto data = notice.data.is_null() ? std::string("{}") : json::to_text(notice.data);
  return transaction.queue(
      "insert into notifications (id, organization_id, kind, subject, title, data, least_role, count, created_at, updated_at, pending) "
      "values ($1, $2, $3, $4, $5, $6, $7, 1, $8, $8, 1) on conflict (id) do update set count = notifications.count + 1, "
      "title = excluded.title, data = excluded.data, updated_at = excluded.updated_at, pending = 1",
      {id_of(notice), notice.organization, notice.kind, notice.subject, one_line(notice.title), data, notice.least_role, notice.at});
}

Result<void> remove_organization(storage::Transaction& transaction, const OrganizationId& organization) {
  for (const std::string_view sql :
       {"delete from notification_queue where organization_id = $1", "delete from notification_targets where organization_id = $1",
        "delete from notification_channels where organization_id = $1", "delete from notification_preferences where organization_id = $1",
        "delete from notification_reads where organization_id = $1", "delete from notifications where organization_id = $1"}) {
    PAWL_TRY_VOID(transaction.queue(sql, {organization}));
  }
  return {};
}

}  // namespace pawl::notify
