// The tables `users`, `one_time_tokens`, `backup_codes` and `login_failures`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/preferences.hpp"
#include "identity/user.hpp"
#include "storage/database.hpp"

namespace pawl::identity::detail {

struct UserRow {
  User user;
  std::string email_key;
  std::optional<std::string> password_hash;
  std::string sealed_totp_seed;  ///< empty: none
  std::int64_t totp_last_step = 0;
};

[[nodiscard]] Result<std::optional<UserRow>> load_user(storage::Session& session, const UserId& id);
[[nodiscard]] Result<std::optional<UserRow>> load_user_by_email(storage::Session& session, std::string_view email_key);
[[nodiscard]] Result<bool> any_user(storage::Session& session);
/// Error `auth.email_taken` (409).
[[nodiscard]] Result<void> insert_user(storage::Transaction& transaction, const UserRow& row);
[[nodiscard]] Result<void> update_name(storage::Transaction& transaction, const UserId& id, std::string_view name, TimePoint now);
/// Leaves `found` empty where there is no such user.
[[nodiscard]] Result<void> load_preferences(storage::Session& session, const UserId& id, std::optional<std::optional<Preferences>>& found);
[[nodiscard]] Result<void> store_preferences(storage::Transaction& transaction, const UserId& id, const Preferences& preferences);
/// Only while the old hash is still the one there: false otherwise.
[[nodiscard]] Result<bool> replace_password(storage::Transaction& transaction, const UserId& id, const std::optional<std::string>& old_hash,
                                            std::string_view hash, TimePoint now);
[[nodiscard]] Result<void> set_password(storage::Transaction& transaction, const UserId& id, std::string_view hash, TimePoint now);
[[nodiscard]] Result<void> clear_password(storage::Transaction& transaction, const UserId& id, TimePoint now);
[[nodiscard]] Result<void> set_verified(storage::Transaction& transaction, const UserId& id, TimePoint now);
/// Accounts of providers lead to this user no more, but for those whose provider has verified the address `keep`.
[[nodiscard]] Result<void> delete_links(storage::Transaction& transaction, const UserId& id, const std::optional<std::string>& keep);
[[nodiscard]] Result<void> note_login(storage::Transaction& transaction, const UserId& id, TimePoint now);

// The second factor.
[[nodiscard]] Result<void> set_totp_seed(storage::Transaction& transaction, const UserId& id, std::string_view sealed, TimePoint now);
[[nodiscard]] Result<void> enable_totp(storage::Transaction& transaction, const UserId& id, std::int64_t step, TimePoint now);
[[nodiscard]] Result<void> clear_totp(storage::Transaction& transaction, const UserId& id, TimePoint now);
/// False: a code of this step, or of a later one, was used already.
[[nodiscard]] Result<bool> use_totp_step(storage::Transaction& transaction, const UserId& id, std::int64_t step);
[[nodiscard]] Result<void> replace_backup_codes(storage::Transaction& transaction, const UserId& id,
                                                const std::vector<std::string>& hashes);
/// False: there is no such code, or it was used.
[[nodiscard]] Result<bool> use_backup_code(storage::Transaction& transaction, const UserId& id, std::string_view hash, TimePoint now);
[[nodiscard]] Result<std::int64_t> count_backup_codes(storage::Session& session, const UserId& id);

// Links.
struct OneTimeToken {
  std::string hash;
  std::string_view purpose;
  std::optional<UserId> user;
  std::string email_key;
  TimePoint expires_at{};
};
/// Takes the place of earlier ones of the same purpose and user.
[[nodiscard]] Result<void> insert_one_time_token(storage::Transaction& transaction, const OneTimeToken& token, TimePoint now);
/// Nothing where it is unknown, used or expired.
[[nodiscard]] Result<std::optional<OneTimeToken>> find_one_time_token(storage::Session& session, std::string_view hash,
                                                                      std::string_view purpose, TimePoint now);
/// Marks it as used and answers what it was for; nothing where it is unknown, used or expired.
[[nodiscard]] Result<std::optional<OneTimeToken>> use_one_time_token(storage::Transaction& transaction, std::string_view hash,
                                                                     std::string_view purpose, TimePoint now);
[[nodiscard]] Result<void> delete_one_time_tokens(storage::Transaction& transaction, const std::optional<UserId>& user,
                                                  std::string_view purpose);

}  // namespace pawl::identity::detail
