// Starts that schedules have decided on: hands them to the engine, and hears what becomes of them.
//
// A start is a `PendingStart` in the progress of its schedule and durable before it gets here. It is crossed out once the engine has the
// run, or has refused it for good: then it becomes a dead letter, in the commit that crosses it out. What the engine cannot take just now
// stays, and is tried again. After a restart nobody knows how far a start had come: the engine is asked for its run.
//
// On the scheduler's thread only, but for the answers of the engine, which come back over `post`.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "catalog/detail/schedule_entry.hpp"
#include "engine/dead_letter.hpp"
#include "json/value.hpp"
#include "storage/database.hpp"

namespace pawl::engine {
class Engine;
}
namespace pawl::catalog {
class Catalog;
}

namespace pawl::catalog::detail {

/// How often starts that were refused and runs from before a restart are looked at.
inline constexpr Millis kRetryEvery{1000};

class ScheduleStarts {
 public:
  struct Dependencies {
    ScheduleEntries& entries;
    engine::Engine& engine;
    Catalog& catalog;
    Clock& clock;
    std::function<json::Value(const OrganizationId&, const dsl::Plan&)> secrets;  ///< `$secrets` of a run; may be empty
    std::function<bool(std::function<void()>)> post;                              ///< onto the scheduler's thread; false: not taken
    std::function<void(const ScheduleId&, const RunId&)> ended;                   ///< a run of a schedule is over, or was none
    std::function<void(const ScheduleEntry&, std::string_view sentence)> report;  ///< for the log
  };
  explicit ScheduleStarts(Dependencies dependencies) : d_(std::move(dependencies)) {}

  /// Once, with what was loaded: perhaps it was started before the restart, perhaps not.
  void ask_about_all();
  /// Begins every pending start that has not begun. All of them are durable.
  void begin_pending();

  /// Whether something waits for `retry`.
  [[nodiscard]] bool needs_retry() const;
  /// Where it is time: starts that were refused are tried again, runs from before a restart are asked whether they have ended.
  void retry_when_due(TimePoint now);

  /// Writes the dead letters since the last `stored`, with their notices.
  [[nodiscard]] Result<void> store(storage::Transaction& transaction) const;
  void stored() { letters_.clear(); }

 private:
  void begin(ScheduleEntry& entry, const PendingStart& start);
  void settled(const ScheduleId& id, const RunId& run, const Result<RunId>& result);
  void bury(const ScheduleEntry& entry, const RunId& run, const Error& error);
  void look_at(const ScheduleEntry& entry, const RunId& run);
  void looked_at(const ScheduleId& id, const RunId& run, bool missing, bool over);

  Dependencies d_;
  std::vector<engine::DeadLetter> letters_;
  TimePoint next_retry_{};
};

}  // namespace pawl::catalog::detail
