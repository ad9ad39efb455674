/// A person's data: taken along as JSON, and erased.
///
/// Both know every table with a column about people; `docs/pii.md` is the list, and a test compares it with the schema. Blocking: worker
/// threads.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "storage/database.hpp"

namespace pawl::privacy {

/// One JSON object, in pieces: a member for each kind of thing, and what is kept about it. Never a secret: no hash of a password or token,
/// no key, no sealed text; of stored credentials what the API shows. `write` answers false to stop. Error `user.not_found`.
[[nodiscard]] Result<void> export_person(storage::Database& database, const UserId& user,
                                         const std::function<bool(std::string_view piece)>& write);

struct Erasure {
  UserId user;
  OrganizationId installation{};  ///< the organization that never goes
};
/// What went with the person; the caller tells who keeps something of it in memory.
struct Erased {
  std::vector<OrganizationId> organizations;  ///< those in which nobody else was
  std::vector<WorkflowId> workflows;          ///< theirs
};

/// Irreversibly: the person's row, sessions, links, codes, keys, memberships and invitations, received and sent, the organizations in which
/// nobody else is with all that they hold, the addresses in the audit trail, and the person's id wherever it says who made something. The
/// audit records stay: they name an id that nothing resolves any more. One write; on SQLite what was deleted is overwritten. A second one
/// notes when the person's words had gone from memories of agents.
///
/// Errors, all conflicts: `data.last_owner`: others in an organization would be left without an owner; the message names them.
/// `data.runs_open`: an organization that goes with the person has runs that have not ended. `data.installation`: nobody else is in the
/// installation's own organization. `user.last_superuser`. And `user.not_found`.
[[nodiscard]] Result<Erased> erase_person(storage::Database& database, audit::Log& log, const Clock& clock, const Erasure& erasure,
                                          const audit::Record& request);

}  // namespace pawl::privacy
