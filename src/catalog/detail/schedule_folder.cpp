#include "catalog/detail/schedule_folder.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "catalog/detail/file_rows.hpp"

namespace pawl::catalog::detail {
namespace {

/// How long a file waits for its turn at most while too many of its schedule are being started.
constexpr Millis kTurnPatience{1000};

}  // namespace

Result<std::unique_ptr<ScheduleFolder>> ScheduleFolder::open(storage::Database& database, const ScheduleRow& row) {
  if (row.spec.kind != "files") return std::unique_ptr<ScheduleFolder>();
  std::optional<std::map<std::string, FileStamp>> known;
  if (row.progress.has_files) {
    auto loaded = database.read([&](storage::Session& session) { return load_known_files(session, row.id); });
    if (loaded.has_error()) return loaded.error();
    known = std::move(*loaded);
  }
  return std::make_unique<ScheduleFolder>(file_watch_from(row.spec.details), FileWatchState(std::move(known)));
}

bool ScheduleFolder::take_look(TimePoint now) {
  if (!look_at_ || *look_at_ > now) return false;
  look_at_.reset();
  return true;
}

void ScheduleFolder::take(const std::vector<WatchedFile>& listing, ScheduleRow& row, const SchedulePolicy& policy, TimePoint now,
                          const Start& start) {
  if (!state_.has_baseline()) {
    state_.take_baseline(listing);
    for (const auto& file : listing) settled_.push_back({FileChange::Event::created, file.path, file.stamp});
    new_baseline_ = row.progress.has_files = true;
    return;
  }
  const auto found = state_.look(listing, wish_.settle, now);
  if (found.look_again) look_soon(*found.look_again);
  const auto& ripe = found.ripe;
  // The newest of those that count: a newer one that starts nothing takes nobody's place.
  const auto last = std::find_if(ripe.rbegin(), ripe.rend(), [&](const FileChange& change) { return wants(wish_, change.event); });
  for (const auto& change : ripe) {
    const bool is_last = last != ripe.rend() && &change == &*last;
    if (!take_change(change, is_last, row, policy, now, start)) break;
  }
}

/// False: this one and those after it are for later. They are found again.
bool ScheduleFolder::take_change(const FileChange& change, bool is_last, ScheduleRow& row, const SchedulePolicy& policy, TimePoint now,
                                 const Start& start) {
  auto& times = row.progress.times;
  const bool busy = !times.running.empty();
  bool starts = wants(wish_, change.event);
  if (starts && row.progress.pending.size() >= kMaxPendingFiles) {
    waits_ = true;
    look_soon(now + kTurnPatience);
    return false;
  }
  if (starts && policy.overlap == Overlap::queue && busy) return false;  // the end of the run looks again
  if (starts && ((policy.overlap == Overlap::skip && busy) || (policy.overlap == Overlap::cancel_other && !is_last))) {
    ++times.skipped;
    starts = false;
  }
  state_.settle(change);
  settled_.push_back(change);
  if (!starts) return true;
  ScheduleDecision decision;
  if (policy.overlap == Overlap::cancel_other) decision.cancel = times.running;
  times.last_fired = now;
  decision.start.push_back(now);
  start(decision, change);
  return true;
}

void ScheduleFolder::make_room(std::size_t pending, TimePoint now) {
  if (!waits_ || pending > kMaxPendingFiles / 2) return;
  waits_ = false;
  look_soon(now);
}

Result<void> ScheduleFolder::store(storage::Transaction& transaction, const ScheduleId& id) const {
  if (!has_changes()) return {};
  return store_known_files(transaction, id, settled_, new_baseline_);
}

void ScheduleFolder::stored() {
  settled_.clear();
  new_baseline_ = false;
}

}  // namespace pawl::catalog::detail
