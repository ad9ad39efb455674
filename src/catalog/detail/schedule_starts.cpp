#include "catalog/detail/schedule_starts.hpp"

#include <algorithm>

#include "catalog/catalog.hpp"
#include "engine/engine.hpp"
#include "notify/notice.hpp"

namespace pawl::catalog::detail {
namespace {

json::Value trigger_of(const ScheduleRow& row, const PendingStart& start) {
  const auto* type = row.spec.kind == "on" ? "event" : row.spec.kind == "files" ? "file" : "schedule";
  auto trigger = json::Value::object({{"type", type}, {"schedule_id", row.id.to_string()}, {"due", to_rfc3339(start.due)}});
  if (start.cause.is_object()) {
    for (const auto& member : start.cause.members()) trigger.set(member.name(), member.value);
  }
  return trigger;
}

notify::Notice notice_of(const engine::DeadLetter& letter) {
  notify::Notice notice;
  notice.organization = letter.organization;
  notice.kind = "dead_letter";
  notice.subject = letter.workflow.to_string();
  notice.title = "The workflow " + letter.workflow_name + " could not be started";
  notice.data = json::Value::object(
      {{"dead_letter_id", letter.id.to_string()}, {"workflow_id", letter.workflow.to_string()}, {"workflow_name", letter.workflow_name}});
  notice.at = letter.created_at;
  return notice;
}

}  // namespace

void ScheduleStarts::ask_about_all() {
  for (auto& [id, entry] : d_.entries) {
    for (const auto& start : entry.row.progress.pending) entry.starting.push_back(start.run);
  }
}

void ScheduleStarts::begin_pending() {
  for (auto& [id, entry] : d_.entries) {
    for (const auto& start : entry.row.progress.pending) {
      const bool begun = std::find(entry.starting.begin(), entry.starting.end(), start.run) != entry.starting.end();
      if (!begun) begin(entry, start);
    }
  }
}

void ScheduleStarts::begin(ScheduleEntry& entry, const PendingStart& start) {
  auto executable = d_.catalog.executable(entry.row.organization, entry.row.workflow);
  entry.starting.push_back(start.run);
  const auto id = entry.row.id;
  const auto run = start.run;
  if (executable.has_error()) {
    static_cast<void>(d_.post([this, id, run, error = executable.error()] { settled(id, run, error); }));
    return;
  }
  engine::StartRequest request;
  request.plan = (*executable)->plan;
  request.organization = entry.row.organization;
  request.workflow = entry.row.workflow;
  request.version = (*executable)->version;
  request.input = start.input;
  request.trigger = d_.catalog.with_right(**executable, trigger_of(entry.row, start));
  if (d_.secrets) request.secrets = d_.secrets(entry.row.organization, *(*executable)->plan);
  request.id = run;
  engine::Engine::Finished finished;
  if (entry.tracks_runs()) {
    finished = [this, id, run](const engine::RunView&) { static_cast<void>(d_.post([this, id, run] { d_.ended(id, run); })); };
  }
  d_.engine.start_run(
      std::move(request),
      [this, id, run](Result<RunId> result) {
        static_cast<void>(d_.post([this, id, run, result = std::move(result)] { settled(id, run, result); }));
      },
      std::move(finished));
}

/// The engine has taken a start, or refused it.
void ScheduleStarts::settled(const ScheduleId& id, const RunId& run, const Result<RunId>& result) {
  const auto it = d_.entries.find(id);
  if (it == d_.entries.end()) return;
  auto& entry = it->second;
  if (result.has_error() && result.error().kind == ErrorClass::unavailable) {
    // Overloaded or stopping: the start stays pending and is tried again.
    next_retry_ = d_.clock.now() + kRetryEvery;
    return;
  }
  const bool exists = result.has_error() && result.error().code == "run.exists";             // an earlier try did start it
  const bool skipped = result.has_error() && result.error().code == "run.concurrency_busy";  // as its workflow wants it
  if (skipped) ++entry.row.progress.times.skipped;
  if (result.has_error() && !exists && !skipped) bury(entry, run, result.error());
  std::erase(entry.starting, run);
  std::erase_if(entry.row.progress.pending, [&](const PendingStart& start) { return start.run == run; });
  if (entry.folder) entry.folder->make_room(entry.row.progress.pending.size(), d_.clock.now());
  entry.dirty = true;
  if (skipped) {
    d_.ended(id, run);
  } else if (result.has_error() && !exists) {
    d_.report(entry, result.error().message);
    d_.ended(id, run);
  }
}

void ScheduleStarts::bury(const ScheduleEntry& entry, const RunId& run, const Error& error) {
  const auto& pending = entry.row.progress.pending;
  const auto start = std::find_if(pending.begin(), pending.end(), [&](const PendingStart& each) { return each.run == run; });
  if (start == pending.end()) return;
  engine::DeadLetter letter;
  letter.id = run;
  letter.organization = entry.row.organization;
  letter.workflow = entry.row.workflow;
  letter.kind = engine::DeadLetter::Kind::start;
  letter.trigger = trigger_of(entry.row, *start);
  letter.input = start->input;
  letter.error = engine::make_error("runtime", 500, "The run could not be started", error.message);
  letter.created_at = d_.clock.now();
  if (const auto workflow = d_.catalog.get(letter.organization, letter.workflow); workflow.has_value()) {
    letter.workflow_name = workflow->name;
    letter.version = workflow->version;
  }
  letters_.push_back(std::move(letter));
}

bool ScheduleStarts::needs_retry() const {
  return std::any_of(d_.entries.begin(), d_.entries.end(),
                     [](const auto& item) { return !item.second.watched.empty() || !item.second.row.progress.pending.empty(); });
}

void ScheduleStarts::retry_when_due(TimePoint now) {
  if (now < next_retry_) return;
  next_retry_ = now + kRetryEvery;
  for (auto& [id, entry] : d_.entries) {
    for (const auto& run : entry.watched) look_at(entry, run);
    // Only those that the engine was given: it does not know one whose turn comes after this, and "unknown" means: start it again.
    for (const auto& start : entry.row.progress.pending) {
      if (std::find(entry.starting.begin(), entry.starting.end(), start.run) != entry.starting.end()) look_at(entry, start.run);
    }
  }
}

void ScheduleStarts::look_at(const ScheduleEntry& entry, const RunId& run) {
  d_.engine.view(entry.row.organization, run, false, [this, id = entry.row.id, run](Result<engine::RunView> view) {
    const bool missing = view.has_error() && view.error().kind == ErrorClass::not_found;
    if (view.has_error() && !missing) return;
    const bool over = missing || engine::is_final(view->phase);
    static_cast<void>(d_.post([this, id, run, missing, over] { looked_at(id, run, missing, over); }));
  });
}

void ScheduleStarts::looked_at(const ScheduleId& id, const RunId& run, bool missing, bool over) {
  const auto it = d_.entries.find(id);
  if (it == d_.entries.end()) return;
  auto& entry = it->second;
  const auto& pending = entry.row.progress.pending;
  const bool is_pending = std::any_of(pending.begin(), pending.end(), [&](const PendingStart& start) { return start.run == run; });
  if (is_pending && missing) {
    std::erase(entry.starting, run);  // begins again with the next round
    return;
  }
  if (is_pending) settled(id, run, run);
  if (over) d_.ended(id, run);
}

Result<void> ScheduleStarts::store(storage::Transaction& transaction) const {
  for (const auto& letter : letters_) {
    PAWL_TRY_VOID(engine::store_dead_letter(transaction, letter));
    PAWL_TRY_VOID(notify::store(transaction, notice_of(letter)));
  }
  return {};
}

}  // namespace pawl::catalog::detail
