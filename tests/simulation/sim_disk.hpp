/// A disk in memory that forgets: what was appended and not synced is gone after a crash. Keeps what the tables of `RunStore` keep, by the
/// same rules.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/records.hpp"

namespace pawl::simulation {

class SimDisk {
 public:
  /// What is on the platter, per open run.
  struct Open {
    engine::RunIdentity identity;
    engine::Phase phase = engine::Phase::pending;
    bool resident = true;
    std::string beginning;
    std::map<std::uint32_t, std::string> journal;
    std::optional<std::pair<std::uint32_t, std::string>> snapshot;
    std::optional<TimePoint> due;
    std::vector<std::string> listens;
  };

  void append(engine::Batch batch) { pending_.push_back(std::move(batch)); }
  [[nodiscard]] bool has_pending() const { return !pending_.empty(); }
  /// Makes the oldest batches durable, as one commit; answers the number of the last.
  std::uint64_t sync(std::size_t count);
  /// The power fails: what was not synced is gone.
  void crash() { pending_.clear(); }

  [[nodiscard]] engine::StoredRun load(const RunId& run) const;
  [[nodiscard]] std::vector<engine::OpenRun> residents() const;
  [[nodiscard]] std::vector<RunId> listeners(const std::string& type) const;
  [[nodiscard]] std::vector<std::pair<RunId, TimePoint>> sleepers() const;
  /// Of runs with a concurrency key.
  [[nodiscard]] const std::map<RunId, engine::RunWrite::Place>& places() const { return places_; }

  [[nodiscard]] const std::map<RunId, Open>& open() const { return open_; }
  [[nodiscard]] const std::map<RunId, engine::FinishedRun>& finished() const { return finished_; }
  /// Decoded events of an open run that are durable.
  [[nodiscard]] std::vector<engine::Event> durable_events(const RunId& run) const;

 private:
  void write(engine::RunWrite write);
  [[nodiscard]] static engine::OpenRun stored(const Open& open);

  std::deque<engine::Batch> pending_;
  std::map<RunId, Open> open_;
  std::map<RunId, engine::FinishedRun> finished_;
  std::map<RunId, engine::RunWrite::Place> places_;
};

}  // namespace pawl::simulation
