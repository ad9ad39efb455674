#include "catalog/detail/schedule_rows.hpp"

#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::catalog::detail {
namespace {

json::Value number_of(TimePoint time) { return json::Value(static_cast<std::int64_t>(time.time_since_epoch().count())); }
TimePoint time_of(const json::Value& value) { return TimePoint(Millis(value.is_integer() ? value.as_integer() : 0)); }

std::optional<RunId> run_of(const json::Value& value) { return value.is_string() ? RunId::parse(value.as_string()) : std::nullopt; }

json::Value parse_object(std::string_view text) {
  auto parsed = json::parse(text);
  return parsed.has_value() && parsed->is_object() ? std::move(*parsed) : json::Value::object();
}

ScheduleView view_of(const storage::Row& row) {
  ScheduleView view;
  view.id = row.id<ScheduleId>(0);
  view.workflow = row.id<WorkflowId>(1);
  view.workflow_name = std::string(row.text(2));
  view.kind = std::string(row.text(3));
  view.details = parse_object(row.text(4));
  view.enabled = row.boolean(5);
  view.next_due = row.optional_time(6);
  view.last_fired = row.optional_time(7);
  const auto progress = progress_from(parse_object(row.text(8)));
  view.skipped = progress.times.skipped;
  if (view.kind == "files") view.details.set("watching", progress.has_files && progress.problem.empty());
  if (!progress.problem.empty()) view.details.set("problem", progress.problem);
  return view;
}

}  // namespace

json::Value to_json(const ScheduleProgress& progress) {
  auto running = json::Value::array();
  for (const auto& run : progress.times.running) running.push_back(run.to_string());
  auto queued = json::Value::array();
  for (const auto due : progress.times.queued) queued.push_back(number_of(due));
  auto pending = json::Value::array();
  for (const auto& start : progress.pending) {
    auto item = json::Value::object({{"run", start.run.to_string()}, {"due", number_of(start.due)}, {"input", start.input}});
    if (!start.cause.is_null()) item.set("cause", start.cause);
    pending.push_back(std::move(item));
  }
  auto seen = json::Value::array();
  for (const auto& digest : progress.seen) seen.push_back(digest);
  auto state = json::Value::object({{"running", std::move(running)},
                                    {"queued", std::move(queued)},
                                    {"skipped", progress.times.skipped},
                                    {"pending", std::move(pending)},
                                    {"seen", std::move(seen)},
                                    {"collected", progress.collected}});
  if (progress.has_files) state.set("has_files", true);
  if (!progress.problem.empty()) state.set("problem", progress.problem);
  return state;
}

ScheduleProgress progress_from(const json::Value& state) {
  const auto items = [&](std::string_view name) {
    const auto& list = state.get(name);
    return list.is_array() ? list.items() : std::span<const json::Value>{};
  };
  ScheduleProgress progress;
  for (const auto& item : items("running")) {
    if (const auto run = run_of(item)) progress.times.running.push_back(*run);
  }
  for (const auto& item : items("queued")) progress.times.queued.push_back(time_of(item));
  if (const auto& skipped = state.get("skipped"); skipped.is_integer())
    progress.times.skipped = static_cast<std::uint64_t>(skipped.as_integer());
  for (const auto& item : items("pending")) {
    if (const auto run = run_of(item.get("run"))) {
      progress.pending.push_back({*run, time_of(item.get("due")), item.get("input"), item.get("cause")});
    }
  }
  for (const auto& item : items("seen")) {
    if (item.is_string()) progress.seen.emplace_back(item.as_string());
  }
  if (const auto& collected = state.get("collected"); collected.is_object()) progress.collected = collected;
  progress.has_files = state.get("has_files") == json::Value(true);
  if (const auto& problem = state.get("problem"); problem.is_string()) progress.problem = problem.as_string();
  return progress;
}

Result<std::vector<ScheduleRow>> load_schedule_rows(storage::Session& session, std::optional<WorkflowId> workflow) {
  std::vector<ScheduleRow> rows;
  PAWL_TRY_VOID(session.query(
      "select s.id, s.organization_id, s.workflow_id, s.kind, s.spec, s.created_at, s.enabled, s.next_due, s.last_fired, s.state "
      "from schedules s join workflows w on w.id = s.workflow_id where w.is_active = 1 and w.deleted_at is null "
      "and ($1 is null or s.workflow_id = $1) order by s.id",
      {workflow}, [&](const storage::Row& row) {
        ScheduleRow loaded;
        loaded.id = row.id<ScheduleId>(0);
        loaded.organization = row.id<OrganizationId>(1);
        loaded.workflow = row.id<WorkflowId>(2);
        loaded.spec = {std::string(row.text(3)), parse_object(row.text(4))};
        loaded.created_at = row.time(5);
        loaded.enabled = row.boolean(6);
        loaded.progress = progress_from(parse_object(row.text(9)));
        loaded.progress.times.next_due = row.optional_time(7);
        loaded.progress.times.last_fired = row.optional_time(8);
        rows.push_back(std::move(loaded));
      }));
  return rows;
}

Result<void> store_progress(storage::Transaction& transaction, const ScheduleId& id, const ScheduleProgress& progress) {
  const auto state = json::to_text(to_json(progress));
  PAWL_TRY_VOID(transaction.execute("update schedules set next_due = $2, last_fired = $3, state = $4 where id = $1",
                                    {id, progress.times.next_due, progress.times.last_fired, state}));
  return {};
}

Result<std::vector<ScheduleView>> load_schedule_views(storage::Session& session, const OrganizationId& organization,
                                                      const ScheduleFilter& filter) {
  std::vector<ScheduleView> views;
  PAWL_TRY_VOID(session.query(
      "select s.id, s.workflow_id, w.name, s.kind, s.spec, s.enabled, s.next_due, s.last_fired, s.state "
      "from schedules s join workflows w on w.id = s.workflow_id where s.organization_id = $1 and w.deleted_at is null "
      "and ($2 is null or s.workflow_id = $2) and ($3 is null or s.id < $3) order by s.id desc limit $4",
      {organization, filter.workflow, filter.before, filter.limit + 1}, [&](const storage::Row& row) { views.push_back(view_of(row)); }));
  return views;
}

Result<std::optional<ScheduleView>> load_schedule_view(storage::Session& session, const OrganizationId& organization,
                                                       const ScheduleId& id) {
  std::optional<ScheduleView> view;
  PAWL_TRY_VOID(
      session.query("select s.id, s.workflow_id, w.name, s.kind, s.spec, s.enabled, s.next_due, s.last_fired, s.state "
                    "from schedules s join workflows w on w.id = s.workflow_id where s.organization_id = $1 and s.id = $2 "
                    "and w.deleted_at is null",
                    {organization, id}, [&](const storage::Row& row) { view = view_of(row); }));
  return view;
}

Result<std::optional<OrganizationId>> load_schedule_owner(storage::Session& session, const ScheduleId& id) {
  std::optional<OrganizationId> owner;
  PAWL_TRY_VOID(session.query("select organization_id from schedules where id = $1", {id},
                              [&](const storage::Row& row) { owner = row.id<OrganizationId>(0); }));
  return owner;
}

Result<std::optional<WorkflowId>> set_enabled(storage::Transaction& transaction, const OrganizationId& organization, const ScheduleId& id,
                                              bool enabled, TimePoint now) {
  std::optional<WorkflowId> workflow;
  ScheduleSpec spec;
  TimePoint created_at;
  PAWL_TRY_VOID(transaction.query("select workflow_id, kind, spec, created_at from schedules where organization_id = $1 and id = $2",
                                  {organization, id}, [&](const storage::Row& row) {
                                    workflow = row.id<WorkflowId>(0);
                                    spec = {std::string(row.text(1)), parse_object(row.text(2))};
                                    created_at = row.time(3);
                                  }));
  if (!workflow) return workflow;
  PAWL_TRY(policy, policy_of(spec, created_at));
  const auto due = enabled && policy.next ? policy.next(now) : std::nullopt;
  PAWL_TRY_VOID(transaction.execute("update schedules set enabled = $2, next_due = $3 where id = $1", {id, enabled ? 1 : 0, due}));
  return workflow;
}

}  // namespace pawl::catalog::detail
