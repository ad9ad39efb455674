#include "simulation/sim_disk.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "engine/codec.hpp"

namespace pawl::simulation {

using namespace pawl::engine;  // NOLINT: the engine's vocabulary is what this file is about

std::uint64_t SimDisk::sync(std::size_t count) {
  std::uint64_t number = 0;
  for (; count > 0 && !pending_.empty(); --count) {
    auto batch = std::move(pending_.front());
    pending_.pop_front();
    number = batch.number;
    for (auto& run : batch.runs) write(std::move(run));
  }
  return number;
}

void SimDisk::write(RunWrite write) {
  const auto id = write.identity.id;
  if (write.begin && write.begin->reopened) PAWL_ASSERT(finished_.erase(id) == 1, "only a finished run is opened again");
  if (write.finish) {
    PAWL_ASSERT(places_.erase(id) == (write.finish->had_place ? 1U : 0U), "a place is given back where one was taken");
    PAWL_ASSERT(open_.erase(id) == (write.finish->was_open ? 1U : 0U), "a run ends as it was begun");
    auto history = decode_history(write.finish->history);
    PAWL_ASSERT(history.has_value(), "what was encoded can be decoded");
    const bool fresh =
        finished_.emplace(id, FinishedRun{write.identity, write.phase, write.finish->started_at, write.finish->ended_at, *history}).second;
    PAWL_ASSERT(fresh, "a run ends once");
    return;
  }
  if (write.begin) {
    Open open;
    open.identity = write.identity;
    open.beginning = write.begin->beginning;
    open.phase = write.phase;
    PAWL_ASSERT(open_.emplace(id, std::move(open)).second, "a run begins once");
  }
  if (write.place) places_[id] = *write.place;
  auto found = open_.find(id);
  PAWL_ASSERT(found != open_.end(), "only an open run is written to");
  auto& open = found->second;
  if (write.append) {
    const auto last = open.journal.empty() ? (open.snapshot ? open.snapshot->first : 0) : open.journal.rbegin()->first;
    PAWL_ASSERT(write.append->sequence == last + 1, "journal records have no gaps");
    open.journal[write.append->sequence] = write.append->data;
  }
  if (write.snapshot) {
    open.snapshot = {write.snapshot->sequence, write.snapshot->data};
    open.journal.erase(open.journal.begin(), open.journal.upper_bound(write.snapshot->sequence));
  }
  if (write.update_row) {
    open.phase = write.phase;
    open.resident = write.resident;
  }
  if (write.forget_timer) open.due.reset();
  if (write.sleep) {
    open.due = write.sleep->due;
    open.listens = write.sleep->listens;
  }
}

OpenRun SimDisk::stored(const Open& open) {
  OpenRun run;
  run.identity = open.identity;
  run.phase = open.phase;
  run.resident = open.resident;
  const auto beginning = decode_beginning(open.beginning);
  PAWL_ASSERT(beginning.has_value(), "what was encoded can be decoded");
  run.trigger = beginning->trigger;
  run.events = beginning->events;
  if (open.snapshot) {
    run.snapshot = open.snapshot->second;
    run.events.clear();
    run.next_sequence = open.snapshot->first + 1;
  }
  for (const auto& [sequence, data] : open.journal) {
    run.events += decode_journal(data).value();
    run.next_sequence = sequence + 1;
  }
  return run;
}

StoredRun SimDisk::load(const RunId& run) const {
  if (const auto found = open_.find(run); found != open_.end()) return stored(found->second);
  if (const auto found = finished_.find(run); found != finished_.end()) return found->second;
  return {};
}

std::vector<OpenRun> SimDisk::residents() const {
  std::vector<OpenRun> runs;
  for (const auto& [id, open] : open_) {
    if (open.resident) runs.push_back(stored(open));
  }
  return runs;
}

std::vector<RunId> SimDisk::listeners(const std::string& type) const {
  std::vector<RunId> runs;
  for (const auto& [id, open] : open_) {
    if (std::any_of(open.listens.begin(), open.listens.end(), [&](const std::string& each) { return each.empty() || each == type; }))
      runs.push_back(id);
  }
  return runs;
}

std::vector<std::pair<RunId, TimePoint>> SimDisk::sleepers() const {
  std::vector<std::pair<RunId, TimePoint>> sleepers;
  for (const auto& [id, open] : open_) {
    if (open.due) sleepers.emplace_back(id, *open.due);
  }
  return sleepers;
}

std::vector<Event> SimDisk::durable_events(const RunId& run) const {
  std::vector<Event> events;
  const auto found = open_.find(run);
  if (found == open_.end()) return events;
  const auto open = stored(found->second);
  auto at = open.identity.created_at;
  if (!open.snapshot.empty()) at = decode_snapshot(open.snapshot).value().at;
  Decoder in(open.events);
  while (!in.at_end()) events.push_back(in.event(at));
  PAWL_ASSERT(!in.failed(), "what was encoded can be decoded");
  return events;
}

}  // namespace pawl::simulation
