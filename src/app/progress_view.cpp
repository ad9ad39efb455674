#include "app/progress_view.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/core.h>

#include <cstdio>
#include <mutex>

#include "config/config.hpp"
#include "json/write.hpp"

namespace pawl::app {
namespace {

struct Screen {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

Screen screen_size() {
  Screen screen;
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    screen.columns = size.ws_col;
    screen.rows = size.ws_row;
  }
  return screen;
}

void put(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

std::string json_line(const engine::RunUpdate& update) {
  auto line = json::Value::object();
  if (update.task) {
    const auto& task = *update.task;
    auto iteration = json::Value::array();
    for (const auto round : task.record.iteration) iteration.push_back(round);
    line.set("task", task.reference);
    line.set("iteration", std::move(iteration));
    line.set("type", task.type);
    line.set("status", engine::to_text(task.record.status));
    line.set("attempt", task.record.attempt);
    line.set("started_at", to_rfc3339(task.record.started_at));
    if (task.record.ended_at) line.set("ended_at", to_rfc3339(*task.record.ended_at));
    if (!task.record.error.is_null()) line.set("error", task.record.error);
  }
  if (update.phase) line.set("run", engine::to_text(*update.phase));
  return json::to_text(line) + "\n";
}

std::string change_key(const engine::RunView::TaskView& task) {
  auto key = fmt::format("{} {} {}", task.reference, task.record.attempt, engine::to_text(task.record.status));
  for (const auto round : task.record.iteration) key += fmt::format(" {}", round);
  return key;
}

}  // namespace

struct ProgressView::Inbox {
  std::mutex mutex;
  std::vector<engine::RunUpdate> updates;
};

ProgressStyle choose_style(bool json) {
  if (json) return ProgressStyle::json;
  return ::isatty(STDERR_FILENO) != 0 && !config::plain_terminal() ? ProgressStyle::tree : ProgressStyle::lines;
}

ProgressView::ProgressView(ProgressStyle style, dsl::PlanPtr plan, Clock& clock)
    : style_(style), clock_(clock), began_(clock.now()), inbox_(std::make_shared<Inbox>()), tree_(std::move(plan)) {}

engine::Engine::Updated ProgressView::sink() const {
  return [inbox = inbox_](const engine::RunUpdate& update) {
    const std::lock_guard lock(inbox->mutex);
    inbox->updates.push_back(update);
  };
}

void ProgressView::complete(const engine::RunView& run) {
  show(false);
  engine::RunUpdate update;
  update.run = run.id;
  for (const auto& task : run.tasks) {
    if (shown_.contains(change_key(task))) continue;
    update.task = task;
    sink()(update);
  }
  if (end_shown_) return;
  update.task.reset();
  update.phase = run.phase;
  sink()(update);
}

void ProgressView::note_shown() {
  for (const auto& update : batch_) {
    if (update.task) shown_.insert(change_key(*update.task));
    end_shown_ = end_shown_ || (update.phase && engine::is_final(*update.phase));
  }
}

void ProgressView::show(bool final) {
  {
    const std::lock_guard lock(inbox_->mutex);
    batch_.swap(inbox_->updates);
  }
  note_shown();
  switch (style_) {
    case ProgressStyle::tree: show_tree(final); break;
    case ProgressStyle::lines: show_lines(); break;
    case ProgressStyle::json: show_json(); break;
  }
  batch_.clear();
}

void ProgressView::show_tree(bool final) {
  for (const auto& update : batch_) {
    if (update.task) tree_.update(*update.task);
  }
  const auto screen = screen_size();
  DrawOptions options;
  options.width = screen.columns > 1 ? screen.columns - 1 : 1;
  options.max_lines = final ? 1000 : std::max<std::size_t>(screen.rows, 4) - 2;
  options.colours = true;
  options.now = clock_.now();
  options.frame = frame_++;
  const auto lines = tree_.draw(options);
  std::string text = drawn_ > 0 ? fmt::format("\x1b[{}A\r\x1b[J", drawn_) : std::string();
  for (const auto& line : lines) text += line + "\n";
  drawn_ = lines.size();
  put(text);
}

void ProgressView::show_lines() {
  std::string text;
  for (const auto& update : batch_) {
    if (!update.task) continue;
    const auto line = plain_line(*update.task, began_);
    if (!line.empty()) text += line + "\n";
  }
  if (!text.empty()) put(text);
}

void ProgressView::show_json() {
  std::string text;
  for (const auto& update : batch_) text += json_line(update);
  if (!text.empty()) put(text);
}

}  // namespace pawl::app
