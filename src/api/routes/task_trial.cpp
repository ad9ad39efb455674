// POST /api/workflows/test-task: one task of a definition, alone, as a dry run.
#include <algorithm>

#include "api/body.hpp"
#include "api/detail/definition_in.hpp"
#include "api/detail/dry_runs.hpp"
#include "api/detail/execution.hpp"
#include "api/detail/gate.hpp"
#include "api/detail/render.hpp"
#include "api/detail/shown.hpp"
#include "api/json_writer.hpp"
#include "api/routes/task_trial.hpp"
#include "api/routes/theme.hpp"
#include "dsl/excerpt.hpp"
#include "json/write.hpp"

namespace pawl::api::detail {
namespace {

constexpr std::size_t kMaxReference = 10'000;

struct TaskWish {
  std::string task;
  std::optional<catalog::Definition> definition;
  std::optional<WorkflowId> workflow;
  std::optional<std::uint32_t> version;
  dsl::Given given;
};

Result<TaskWish> read_wish(Context& context, json::Value body) {
  Fields fields(std::move(body));
  TaskWish wish;
  fields.require("task");
  wish.task = fields.text("task", kMaxReference).value_or("");
  wish.definition = read_definition(fields, context.options);
  if (const auto id = fields.text("workflow_id")) {
    wish.workflow = WorkflowId::parse(*id);
    if (!wish.workflow) fields.problem("workflow_id", "is not an id", "syntax");
  }
  if (const auto version = fields.integer("version", 1, INT32_MAX)) wish.version = static_cast<std::uint32_t>(*version);
  if (!wish.definition && !wish.workflow) fields.problem("definition", "is needed, or `workflow_id`", "missing");
  wish.given.input = fields.value("input").value_or(json::Value::object());
  wish.given.context = fields.value("context").value_or(json::Value::object());
  wish.given.variables = fields.value("variables").value_or(json::Value::object());
  static_cast<void>(fields.text("organization_id"));  // the gate has read it
  if (auto error = fields.finish()) return std::move(*error);
  return wish;
}

/// The plan that the task stands in: of the text that was sent, else of what is stored.
Result<dsl::PlanPtr> plan_of(Context& context, const OrganizationId& organization, const TaskWish& wish) {
  if (!wish.definition) {
    PAWL_TRY(executable, context.d.catalog.executable(organization, *wish.workflow, wish.version));
    return executable->plan;
  }
  auto checked = context.d.catalog.check(*wish.definition);
  if (checked.ok()) return *checked.value;
  return Error(ErrorClass::unprocessable, "workflow.invalid", "The definition has errors.", std::move(checked.findings));
}

// ---- the reply ------------------------------------------------------------------------------------------------------------------

/// What is below `from` is shown where it stands in the definition.
void move_reference(std::string& reference, const std::string& from, const std::string& to) {
  if (reference.starts_with(from) && (reference.size() == from.size() || reference[from.size()] == '/')) {
    reference.replace(0, from.size(), to);
  }
}

json::Value moved(json::Value error, const std::string& from, const std::string& to) {
  if (!error.get("instance").is_string()) return error;
  std::string instance(error.get("instance").as_string());
  move_reference(instance, from, to);
  error.set("instance", instance);
  return error;
}

/// The task beside it that the run went on with.
std::string next_of(const engine::RunView& run, const dsl::Excerpt& excerpt) {
  for (const auto& task : run.tasks) {
    const auto found = std::find(excerpt.neighbours.begin(), excerpt.neighbours.end(), task.reference);
    if (found != excerpt.neighbours.end()) return task.name;
  }
  return {};
}

std::string test_json(const engine::RunView& run, const dsl::Excerpt& excerpt, const std::string& reference) {
  std::vector<engine::RunView::TaskView> tasks;
  for (auto task : run.tasks) {
    const auto before = task.reference;
    move_reference(task.reference, excerpt.reference, reference);
    if (task.reference == before && before != reference) continue;  // what was put around it
    task.record.error = moved(std::move(task.record.error), excerpt.reference, reference);
    tasks.push_back(std::move(task));
  }
  const auto own = std::find_if(tasks.begin(), tasks.end(), [&](const auto& task) { return task.reference == reference; });
  const auto* record = own == tasks.end() ? nullptr : &own->record;
  const auto& output = record == nullptr ? json::Value() : record->output;
  const bool planned = output.is_object() && output.get("dry_run").truthy() && output.get("plan").is_array();
  std::string out;
  ObjectWriter object(out);
  object.text("run_id", run.id.to_string());
  object.text("reference", reference);
  object.text("status", record == nullptr ? engine::to_text(run.phase) : engine::to_text(record->status));
  object.value("output", output);
  object.value("plan", planned ? output.get("plan") : json::Value());
  object.value("error", record == nullptr || !record->error.is_null() ? moved(run.error, excerpt.reference, reference) : json::Value());
  object.text_or_null("next", next_of(run, excerpt));
  append_array(object.raw("variables"), excerpt.variables, [&](const std::string& name) { json::append_quoted(out, name); });
  append_array(object.raw("tasks"), tasks, [&](const engine::RunView::TaskView& task) { append_task(out, task); });
  return out;
}

// ---- handler --------------------------------------------------------------------------------------------------------------------

void test_task(Context& context, Call call) {
  PAWL_API_TRY(wish, read_wish(context, std::move(call.body)));
  // Whoever may run what is written in the request may write workflows.
  if (wish.definition && !call.principal.permits(Permission::write, call.organization)) return call.fail(forbidden(Permission::write));
  PAWL_API_TRY(plan, plan_of(context, call.organization, wish));
  PAWL_API_TRY(excerpt, dsl::excerpt(*plan, wish.task, wish.given));
  catalog::Definition definition{.text = json::to_text(excerpt.document), .format = catalog::Definition::Format::data};
  auto checked = context.d.catalog.check(definition);
  if (!checked.ok()) {
    return call.fail(
        Error(ErrorClass::unprocessable, "workflow.unknown_task", "The task cannot stand alone.", std::move(checked.findings)));
  }
  auto trigger = trigger_of(context, call);
  trigger.set("task", wish.task);
  if (wish.workflow) trigger.set("workflow", wish.workflow->to_string());
  const auto shared = std::make_shared<Call>(std::move(call));
  const auto kept = std::make_shared<dsl::Excerpt>(std::move(excerpt));
  rehearsal(context).of_document(shared->organization, std::move(definition), *checked.value, {kept->input, std::move(trigger)},
                                 [&context, shared, kept, task = wish.task](Result<engine::RunView> run) {
                                   if (run.has_error()) return shared->fail(run.error());
                                   shared->reply(200, test_json(shown(context, std::move(*run)), *kept, task));
                                 });
}

Shape task_test_shape() {
  return Shape::object(
      "TaskTest",
      {{"task", Shape::text("/do/0/greet", kMaxReference).at_least(1).described("Its reference in the definition.")},
       {"definition", Shape::any(definition_shape().example()).described("What is not saved; without it the stored workflow."),
        Shape::kOptional},
       {"workflow_id", Shape::id(), Shape::kOptional},
       {"version", Shape::integer(1, 1, INT32_MAX).described("Of the stored workflow; without it the newest."), Shape::kOptional},
       {"input",
        Shape::any(json::Value::object({{"people", json::Value::array({"Ada"})}})).described("What comes in, before `input.from`."),
        Shape::kOptional},
       {"context", Shape::any(json::Value::object()).described("What `$context` is."), Shape::kOptional},
       {"variables", Shape::any(json::Value::object({{"item", "Ada"}})).described("What the tasks around it bind, by name."),
        Shape::kOptional},
       {"organization_id", Shape::id(), Shape::kOptional}});
}

Shape task_test_reply_shape() {
  return Shape::object(
      "TaskTestResult",
      {{"run_id", Shape::id()},
       {"reference", Shape::text("/do/0/greet", kMaxReference)},
       {"status", Shape::text("completed")},
       {"output", Shape::any(json::Value::object({{"text", "Hello"}}))},
       {"plan", Shape::any(nullptr).described("What it would do outside; null where it does nothing there.")},
       {"error", Shape::any(nullptr)},
       {"next",
        Shape::text("ship", kMaxReference).or_null().described("The task beside it that it chose; null where there was no choice.")},
       {"variables", Shape::array(Shape::text("item")).described("That the tasks around it bind.")},
       {"tasks", Shape::array(task_run_shape(), 0).described("The task and those inside of it, by their places in the definition.")}});
}

}  // namespace

std::vector<Route> task_test_routes() {
  using http::Method;
  return {{.method = Method::post,
           .path = "/api/workflows/test-task",
           .id = "testTask",
           .tag = "workflows",
           .summary = "Try one task of a definition, and do nothing",
           .permission = Permission::execute,
           .handler = test_task,
           .runs = Runs::pool,
           .body = Body::json,
           .request = task_test_shape(),
           .reply = task_test_reply_shape(),
           .description =
               "A dry run of the task alone, on the input that is given: functions say what they would do, secrets are their names. "
               "To send a definition takes the right to write workflows."}};
}

}  // namespace pawl::api::detail
