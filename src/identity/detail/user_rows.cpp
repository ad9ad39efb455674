#include "identity/detail/user_rows.hpp"

#include "identity/detail/changed.hpp"

namespace pawl::identity::detail {
namespace {

using storage::Parameter;
using storage::Row;
using storage::Session;
using storage::Transaction;

UserRow read_user(const Row& row) {
  UserRow out;
  out.user.id = row.id<UserId>(0);
  out.user.email = std::string(row.text(1));
  out.email_key = std::string(row.text(2));
  out.user.name = std::string(row.text(3));
  if (!row.is_null(4)) out.password_hash = std::string(row.text(4));
  out.user.active = row.boolean(5);
  out.user.superuser = row.boolean(6);
  out.user.email_verified_at = row.optional_time(7);
  out.sealed_totp_seed = std::string(row.blob(8));
  out.user.totp_enabled = row.optional_time(9).has_value();
  out.totp_last_step = row.integer(10);
  out.user.last_login_at = row.optional_time(11);
  out.user.created_at = row.time(12);
  out.user.updated_at = row.time(13);
  return out;
}

}  // namespace

Result<std::optional<UserRow>> load_user(Session& session, const UserId& id) {
  std::optional<UserRow> found;
  PAWL_TRY_VOID(session.query(
      "select id, email, email_key, name, password_hash, is_active, is_superuser, email_verified_at, sealed_totp_seed, totp_enabled_at, "
      "totp_last_step, last_login_at, created_at, updated_at from users where id = $1 and deleted_at is null",
      {id}, [&](const Row& row) { found = read_user(row); }));
  return found;
}

Result<std::optional<UserRow>> load_user_by_email(Session& session, std::string_view email_key) {
  std::optional<UserRow> found;
  PAWL_TRY_VOID(session.query(
      "select id, email, email_key, name, password_hash, is_active, is_superuser, email_verified_at, sealed_totp_seed, totp_enabled_at, "
      "totp_last_step, last_login_at, created_at, updated_at from users where email_key = $1 and deleted_at is null",
      {email_key}, [&](const Row& row) { found = read_user(row); }));
  return found;
}

Result<bool> any_user(Session& session) {
  bool found = false;
  PAWL_TRY_VOID(session.query("select 1 from users limit 1", {}, [&](const Row&) { found = true; }));
  return found;
}

Result<void> insert_user(Transaction& transaction, const UserRow& row) {
  const auto inserted = transaction.execute(
      "insert into users (id, email, email_key, name, password_hash, is_active, is_superuser, email_verified_at, created_at, updated_at) "
      "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing",
      {row.user.id, row.user.email, row.email_key, row.user.name, row.password_hash, row.user.active ? 1 : 0, row.user.superuser ? 1 : 0,
       row.user.email_verified_at, row.user.created_at, row.user.updated_at});
  if (inserted.has_error()) return inserted.error();
  if (*inserted == 0) return Error(ErrorClass::conflict, "auth.email_taken", "There is an account with this e-mail address already.");
  return {};
}

Result<void> update_name(Transaction& transaction, const UserId& id, std::string_view name, TimePoint now) {
  return done(transaction.execute("update users set name = $2, updated_at = $3 where id = $1", {id, name, now}));
}

Result<void> load_preferences(Session& session, const UserId& id, std::optional<std::optional<Preferences>>& found) {
  return session.query("select preferences from users where id = $1 and deleted_at is null", {id}, [&](const Row& row) {
    found.emplace();
    if (!row.is_null(0)) found->emplace(preferences_of(row.text(0)));
  });
}

Result<void> store_preferences(Transaction& transaction, const UserId& id, const Preferences& preferences) {
  return done(transaction.execute("update users set preferences = $2 where id = $1", {id, to_json(preferences)}));
}

Result<bool> replace_password(Transaction& transaction, const UserId& id, const std::optional<std::string>& old_hash, std::string_view hash,
                              TimePoint now) {
  return changed_one(transaction.execute(
      "update users set password_hash = $3, updated_at = $4 where id = $1 and password_hash = $2 and deleted_at is null",
      {id, old_hash, hash, now}));
}

Result<void> set_password(Transaction& transaction, const UserId& id, std::string_view hash, TimePoint now) {
  return done(transaction.execute("update users set password_hash = $2, updated_at = $3 where id = $1", {id, hash, now}));
}

Result<void> clear_password(Transaction& transaction, const UserId& id, TimePoint now) {
  return done(transaction.execute("update users set password_hash = null, updated_at = $2 where id = $1", {id, now}));
}

Result<void> set_verified(Transaction& transaction, const UserId& id, TimePoint now) {
  return done(transaction.execute("update users set email_verified_at = $2, updated_at = $2 where id = $1 and email_verified_at is null",
                                  {id, now}));
}

Result<void> delete_links(Transaction& transaction, const UserId& id, const std::optional<std::string>& keep) {
  if (!keep) return done(transaction.execute("delete from oauth_identities where user_id = $1", {id}));
  return done(transaction.execute("delete from oauth_identities where user_id = $1 and email <> $2", {id, *keep}));
}

Result<void> note_login(Transaction& transaction, const UserId& id, TimePoint now) {
  return done(transaction.execute("update users set last_login_at = $2 where id = $1", {id, now}));
}

Result<void> set_totp_seed(Transaction& transaction, const UserId& id, std::string_view sealed, TimePoint now) {
  return done(transaction.execute(
      "update users set sealed_totp_seed = $2, totp_last_step = 0, updated_at = $3 where id = $1 and totp_enabled_at is null",
      {id, Parameter::blob(sealed), now}));
}

Result<void> enable_totp(Transaction& transaction, const UserId& id, std::int64_t step, TimePoint now) {
  return done(
      transaction.execute("update users set totp_enabled_at = $2, totp_last_step = $3, updated_at = $2 where id = $1", {id, now, step}));
}

Result<void> clear_totp(Transaction& transaction, const UserId& id, TimePoint now) {
  PAWL_TRY_VOID(transaction.execute("delete from backup_codes where user_id = $1", {id}));
  return done(transaction.execute(
      "update users set sealed_totp_seed = null, totp_enabled_at = null, totp_last_step = 0, updated_at = $2 where id = $1", {id, now}));
}

Result<bool> use_totp_step(Transaction& transaction, const UserId& id, std::int64_t step) {
  return changed_one(transaction.execute("update users set totp_last_step = $2 where id = $1 and totp_last_step < $2", {id, step}));
}

Result<void> replace_backup_codes(Transaction& transaction, const UserId& id, const std::vector<std::string>& hashes) {
  PAWL_TRY_VOID(transaction.execute("delete from backup_codes where user_id = $1", {id}));
  for (const auto& hash : hashes) {
    PAWL_TRY_VOID(transaction.execute("insert into backup_codes (user_id, code_hash) values ($1, $2)", {id, Parameter::blob(hash)}));
  }
  return {};
}

Result<bool> use_backup_code(Transaction& transaction, const UserId& id, std::string_view hash, TimePoint now) {
  return changed_one(transaction.execute("update backup_codes set used_at = $3 where user_id = $1 and code_hash = $2 and used_at is null",
                                         {id, Parameter::blob(hash), now}));
}

Result<std::int64_t> count_backup_codes(Session& session, const UserId& id) {
  std::int64_t count = 0;
  PAWL_TRY_VOID(session.query("select count(*) from backup_codes where user_id = $1 and used_at is null", {id},
                              [&](const Row& row) { count = row.integer(0); }));
  return count;
}

Result<void> insert_one_time_token(Transaction& transaction, const OneTimeToken& token, TimePoint now) {
  PAWL_TRY_VOID(transaction.execute("delete from one_time_tokens where expires_at < $1", {now}));
  if (token.user) PAWL_TRY_VOID(delete_one_time_tokens(transaction, token.user, token.purpose));
  return done(transaction.execute(
      "insert into one_time_tokens (token_hash, purpose, user_id, email_key, created_at, expires_at) values ($1, $2, $3, $4, $5, $6)",
      {Parameter::blob(token.hash), token.purpose, token.user, token.email_key, now, token.expires_at}));
}

Result<std::optional<OneTimeToken>> find_one_time_token(Session& session, std::string_view hash, std::string_view purpose, TimePoint now) {
  std::optional<OneTimeToken> found;
  PAWL_TRY_VOID(
      session.query("select user_id, email_key, expires_at from one_time_tokens where token_hash = $1 and purpose = $2 and used_at is null "
                    "and expires_at > $3",
                    {Parameter::blob(hash), purpose, now}, [&](const Row& row) {
                      OneTimeToken token;
                      token.hash = std::string(hash);
                      token.purpose = purpose;
                      if (!row.is_null(0)) token.user = row.id<UserId>(0);
                      token.email_key = std::string(row.text(1));
                      token.expires_at = row.time(2);
                      found = std::move(token);
                    }));
  return found;
}

Result<std::optional<OneTimeToken>> use_one_time_token(Transaction& transaction, std::string_view hash, std::string_view purpose,
                                                       TimePoint now) {
  PAWL_TRY(found, find_one_time_token(transaction, hash, purpose, now));
  if (!found) return found;
  PAWL_TRY(used, changed_one(transaction.execute("update one_time_tokens set used_at = $2 where token_hash = $1 and used_at is null",
                                                 {Parameter::blob(hash), now})));
  if (!used) found.reset();
  return found;
}

Result<void> delete_one_time_tokens(Transaction& transaction, const std::optional<UserId>& user, std::string_view purpose) {
  if (!user) {
    return done(transaction.execute("delete from one_time_tokens where user_id is null and purpose = $1", {purpose}));
  }
  return done(transaction.execute("delete from one_time_tokens where user_id = $1 and purpose = $2", {*user, purpose}));
}

}  // namespace pawl::identity::detail
