#include "app/progress.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace pawl::app {
namespace {

using engine::TaskStatus;

struct Look {
  std::string_view symbol;
  std::string_view colour;
};

constexpr std::array<std::string_view, 10> kSpinner{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
constexpr std::string_view kDim = "\x1b[2m";
constexpr std::string_view kReset = "\x1b[0m";

Look look_of(TaskStatus status, std::size_t frame) {
  switch (status) {
    case TaskStatus::running: return {kSpinner[frame % kSpinner.size()], "\x1b[36m"};
    case TaskStatus::waiting: return {"◷", "\x1b[34m"};
    case TaskStatus::retrying: return {"↻", "\x1b[33m"};
    case TaskStatus::completed: return {"✓", "\x1b[32m"};
    case TaskStatus::skipped: return {"–", kDim};
    case TaskStatus::faulted: return {"✗", "\x1b[31m"};
    case TaskStatus::cancelled: return {"⊘", "\x1b[35m"};
  }
  return {" ", ""};
}

bool is_over(TaskStatus status) {
  return status == TaskStatus::completed || status == TaskStatus::skipped || status == TaskStatus::faulted ||
         status == TaskStatus::cancelled;
}

/// At most `width` code points; a longer text ends with an ellipsis. Terminal control characters cannot get through.
std::string fit(std::string_view text, std::size_t width) {
  std::string out;
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t length = 1;
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead >= 0xF0) {
      length = 4;
    } else if (lead >= 0xE0) {
      length = 3;
    } else if (lead >= 0xC0) {
      length = 2;
    }
    if (columns + 1 > width) {
      while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xC0U) == 0x80U) out.pop_back();
      if (!out.empty()) out.pop_back();
      return out + "…";
    }
    if (lead < 0x20 || lead == 0x7F) {
      out += ' ';
    } else {
      out += text.substr(i, length);
    }
    i += length;
    ++columns;
  }
  return out;
}

std::string round_text(const std::vector<std::uint32_t>& iteration) {
  std::string out;
  for (const auto round : iteration) out += fmt::format("[{}]", round);
  return out;
}

std::string error_text(const json::Value& error) {
  const auto& detail = error.get("detail");
  const auto& title = error.get("title");
  if (detail.is_string() && !detail.empty()) return std::string(detail.as_string());
  return title.is_string() ? std::string(title.as_string()) : std::string();
}

}  // namespace

std::string short_duration(Millis duration) {
  const auto millis = std::max<std::int64_t>(0, duration.count());
  if (millis < 1000) return fmt::format("{} ms", millis);
  if (millis < 60'000) return fmt::format("{:.1f} s", static_cast<double>(millis) / 1000.0);
  return fmt::format("{} min {:02} s", millis / 60'000, millis / 1000 % 60);
}

TaskTree::TaskTree(dsl::PlanPtr plan) : plan_(std::move(plan)) {
  for (const auto& task : plan_->tasks) {
    Place place;
    if (task.parent != dsl::kNoTask) place.parent = plan_->task(task.parent).reference;
    for (auto parent = task.parent; parent != dsl::kNoTask; parent = plan_->task(parent).parent) ++place.depth;
    places_.emplace(task.reference, std::move(place));
  }
}

/// The turns and tool calls of an agent have references of their own: what counts here is the task that they are runs of.
const std::string& TaskTree::place_name(const engine::RunView::TaskView& view) const {
  return view.record.task < plan_->tasks.size() ? plan_->task(view.record.task).reference : view.reference;
}

void TaskTree::update(const engine::RunView::TaskView& task) {
  const Key key{place_name(task), task.record.iteration};
  const auto [it, is_new] = index_.emplace(key, entries_.size());
  if (!is_new) {
    entries_[it->second].view = task;
    return;
  }
  const auto place = places_.find(key.first);
  entries_.push_back({task, place == places_.end() ? 0 : place->second.depth});
}

/// The entry that encloses this one: of the nearest enclosing task that has one, in the same rounds of the loops around it.
std::optional<std::size_t> TaskTree::parent_of(const Entry& entry) const {
  for (auto place = places_.find(place_name(entry.view)); place != places_.end(); place = places_.find(place->second.parent)) {
    for (auto rounds = entry.view.record.iteration;; rounds.pop_back()) {
      const auto found = index_.find({place->second.parent, rounds});
      if (found != index_.end()) return found->second;
      if (rounds.empty()) break;
    }
  }
  return std::nullopt;
}

/// Parents before their children, siblings as they appeared.
std::vector<const TaskTree::Entry*> TaskTree::in_tree_order() const {
  std::vector<std::vector<std::size_t>> children(entries_.size());
  std::vector<std::size_t> waiting;  // a stack: the next one last
  for (auto at = entries_.size(); at-- > 0;) {
    const auto parent = parent_of(entries_[at]);
    (parent ? children[*parent] : waiting).push_back(at);
  }
  std::vector<const Entry*> ordered;
  while (!waiting.empty()) {
    const auto at = waiting.back();
    waiting.pop_back();
    ordered.push_back(&entries_[at]);
    waiting.insert(waiting.end(), children[at].begin(), children[at].end());
  }
  return ordered;
}

std::string TaskTree::line(const Entry& entry, const DrawOptions& options) const {
  const auto& record = entry.view.record;
  const auto look = look_of(record.status, options.frame);
  const auto indent = std::min<std::size_t>(entry.depth * 2, options.width / 3);
  std::string right;
  if (record.attempt > 1) right += fmt::format("  attempt {}", record.attempt);
  if (record.status != TaskStatus::skipped) right += "  " + short_duration(record.ended_at.value_or(options.now) - record.started_at);
  if (record.status == TaskStatus::faulted) right += "  " + error_text(record.error);
  const auto name = entry.view.name + round_text(record.iteration);
  const auto room = options.width > indent + 2 ? options.width - indent - 2 : 1;
  const auto left = fit(name, room);
  const auto name_columns = std::min(room, name.size());
  const auto details = fit("  " + entry.view.type + right, room > name_columns ? room - name_columns : 0);
  if (!options.colours) return fmt::format("{}{} {}{}", std::string(indent, ' '), look.symbol, left, details);
  return fmt::format("{}{}{}{} {}{}{}{}", std::string(indent, ' '), look.colour, look.symbol, kReset, left, kDim, details, kReset);
}

std::vector<std::string> TaskTree::draw(const DrawOptions& options) const {
  auto shown = in_tree_order();
  std::size_t hidden = 0;
  if (shown.size() > options.max_lines && options.max_lines > 1) {
    // What is over and lies furthest back goes first: what runs now must be seen.
    hidden = shown.size() - (options.max_lines - 1);
    auto left = hidden;
    std::erase_if(shown, [&](const Entry* entry) { return left > 0 && is_over(entry->view.record.status) && left-- > 0; });
    if (left > 0) shown.erase(shown.begin(), shown.begin() + static_cast<std::ptrdiff_t>(left));
  }
  std::vector<std::string> lines;
  if (hidden > 0) lines.push_back(fit(fmt::format("… {} earlier tasks", hidden), options.width));
  for (const auto* entry : shown) lines.push_back(line(*entry, options));
  return lines;
}

std::string plain_line(const engine::RunView::TaskView& task, TimePoint run_started) {
  const auto& record = task.record;
  if (record.status == TaskStatus::running) return "";
  const auto moment = record.ended_at.value_or(record.started_at);
  std::string out = fmt::format("[{:>9}] {} {}{} ({})", "+" + short_duration(moment - run_started), engine::to_text(record.status),
                                task.reference, round_text(record.iteration), task.type);
  if (record.attempt > 1) out += fmt::format(", attempt {}", record.attempt);
  if (record.ended_at) out += ", " + short_duration(*record.ended_at - record.started_at);
  if (!record.error.is_null()) out += ": " + error_text(record.error);
  return fit(out, 2000);
}

}  // namespace pawl::app
