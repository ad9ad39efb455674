#include "api/detail/shown.hpp"

#include "audit/redact.hpp"

namespace pawl::api::detail {
namespace {

constexpr audit::RedactOptions kByContent{.by_name = false, .max_depth = 1000};

}  // namespace

json::Value shown(const Context& context, const json::Value& value) {
  return context.d.redactor == nullptr ? value : context.d.redactor->value(value, kByContent);
}

engine::RunView::TaskView shown(const Context& context, engine::RunView::TaskView task) {
  if (context.d.redactor == nullptr) return task;
  auto& record = task.record;
  record.input = shown(context, record.input);
  record.output = shown(context, record.output);
  record.error = shown(context, record.error);
  for (auto& line : record.logs) line.text = context.d.redactor->text(line.text);
  return task;
}

engine::RunView shown(const Context& context, engine::RunView run) {
  if (context.d.redactor == nullptr) return run;
  run.input = shown(context, run.input);
  run.output = shown(context, run.output);
  run.error = shown(context, run.error);
  for (auto& task : run.tasks) task = shown(context, std::move(task));
  return run;
}

}  // namespace pawl::api::detail
