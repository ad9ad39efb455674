// Task records: what the API shows of each execution of a task.
#include "engine/machine/detail/core.hpp"

namespace pawl::engine::detail {

void Core::mark_dirty(std::uint32_t record) {
  if (record_is_dirty_.size() < records.size()) record_is_dirty_.resize(records.size());
  if (record_is_dirty_[record]) return;
  record_is_dirty_[record] = true;
  dirty_records_.push_back(record);
}

/// A new attempt goes on in the record of the one that failed; everything else gets a record of its own. So does every attempt to undo
/// something: the same task may have finished, and be undone, several times.
void Core::open_record(Activation& act) {
  const bool is_graph = plan->task_list_form && act.parent == root && activations[root]->role != ListRole::undo;
  if (is_graph) return;  // it stands nowhere in the document
  if (act.attempt > 1 && !failed_records_.empty() && !is_undoing(act)) {
    const auto found = failed_records_.find({act.task, iteration_of(act)});
    if (found != failed_records_.end()) {
      act.record = found->second;
      failed_records_.erase(found);
      auto& record = records[act.record];
      record.status = TaskStatus::running;
      record.attempt = act.attempt;
      record.input = act.raw_input;
      record.output = {};
      record.ended_at.reset();
      mark_dirty(act.record);
      return;
    }
  }
  if (records.size() >= limits.max_records) {
    ++records_dropped;
    return;
  }
  act.record = static_cast<std::uint32_t>(records.size());
  auto& record = records.emplace_back();
  record.task = act.task;
  record.iteration = iteration_of(act);
  record.attempt = act.attempt;
  record.input = act.raw_input;
  record.started_at = now;
  mark_dirty(act.record);
}

/// Of a node that is settled without ever running: skipped, blocked, or its `run_if` failed.
void Core::add_record(const Activation& graph, dsl::TaskIndex task, TaskStatus status, const json::Value& problem) {
  Activation node;
  node.task = task;
  node.parent = graph.id;
  node.attempt = graph.attempt;
  node.error = problem;
  open_record(node);
  close_record(node, status);
}

void Core::set_record_status(const Activation& act, TaskStatus status) {
  if (act.record == kNone) return;
  records[act.record].status = status;
  mark_dirty(act.record);
}

void Core::close_record(const Activation& act, TaskStatus status) {
  if (act.record == kNone) return;
  auto& record = records[act.record];
  record.status = status;
  record.ended_at = now;
  if (status == TaskStatus::completed || status == TaskStatus::skipped) record.output = act.output;
  if (status == TaskStatus::faulted) record.error = act.error;
  if (status == TaskStatus::faulted || status == TaskStatus::cancelled) failed_records_[{record.task, record.iteration}] = act.record;
  mark_dirty(act.record);
}

/// After `restore`: the index is a function of the records.
void Core::index_failed_records() {
  failed_records_.clear();
  for (std::uint32_t i = 0; i < records.size(); ++i) {
    const auto& record = records[i];
    const bool failed = record.status == TaskStatus::faulted || record.status == TaskStatus::cancelled;
    const bool delayed = record.status == TaskStatus::retrying && record.ended_at.has_value();
    if (failed || delayed) {
      failed_records_[{record.task, record.iteration}] = i;
    } else {
      failed_records_.erase({record.task, record.iteration});
    }
  }
}

}  // namespace pawl::engine::detail
