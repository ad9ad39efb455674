#include "identity/detail/user_admin_rows.hpp"

#include <string>

namespace pawl::identity::detail {
namespace {

User to_user(const storage::Row& row) {
  User user;
  user.id = row.id<UserId>(0);
  user.email = std::string(row.text(1));
  user.name = std::string(row.text(2));
  user.active = row.boolean(3);
  user.superuser = row.boolean(4);
  user.email_verified_at = row.optional_time(5);
  user.totp_enabled = !row.is_null(6);
  user.created_at = row.time(7);
  user.updated_at = row.time(8);
  user.last_login_at = row.optional_time(9);
  return user;
}

/// What stands anywhere within a column, taken literally.
std::string contains_pattern(std::string_view text) {
  std::string pattern = "%";
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '!') pattern += '!';
    pattern += c;
  }
  return pattern + "%";
}

}  // namespace

Result<std::vector<User>> load_users(storage::Session& session, std::string_view text, std::uint32_t limit, const UserId& after) {
  std::vector<User> users;
  const auto pattern = contains_pattern(text);
  PAWL_TRY_VOID(session.query(
      "select id, email, name, is_active, is_superuser, email_verified_at, totp_enabled_at, created_at, updated_at, last_login_at "
      "from users where deleted_at is null and id > $1 and (email_key like lower($2) escape '!' or lower(name) like lower($2) escape '!') "
      "order by id limit $3",
      {after, pattern, limit}, [&](const storage::Row& row) { users.push_back(to_user(row)); }));
  return users;
}

Result<void> lock_superusers(storage::Transaction& transaction) {
  PAWL_TRY_VOID(transaction.execute("update users set is_superuser = 1 where is_superuser = 1"));
  return {};
}

Result<std::int64_t> count_superusers(storage::Session& session) {
  std::int64_t count = 0;
  PAWL_TRY_VOID(session.query("select count(*) from users where is_superuser = 1 and is_active = 1 and deleted_at is null", {},
                              [&](const storage::Row& row) { count = row.integer(0); }));
  return count;
}

Result<void> update_user(storage::Transaction& transaction, const User& user) {
  PAWL_TRY_VOID(transaction.execute("update users set name = $1, is_active = $2, is_superuser = $3, updated_at = $4 where id = $5",
                                    {user.name, user.active ? 1 : 0, user.superuser ? 1 : 0, user.updated_at, user.id}));
  return {};
}

Result<void> erase_user(storage::Transaction& transaction, const UserId& user, TimePoint now) {
  for (const auto* sql :
       {"delete from sessions where user_id = $1", "delete from one_time_tokens where user_id = $1",
        "delete from backup_codes where user_id = $1", "delete from api_keys where user_id = $1",
        "delete from notification_reads where user_id = $1", "delete from notification_preferences where user_id = $1",
        "delete from notification_queue where target = $1", "delete from notification_targets where target = $1",
        "update notification_channels set created_by = null where created_by = $1", "delete from oauth_identities where user_id = $1",
        "delete from invitations where invited_by = $1 or accepted_by = $1",
        "delete from invitations where email = (select email_key from users where id = $1)"}) {
    PAWL_TRY_VOID(transaction.execute(sql, {user}));
  }
  const auto nothing = user.to_string();  // an address key that nobody can have
  PAWL_TRY_VOID(
      transaction.execute("update users set email = '', email_key = $1, name = '', password_hash = null, is_active = 0, is_superuser = 0, "
                          "email_verified_at = null, sealed_totp_seed = null, totp_enabled_at = null, preferences = null, deleted_at = $2, "
                          "updated_at = $2 where id = $3",
                          {nothing, now, user}));
  return {};
}

}  // namespace pawl::identity::detail
