#include "identity/detail/session_rows.hpp"

#include "identity/detail/changed.hpp"

namespace pawl::identity::detail {
namespace {

using storage::Parameter;
using storage::Row;
using storage::Session;
using storage::Transaction;

SessionInfo read_info(const Row& row) {
  SessionInfo info;
  info.id = row.id<SessionId>(0);
  info.user_agent = std::string(row.text(1));
  info.address = std::string(row.text(2));
  info.created_at = row.time(3);
  info.last_used_at = row.time(4);
  info.expires_at = row.time(5);
  return info;
}

ApiKey read_key(const Row& row) {
  ApiKey key;
  key.id = row.id<ApiKeyId>(0);
  key.user = row.id<UserId>(1);
  key.organization = row.id<OrganizationId>(2);
  key.name = std::string(row.text(3));
  key.prefix = std::string(row.text(4));
  key.scopes = Scopes::from_bits(static_cast<std::uint32_t>(row.integer(5)));
  key.created_at = row.time(6);
  key.expires_at = row.optional_time(7);
  key.last_used_at = row.optional_time(8);
  return key;
}

}  // namespace

Result<void> insert_session(Transaction& transaction, const SessionRow& row) {
  return done(transaction.execute(
      "insert into sessions (id, user_id, token_hash, salt, generation, rotated_at, user_agent, address, created_at, last_used_at, "
      "expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
      {row.info.id, row.user, Parameter::blob(row.token_hash), Parameter::blob(row.salt), row.generation, row.rotated_at,
       row.info.user_agent, row.info.address, row.info.created_at, row.info.last_used_at, row.info.expires_at}));
}

Result<std::optional<SessionRow>> load_session(Session& session, const SessionId& id) {
  std::optional<SessionRow> found;
  PAWL_TRY_VOID(session.query(
      "select id, user_agent, address, created_at, last_used_at, expires_at, user_id, token_hash, previous_hash, salt, generation, "
      "rotated_at, revoked_at from sessions where id = $1",
      {id}, [&](const Row& row) {
        SessionRow out;
        out.info = read_info(row);
        out.user = row.id<UserId>(6);
        out.token_hash = std::string(row.blob(7));
        out.previous_hash = std::string(row.blob(8));
        out.salt = std::string(row.blob(9));
        out.generation = static_cast<std::uint32_t>(row.integer(10));
        out.rotated_at = row.time(11);
        out.revoked_at = row.optional_time(12);
        found = std::move(out);
      }));
  return found;
}

Result<std::vector<SessionInfo>> load_sessions(Session& session, const UserId& user, TimePoint now) {
  std::vector<SessionInfo> found;
  PAWL_TRY_VOID(
      session.query("select id, user_agent, address, created_at, last_used_at, expires_at from "
                    "(select * from sessions where user_id = $1 and revoked_at is null and expires_at > $2 "
                    "order by last_used_at desc, id desc limit 200) as in_use order by id desc",
                    {user, now}, [&](const Row& row) { found.push_back(read_info(row)); }));
  return found;
}

Result<bool> rotate_session(Transaction& transaction, const SessionRow& row, std::string_view old_hash) {
  return changed_one(transaction.execute(
      "update sessions set token_hash = $3, previous_hash = $2, generation = $4, rotated_at = $5, last_used_at = $5, expires_at = $6, "
      "user_agent = $7, address = $8 where id = $1 and token_hash = $2 and revoked_at is null",
      {row.info.id, Parameter::blob(old_hash), Parameter::blob(row.token_hash), row.generation, row.rotated_at, row.info.expires_at,
       row.info.user_agent, row.info.address}));
}

Result<void> touch_session(Transaction& transaction, const SessionId& id, TimePoint now) {
  return done(transaction.execute("update sessions set last_used_at = $2 where id = $1 and last_used_at < $2", {id, now}));
}

Result<bool> revoke_session(Transaction& transaction, const UserId& user, const SessionId& id, std::string_view because, TimePoint now) {
  return changed_one(transaction.execute(
      "update sessions set revoked_at = $3, revoked_because = $4 where id = $1 and user_id = $2 and revoked_at is null and expires_at > $3",
      {id, user, now, because}));
}

Result<std::int64_t> revoke_sessions(Transaction& transaction, const UserId& user, const std::optional<SessionId>& keep,
                                     std::string_view because, TimePoint now) {
  // No session has the nil id.
  return transaction.execute(
      "update sessions set revoked_at = $3, revoked_because = $4 where user_id = $1 and id <> $2 and revoked_at is null",
      {user, keep.value_or(SessionId{}), now, because});
}

Result<void> insert_api_key(Transaction& transaction, const ApiKey& key, std::string_view hash) {
  return done(
      transaction.execute("insert into api_keys (id, key_hash, prefix, name, scopes, organization_id, user_id, created_at, expires_at) "
                          "values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                          {key.id, Parameter::blob(hash), key.prefix, key.name, key.scopes.bits(), key.organization, key.user,
                           key.created_at, key.expires_at}));
}

Result<std::optional<ApiKey>> load_api_key_by_hash(Session& session, std::string_view hash, TimePoint now) {
  std::optional<ApiKey> found;
  PAWL_TRY_VOID(
      session.query("select id, user_id, organization_id, name, prefix, scopes, created_at, expires_at, last_used_at from api_keys "
                    "where key_hash = $1 and revoked_at is null and (expires_at is null or expires_at > $2)",
                    {Parameter::blob(hash), now}, [&](const Row& row) { found = read_key(row); }));
  return found;
}

Result<std::optional<ApiKey>> load_api_key(Session& session, const UserId& user, const ApiKeyId& id) {
  std::optional<ApiKey> found;
  PAWL_TRY_VOID(
      session.query("select id, user_id, organization_id, name, prefix, scopes, created_at, expires_at, last_used_at from api_keys "
                    "where id = $1 and user_id = $2 and revoked_at is null",
                    {id, user}, [&](const Row& row) { found = read_key(row); }));
  return found;
}

Result<std::vector<ApiKey>> load_api_keys(Session& session, const UserId& user, std::uint32_t limit,
                                          const std::optional<ApiKeyId>& before) {
  std::vector<ApiKey> found;
  const auto last =
      before.value_or(ApiKeyId{Uuid{{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}}});
  PAWL_TRY_VOID(
      session.query("select id, user_id, organization_id, name, prefix, scopes, created_at, expires_at, last_used_at from api_keys "
                    "where user_id = $1 and revoked_at is null and id < $2 order by id desc limit $3",
                    {user, last, limit}, [&](const Row& row) { found.push_back(read_key(row)); }));
  return found;
}

Result<std::int64_t> count_api_keys(Session& session, const UserId& user) {
  std::int64_t count = 0;
  PAWL_TRY_VOID(session.query("select count(*) from api_keys where user_id = $1 and revoked_at is null", {user},
                              [&](const Row& row) { count = row.integer(0); }));
  return count;
}

Result<bool> revoke_api_key(Transaction& transaction, const UserId& user, const ApiKeyId& id, TimePoint now) {
  return changed_one(
      transaction.execute("update api_keys set revoked_at = $3 where id = $1 and user_id = $2 and revoked_at is null", {id, user, now}));
}

Result<std::int64_t> revoke_api_keys(Transaction& transaction, const UserId& user, TimePoint now) {
  return transaction.execute("update api_keys set revoked_at = $2 where user_id = $1 and revoked_at is null", {user, now});
}

Result<void> touch_api_key(Transaction& transaction, const ApiKeyId& id, TimePoint now) {
  return done(transaction.execute("update api_keys set last_used_at = $2 where id = $1", {id, now}));
}

}  // namespace pawl::identity::detail
