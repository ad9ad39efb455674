#include "catalog/detail/file_rows.hpp"

namespace pawl::catalog::detail {

Result<std::map<std::string, FileStamp>> load_known_files(storage::Session& session, const ScheduleId& id) {
  std::map<std::string, FileStamp> known;
  PAWL_TRY_VOID(session.query("select path, size, modified from watched_files where schedule_id = $1", {id}, [&](const storage::Row& row) {
    known.insert_or_assign(std::string(row.text(0)), FileStamp{static_cast<std::uint64_t>(row.integer(1)), row.integer(2)});
  }));
  return known;
}

Result<void> store_known_files(storage::Transaction& transaction, const ScheduleId& id, const std::vector<FileChange>& changes,
                               bool baseline) {
  bool exists = false;
  PAWL_TRY_VOID(transaction.query("select 1 from schedules where id = $1", {id}, [&](const storage::Row&) { exists = true; }));
  if (!exists) return {};
  if (baseline) PAWL_TRY_VOID(transaction.execute("delete from watched_files where schedule_id = $1", {id}));
  for (const auto& change : changes) {
    if (change.event == FileChange::Event::removed) {
      PAWL_TRY_VOID(transaction.queue("delete from watched_files where schedule_id = $1 and path = $2", {id, change.path}));
    } else {
      PAWL_TRY_VOID(
          transaction.queue("insert into watched_files (schedule_id, path, size, modified) values ($1, $2, $3, $4) "
                            "on conflict (schedule_id, path) do update set size = excluded.size, modified = excluded.modified",
                            {id, change.path, static_cast<std::int64_t>(change.stamp.size), change.stamp.modified_ns}));
    }
  }
  return {};
}

}  // namespace pawl::catalog::detail
