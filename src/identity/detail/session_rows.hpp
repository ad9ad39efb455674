// The tables `sessions` and `api_keys`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/user.hpp"
#include "storage/database.hpp"

namespace pawl::identity::detail {

struct SessionRow {
  SessionInfo info;
  UserId user;
  std::string token_hash;
  std::string previous_hash;  ///< empty: none
  std::string salt;
  std::uint32_t generation = 0;
  TimePoint rotated_at{};
  std::optional<TimePoint> revoked_at;
};

[[nodiscard]] Result<void> insert_session(storage::Transaction& transaction, const SessionRow& row);
/// Whatever its state.
[[nodiscard]] Result<std::optional<SessionRow>> load_session(storage::Session& session, const SessionId& id);
/// Those that live at `now`, newest use first.
[[nodiscard]] Result<std::vector<SessionInfo>> load_sessions(storage::Session& session, const UserId& user, TimePoint now);
/// Exchanges the token; false where `old_hash` is not the current one any more.
[[nodiscard]] Result<bool> rotate_session(storage::Transaction& transaction, const SessionRow& row, std::string_view old_hash);
[[nodiscard]] Result<void> touch_session(storage::Transaction& transaction, const SessionId& id, TimePoint now);
/// False: the user has no such session that lives.
[[nodiscard]] Result<bool> revoke_session(storage::Transaction& transaction, const UserId& user, const SessionId& id,
                                          std::string_view because, TimePoint now);
/// All but `keep`; answers how many.
[[nodiscard]] Result<std::int64_t> revoke_sessions(storage::Transaction& transaction, const UserId& user,
                                                   const std::optional<SessionId>& keep, std::string_view because, TimePoint now);

[[nodiscard]] Result<void> insert_api_key(storage::Transaction& transaction, const ApiKey& key, std::string_view hash);
[[nodiscard]] Result<std::optional<ApiKey>> load_api_key_by_hash(storage::Session& session, std::string_view hash, TimePoint now);
[[nodiscard]] Result<std::optional<ApiKey>> load_api_key(storage::Session& session, const UserId& user, const ApiKeyId& id);
/// Newest first; those older than `before`, where given.
[[nodiscard]] Result<std::vector<ApiKey>> load_api_keys(storage::Session& session, const UserId& user, std::uint32_t limit,
                                                        const std::optional<ApiKeyId>& before);
[[nodiscard]] Result<std::int64_t> count_api_keys(storage::Session& session, const UserId& user);
/// False: the user has no such key.
[[nodiscard]] Result<bool> revoke_api_key(storage::Transaction& transaction, const UserId& user, const ApiKeyId& id, TimePoint now);
/// All of the user's; answers how many.
[[nodiscard]] Result<std::int64_t> revoke_api_keys(storage::Transaction& transaction, const UserId& user, TimePoint now);
[[nodiscard]] Result<void> touch_api_key(storage::Transaction& transaction, const ApiKeyId& id, TimePoint now);

}  // namespace pawl::identity::detail
