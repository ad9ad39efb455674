/// What a member reads: the notifications of an organization that concern the member's role and are not switched off, with what is new.
///
/// Every function blocks; the organization bounds every query.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "notify/notice.hpp"

namespace pawl::storage {
class Database;
}

namespace pawl::notify {

/// Who reads. The installation's own key is the nil user.
struct Reader {
  UserId user;
  int role = 0;  ///< 0 viewer to 3 owner
};

struct NotificationView {
  NotificationId id;
  std::string kind;
  std::string title;
  json::Value data;
  std::int64_t count = 1;
  bool read = false;
  TimePoint created_at{};
  TimePoint updated_at{};
};

/// A place in the list, newest first.
struct Place {
  TimePoint updated_at{};
  NotificationId id;
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] static std::optional<Place> parse(std::string_view text);
};

struct NotificationFilter {
  bool unread = false;
  std::string kind{};  ///< empty: all
  std::uint32_t limit = 50;
  std::optional<Place> before{};
};

struct NotificationPage {
  std::vector<NotificationView> items;
  std::optional<Place> next;
};

/// What somebody wants of one kind, in one organization.
struct Preference {
  std::string kind;
  bool in_app = true;
  bool email = false;
};

class Notifications {
 public:
  explicit Notifications(storage::Database& database) : database_(database) {}

  [[nodiscard]] Result<NotificationPage> list(const OrganizationId& organization, const Reader& reader, const NotificationFilter& filter);
  [[nodiscard]] Result<std::int64_t> unread(const OrganizationId& organization, const Reader& reader);
  /// Error `notification.not_found`.
  [[nodiscard]] Result<void> mark_read(const OrganizationId& organization, const Reader& reader, const NotificationId& id, bool read);
  /// How many that were.
  [[nodiscard]] Result<std::int64_t> mark_all_read(const OrganizationId& organization, const Reader& reader);

  /// Of every kind, in the order of `kKinds`.
  [[nodiscard]] Result<std::vector<Preference>> preferences(const OrganizationId& organization, const UserId& user);
  /// Those that are named; the others stay.
  [[nodiscard]] Result<void> set_preferences(const OrganizationId& organization, const UserId& user,
                                             const std::vector<Preference>& preferences);

  /// Error `notification.not_found`.
  [[nodiscard]] Result<OrganizationId> owner(const NotificationId& id);

 private:
  storage::Database& database_;
};

}  // namespace pawl::notify
