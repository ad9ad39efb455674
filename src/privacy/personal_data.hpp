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

/// An organization that stands or falls with the person.
struct Sole {
  OrganizationId organization;
  std::string name;
};
/// What stands before an erasure. Error `data.last_owner` (409): the person is the last owner of an organization with other members, who
/// would be left without; its message names them. Error `data.runs_open` as below. Otherwise the organizations in which the person is
/// alone: the caller removes what they hold (workflows, integrations) before `erase_person`.
[[nodiscard]] Result<std::vector<Sole>> before_erasure(storage::Database& database, const UserId& user);

/// Irreversibly: the person's row, sessions, links, codes, keys, memberships and invitations, the organizations in which nobody else is
/// with all their runs, the addresses in the audit trail, and the person's id wherever it says who made something. The audit records stay:
/// they name an id that nothing resolves any more. One write; on SQLite what was deleted is overwritten. Error `data.last_owner` as above,
/// `data.runs_open` (409): an organization that goes with the person has runs that have not ended; `user.not_found`.
[[nodiscard]] Result<void> erase_person(storage::Database& database, audit::Log& log, const UserId& user, const audit::Record& request);

}  // namespace pawl::privacy
