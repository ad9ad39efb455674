#include "engine/organization_part.hpp"

#include "storage/database.hpp"

namespace pawl::engine {

Result<std::int64_t> count_open_runs(storage::Session& session, const OrganizationId& organization) {
  std::int64_t count = 0;
  PAWL_TRY_VOID(session.query("select count(*) from open_runs r join run_workflows w on w.ref = r.workflow where w.organization_id = $1",
                              {organization}, [&](const storage::Row& row) { count = row.integer(0); }));
  return count;
}

}  // namespace pawl::engine
