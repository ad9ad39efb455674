// pawl run: one workflow to its end, for the person at the keyboard.
#include <fmt/core.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <future>

#include "app/application.hpp"
#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/files.hpp"
#include "app/findings.hpp"
#include "app/interrupts.hpp"
#include "app/log.hpp"
#include "app/progress_view.hpp"
#include "app/run_folder.hpp"
#include "json/write.hpp"

namespace pawl::app {
namespace {

namespace fs = std::filesystem;

constexpr Millis kDrain{2000};

int usage_error(std::string_view message) {
  fmt::print(stderr, "pawl: {}\n", message);
  return kUsage;
}

struct Prepared {
  std::string text;
  json::Value input = json::Value::object();
  std::optional<Millis> timeout;
};

Result<Prepared> prepare(const RunOptions& options) {
  Prepared prepared;
  PAWL_TRY(text, read_file(options.file));
  prepared.text = std::move(text);
  if (!options.input.empty()) {
    PAWL_TRY(input, read_json_argument(options.input, "--input"));
    prepared.input = std::move(input);
  }
  if (!options.timeout.empty()) {
    prepared.timeout = parse_duration(options.timeout);
    if (!prepared.timeout || prepared.timeout->count() == 0) {
      return Error(ErrorClass::invalid, "usage.timeout", fmt::format("--timeout: `{}` is not a time such as 30s or 5m", options.timeout));
    }
  }
  return prepared;
}

bool print_findings(const std::string& file, const Findings& findings) {
  for (const auto& finding : findings) fmt::print(stderr, "{}\n", finding_line(file, finding));
  return has_errors(findings);
}

/// Runs of an earlier process that the engine has taken up again.
void tell_of_recovered(Application& app, const std::string& folder) {
  engine::RunFilter filter;
  filter.organization = app.organization();
  filter.phases = {engine::Phase::pending, engine::Phase::running, engine::Phase::waiting};
  const auto page = app.engine().list(filter);
  if (page.has_error() || page->runs.empty()) return;
  fmt::print(stderr, "pawl: {}{} unfinished run{} in {} go{} on while this process lives\n", page->runs.size(), page->next ? "+" : "",
             page->runs.size() == 1 ? "" : "s", folder, page->runs.size() == 1 ? "es" : "");
}

/// What the engine's threads hand to the main thread.
struct Outcome {
  std::mutex mutex;
  std::optional<engine::RunView> view;
  std::optional<Error> refused;
};

int report(const engine::RunView& view, const RunOptions& options, bool timed_out) {
  if (view.phase == engine::Phase::completed) {
    json::WriteOptions style;
    style.indent = ::isatty(STDOUT_FILENO) != 0 && !options.json ? 2 : 0;
    fmt::print("{}\n", json::to_text(view.output, style));
    return std::fflush(stdout) == 0 ? kOk : kFailed;
  }
  json::WriteOptions style;
  style.indent = ::isatty(STDERR_FILENO) != 0 && !options.json ? 2 : 0;
  fmt::print(stderr, "{}\n", json::to_text(view.error, style));
  if (view.phase == engine::Phase::faulted) return kFailed;
  if (timed_out && !options.json) fmt::print(stderr, "pawl: timed out after {}\n", options.timeout);
  return kStopped;
}

/// The run with all its tasks; nothing where the engine cannot tell any more.
std::optional<engine::RunView> view_of(Application& app, const RunId& run) {
  auto answer = std::make_shared<std::promise<Result<engine::RunView>>>();
  auto waiting = answer->get_future();
  app.engine().view(app.organization(), run, true, [answer](Result<engine::RunView> view) { answer->set_value(std::move(view)); });
  if (waiting.wait_for(kDrain) != std::future_status::ready) return std::nullopt;
  auto view = waiting.get();
  if (view.has_error()) return std::nullopt;
  return std::move(*view);
}

/// What each step of a dry run would have done, in the order of the steps.
void print_plans(const engine::RunView& run, bool as_json) {
  for (const auto& task : run.tasks) {
    const auto& plan = task.record.output.is_object() ? task.record.output.get("plan") : task.record.output;
    // Tasks around it, and those that pass it on, have the same output.
    if ((task.type != "call" && task.type != "run") || !plan.is_array() || !task.record.output.get("dry_run").truthy()) continue;
    if (as_json) {
      fmt::print(stderr, "{}\n", json::to_text(json::Value::object({{"task", task.reference}, {"plan", plan}})));
      continue;
    }
    for (const auto& step : plan.items()) fmt::print(stderr, "{} would do {}\n", task.reference, json::to_text(step));
  }
}

/// Starts the run and follows it to its end.
int follow(Application& app, const catalog::Executable& executable, Prepared prepared, const RunOptions& options, Interrupts& interrupts,
           const std::atomic<bool>& broken) {
  ProgressView view(choose_style(options.json), executable.plan, app.clock());
  const auto outcome = std::make_shared<Outcome>();
  engine::StartRequest request;
  request.plan = executable.plan;
  request.organization = app.organization();
  request.workflow = executable.id;
  request.version = executable.version;
  request.input = std::move(prepared.input);
  request.trigger = json::Value::object({{"type", "manual"}, {"file", options.file}});
  request.secrets = app.secrets_of(*executable.plan);
  request.dry_run = options.dry_run;
  const auto started = [outcome, &interrupts](Result<RunId> result) {
    if (!result.has_error()) return;
    const std::lock_guard lock(outcome->mutex);
    outcome->refused = result.error();
    interrupts.wake();
  };
  const auto finished = [outcome, &interrupts](const engine::RunView& ended) {
    const std::lock_guard lock(outcome->mutex);
    outcome->view = ended;
    interrupts.wake();
  };
  const auto run = app.engine().start_run(std::move(request), started, finished);
  const auto subscription = app.engine().subscribe(run, 0, view.sink());
  const auto deadline = prepared.timeout ? std::optional(std::chrono::steady_clock::now() + *prepared.timeout) : std::nullopt;
  bool timed_out = false;
  bool cancelled = false;
  for (;;) {
    interrupts.wait(view.pace());
    view.show(false);
    if (broken) return kFailed;
    {
      const std::lock_guard lock(outcome->mutex);
      if (outcome->refused || outcome->view) break;
    }
    timed_out = timed_out || (deadline && std::chrono::steady_clock::now() >= *deadline);
    if (!cancelled && (timed_out || interrupts.signal() != 0)) {
      cancelled = true;
      app.engine().cancel(app.organization(), run, timed_out ? "timed out after " + options.timeout : "interrupted from the keyboard",
                          [](const Result<void>&) {});
    }
  }
  app.engine().unsubscribe(run, subscription);
  const auto whole = view_of(app, run);
  if (whole) view.complete(*whole);
  view.show(true);
  if (whole && options.dry_run) print_plans(*whole, options.json);
  const std::lock_guard lock(outcome->mutex);
  if (outcome->refused) {
    fmt::print(stderr, "pawl: {}\n", outcome->refused->message);
    return kFailed;
  }
  return report(*outcome->view, options, timed_out);
}

}  // namespace

int run_run(const CommonOptions& common, const RunOptions& options) {
  auto config = load_config(common, config::Purpose::tool);
  if (!config) return kUsage;
  if (const auto opened = open_log({.level = Level::warning}); opened.has_error()) {
    fmt::print(stderr, "pawl: {}\n", opened.error().message);
    return kFailed;
  }
  auto prepared = prepare(options);
  if (prepared.has_error()) return usage_error(prepared.error().message);
  Interrupts interrupts;
  std::atomic<bool> broken = false;
  RunFolder folder(options.data_dir);
  const auto path = folder.path();
  if (path.has_error()) return usage_error(path.error().message);
  config->data_dir = *path;
  config->database_url.clear();

  ApplicationOptions application;
  application.file_roots = {fs::current_path().string()};
  application.allow_private_addresses = true;
  application.durable = !folder.temporary();
  application.schedules = false;
  application.always_migrate = true;
  application.on_fatal = [&](const Error& error) {
    log(Level::error, error.message);
    broken = true;
    interrupts.wake();
  };
  auto created = Application::create(*config, std::move(application));
  if (created.has_error()) {
    fmt::print(stderr, "pawl: {}\n", created.error().message);
    return kFailed;
  }
  auto& app = **created;
  catalog::Definition definition;
  definition.text = prepared->text;
  const auto checked = app.catalog().check(definition);
  if (print_findings(options.file, checked.findings)) return kUsage;
  auto executable = app.catalog().keep_unlisted(app.organization(), definition, *checked.value);
  if (executable.has_error()) return usage_error(executable.error().message);
  if (const auto started = app.start(); started.has_error()) {
    fmt::print(stderr, "pawl: {}\n", started.error().message);
    return kFailed;
  }
  if (!folder.temporary()) tell_of_recovered(app, *path);
  const int code = follow(app, **executable, std::move(*prepared), options, interrupts, broken);
  app.stop(folder.temporary() ? Millis(0) : kDrain);
  return code;
}

}  // namespace pawl::app
