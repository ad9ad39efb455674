/// Who may let runs destroy, for what starts without a person and for what a person decides elsewhere: read from the database.
///
/// Where a person asks, the principal knows (`identity::Principal::may_destroy`).
#pragma once

#include <cstdint>

#include "base/error.hpp"
#include "base/ids.hpp"

namespace pawl::storage {
class Database;
}

namespace pawl::catalog {

struct DestroyGuard {
  UserId author;            ///< of the version; nil: nobody on record
  bool is_guarded = false;  ///< the organization asks for more than the role `member`
};
[[nodiscard]] Result<DestroyGuard> load_guard(storage::Database& database, const OrganizationId& organization, const WorkflowId& workflow,
                                              std::uint32_t version);

/// Where the organization asks for no more than `member`: everybody, as the role was asked for when they came to this. Else the user must
/// have the role now, or be an active administrator of the installation. A nil user has no role. Blocks.
[[nodiscard]] Result<bool> may_destroy(storage::Database& database, const OrganizationId& organization, const UserId& user);

}  // namespace pawl::catalog
