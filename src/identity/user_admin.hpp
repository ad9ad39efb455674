/// The installation's users, for its administrators.
///
/// Who may do this is checked again inside the transaction: an administrator who was deactivated, or is none any more, does nothing,
/// whatever the credentials say. At least one active superuser remains. Errors: `user.not_found`, `user.denied`, `user.last_superuser`
/// (conflict), `auth.invalid_name`, those of `Organizations::leave_everything`, those of storage. All functions block and are thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "identity/user.hpp"

namespace pawl::storage {
class Database;
class Transaction;
}  // namespace pawl::storage

namespace pawl::identity {

class Organizations;

/// Who administers.
struct Administrator {
  UserId user;  ///< nil: the installation's own key
};
/// Nothing unless the principal administers the installation.
[[nodiscard]] std::optional<Administrator> administrator_of(const Principal& principal);

struct UserFilter {
  std::string text;  ///< part of the address or of the name
  std::uint32_t limit = 50;
  std::optional<UserId> after;
};
struct UserPage {
  std::vector<User> users;
  std::optional<UserId> next;
};
struct UserChanges {
  std::optional<std::string> name{};
  std::optional<bool> active{};  ///< false ends all sessions
  std::optional<bool> superuser{};
};

/// For the audit trail, inside of the transaction.
struct UserAdminEvent {
  std::string_view action;  ///< `user.changed`, `user.deleted`
  UserId actor;             ///< nil: the installation's own key
  UserId user;
  UserChanges changes{};
};

class UserAdmin {
 public:
  struct Dependencies {
    storage::Database& database;
    Organizations& organizations;
    const Clock& clock;
    std::function<void(const UserId&)> on_change{};  ///< after the commit: cached principals are stale; may be empty
    std::function<Result<void>(storage::Transaction&, const UserAdminEvent&)> record{};  ///< may be empty
  };
  explicit UserAdmin(Dependencies dependencies) : d_(std::move(dependencies)) {}

  /// Oldest first.
  [[nodiscard]] Result<UserPage> list(const Administrator& administrator, const UserFilter& filter);
  [[nodiscard]] Result<User> get(const Administrator& administrator, const UserId& user);
  [[nodiscard]] Result<User> update(const Administrator& administrator, const UserId& user, const UserChanges& changes);
  /// Ends memberships, sessions and keys, deletes the personal organization, and empties the row: no address, no name, no password remains.
  [[nodiscard]] Result<void> remove(const Administrator& administrator, const UserId& user);

 private:
  Dependencies d_;
};

}  // namespace pawl::identity
