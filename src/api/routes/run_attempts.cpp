// The attempts of one task, as the audit trail has them: one record for each call of a function. Who may see the run sees of them what the
// run itself shows of the last one: number, times, outcome, error.
#include <algorithm>
#include <memory>

#include "api/body.hpp"
#include "api/detail/whole_list.hpp"
#include "api/json_writer.hpp"
#include "api/routes/run_values.hpp"
#include "audit/query.hpp"
#include "json/parse.hpp"

namespace pawl::api::detail {
namespace {

/// Pages of the trail that are looked through; a page holds 200 records of the run.
constexpr int kMostPages = 5;

/// The run's times are of the same clock as the trail's, which may have been set in between.
constexpr Millis kClockSlack{60'000};

/// A `try` calls nothing itself: what it tries again stands below it.
bool belongs(const audit::Entry& entry, std::string_view task) {
  return entry.task == task || (entry.task.starts_with(task) && entry.task.substr(task.size()).starts_with("/try/"));
}

void append_attempt(std::string& out, const audit::Entry& entry) {
  const auto details = json::parse(entry.details);
  const auto& known = details.has_value() ? details.value() : json::Value();
  const auto& number = known.get("attempt");
  ObjectWriter object(out);
  object.text("task", entry.task);
  object.integer("number", number.is_integer() ? number.as_integer() : 1);
  object.text("function", entry.resource.id);
  object.text("outcome", audit::to_text(entry.outcome));
  object.time("started_at", entry.at - entry.duration.value_or(Millis::zero()));
  object.time("ended_at", entry.at);
  object.value("error", known.get("error"));
}

/// Blocks: on the pool.
void tell_attempts(Context& context, Call& call, audit::Filter filter, const std::string& task) {
  std::vector<audit::Entry> found;
  for (int pages = 0; pages < kMostPages; ++pages) {
    PAWL_API_TRY(page, audit::list(context.d.database, audit::Scope::of(call.organization), filter));
    for (auto& entry : page.entries) {
      if (belongs(entry, task)) found.push_back(std::move(entry));
    }
    filter.before = page.next;
    if (!page.next) break;
  }
  std::reverse(found.begin(), found.end());  // the trail begins with the newest
  Query query(call.request);
  static_cast<void>(query.text("task"));
  const auto page = page_of(query, found, [](const audit::Entry& entry) { return entry.id().to_string(); });
  PAWL_API_CHECK(query.finish());
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.items, [&](const audit::Entry& entry) { append_attempt(out, entry); });
    page.write_next(object);
  }
  call.reply(200, std::move(out));
}

}  // namespace

/// Only what was recorded while the run was there is looked through: the newest records of a busy organization are of other runs, and a
/// page looks at a bounded number.
void list_run_attempts(Context& context, Call call) {
  PAWL_API_TRY(id, run_id(call.request));
  Query query(call.request);
  const std::string task(query.text("task").value_or(""));
  if (task.empty()) query.problem("task", "must be the reference of a task, such as /do/0/greet");
  static_cast<void>(slice_of(query, {}));  // whether they can be read; there is nothing to cut yet
  PAWL_API_CHECK(query.finish());
  audit::Filter filter;
  filter.run = id;
  filter.action = "function.executed";
  filter.text = task;
  filter.limit = 200;
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.engine.view(shared->organization, id, false, [&context, shared, filter, task](Result<engine::RunView> view) {
    if (view.has_error()) return shared->fail(view.error());
    auto while_it_ran = filter;
    while_it_ran.since = view->created_at - kClockSlack;
    if (view->ended_at) while_it_ran.until = *view->ended_at + kClockSlack;
    const bool taken =
        context.d.pool.try_post([&context, shared, while_it_ran, task] { tell_attempts(context, *shared, while_it_ran, task); });
    if (!taken) shared->fail(Error(ErrorClass::unavailable, "server.busy", "The server is busy; try again."));
  });
}

std::vector<Parameter> run_attempt_parameters() {
  std::vector<Parameter> all = {
      {"task", Shape::text("/do/0/greet", 10'000), "Reference of the task; of a `try` also the calls that it tries again."}};
  for (auto& one : whole_list_parameters()) all.push_back(std::move(one));
  return all;
}

Shape run_attempts_shape() {
  auto attempt = Shape::object("TaskAttempt", {{"task", Shape::text("/do/0/greet", 10'000)},
                                               {"number", Shape::integer(1)},
                                               {"function", Shape::text("http")},
                                               {"outcome", Shape::choice({"success", "failure", "refused", "dry_run"})},
                                               {"started_at", Shape::time().or_null()},
                                               {"ended_at", Shape::time().or_null()},
                                               {"error", Shape::any(nullptr)}});
  return Shape::page("TaskAttempts", std::move(attempt));
}

}  // namespace pawl::api::detail
