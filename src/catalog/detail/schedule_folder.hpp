// The folder of one schedule of kind `files`: what a listing of it starts, by the overlap of the schedule. The scheduler owns one for each
// such schedule, hands it every listing, and stores with the schedule's progress what the folder has dealt with.
//
// On the scheduler's thread only; reads and writes the database, knows neither the engine nor the file system.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "catalog/detail/schedule_rows.hpp"
#include "catalog/file_watch.hpp"
#include "catalog/schedule_state.hpp"
#include "storage/database.hpp"

namespace pawl::catalog::detail {

class ScheduleFolder {
 public:
  /// With what was dealt with before a restart. Null for schedules of another kind.
  [[nodiscard]] static Result<std::unique_ptr<ScheduleFolder>> open(storage::Database& database, const ScheduleRow& row);
  ScheduleFolder(FileWatch wish, FileWatchState state) : wish_(std::move(wish)), state_(std::move(state)) {}

  [[nodiscard]] const FileWatch& wish() const { return wish_; }

  /// To start a run for a change, after having ended those of `decision.cancel`. Counts the run among `running` where the policy needs it.
  using Start = std::function<void(const ScheduleDecision& decision, const FileChange& change)>;
  /// Deals with what a listing shows, a bounded number of starts at once. What cannot start yet is found again with a later one.
  void take(const std::vector<WatchedFile>& listing, ScheduleRow& row, const SchedulePolicy& policy, TimePoint now, const Start& start);

  /// When the folder is to be listed again, whatever happens in it.
  [[nodiscard]] const std::optional<TimePoint>& look_at() const { return look_at_; }
  void look_soon(TimePoint at) { look_at_ = std::min(look_at_.value_or(at), at); }
  /// One of the starts that were under way is settled, `pending` are left: files that wait for their turn get it.
  void make_room(std::size_t pending, TimePoint now);
  /// Whether that time has come; asked once.
  [[nodiscard]] bool take_look(TimePoint now);

  /// What was dealt with since `stored`.
  [[nodiscard]] bool has_changes() const { return new_baseline_ || !settled_.empty(); }
  [[nodiscard]] Result<void> store(storage::Transaction& transaction, const ScheduleId& id) const;
  void stored();

 private:
  [[nodiscard]] bool take_change(const FileChange& change, bool is_last, ScheduleRow& row, const SchedulePolicy& policy, TimePoint now,
                                 const Start& start);

  FileWatch wish_;
  FileWatchState state_;
  std::vector<FileChange> settled_;  // dealt with, stored with the next progress
  bool new_baseline_ = false;        // likewise
  bool waits_ = false;               // files are there that were not taken
  std::optional<TimePoint> look_at_;
};

}  // namespace pawl::catalog::detail
