// SQL of user management by administrators.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "identity/user.hpp"
#include "storage/database.hpp"

namespace pawl::identity::detail {

/// `text`: part of the address or the name, without regard to case of ASCII letters; empty: all.
[[nodiscard]] Result<std::vector<User>> load_users(storage::Session& session, std::string_view text, std::uint32_t limit,
                                                   const UserId& after);
/// Two administrators who take each other's rights at the same moment wait for one another.
[[nodiscard]] Result<void> lock_superusers(storage::Transaction& transaction);
/// Active ones.
[[nodiscard]] Result<std::int64_t> count_superusers(storage::Session& session);
/// Name, active, superuser.
[[nodiscard]] Result<void> update_user(storage::Transaction& transaction, const User& user);
/// Sessions, keys, codes, links and identities go; the row stays, empty, because the audit trail knows its id.
[[nodiscard]] Result<void> erase_user(storage::Transaction& transaction, const UserId& user, TimePoint now);

}  // namespace pawl::identity::detail
