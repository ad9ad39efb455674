#include "live/run_events.hpp"

#include <utility>

#include "live/topics.hpp"

namespace pawl::live {
namespace {

json::Value time_or_null(const std::optional<TimePoint>& time) { return time ? json::Value(to_rfc3339(*time)) : json::Value(); }

json::Value task_of(const engine::RunNotice& notice) {
  const auto& record = *notice.record;
  auto iteration = json::Value::array();
  for (const auto index : record.iteration) iteration.push_back(static_cast<std::int64_t>(index));
  return json::Value::object({{"reference", notice.task_reference},
                              {"iteration", std::move(iteration)},
                              {"name", notice.task_name},
                              {"type", notice.task_type},
                              {"status", engine::to_text(record.status)},
                              {"attempt", static_cast<std::int64_t>(record.attempt)},
                              {"started_at", to_rfc3339(record.started_at)},
                              {"ended_at", time_or_null(record.ended_at)}});
}

}  // namespace

void RunEvents::changed(const engine::RunNotice& notice) {
  Announcement announcement;
  announcement.organization = notice.organization;
  if (notice.phase) {
    announcement.type = "run.status";
    announcement.topics = {"runs", run_topic(notice.run), workflow_topic(notice.workflow)};
    announcement.data = json::Value::object({{"run_id", notice.run.to_string()},
                                             {"workflow_id", notice.workflow.to_string()},
                                             {"workflow_name", notice.workflow_name},
                                             {"version", static_cast<std::int64_t>(notice.version)},
                                             {"status", engine::to_text(*notice.phase)},
                                             {"dry_run", notice.dry_run},
                                             {"sequence", notice.sequence}});
  } else {
    announcement.type = "run.task";
    announcement.topics = {run_topic(notice.run)};
    announcement.data = json::Value::object({{"run_id", notice.run.to_string()},
                                             {"workflow_id", notice.workflow.to_string()},
                                             {"sequence", notice.sequence},
                                             {"task", task_of(notice)}});
  }
  hub_.raise(std::move(announcement));
}

void RunEvents::asked(const engine::ApprovalNotice& notice) {
  Announcement announcement;
  announcement.organization = notice.organization;
  announcement.type = "approval.status";
  announcement.topics = {"approvals", run_topic(notice.run)};
  announcement.data = json::Value::object({{"approval_id", notice.approval.to_string()},
                                           {"run_id", notice.run.to_string()},
                                           {"workflow_id", notice.workflow.to_string()},
                                           {"workflow_name", notice.workflow_name},
                                           {"status", notice.status}});
  hub_.raise(std::move(announcement));
}

}  // namespace pawl::live
