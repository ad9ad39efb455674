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
    std::size_t depth = 0;
    for (auto parent = task.parent; parent != dsl::kNoTask; parent = plan_->task(parent).parent) ++depth;
    depth_of_.emplace(task.reference, depth);
  }
}

void TaskTree::update(const engine::RunView::TaskView& task) {
  const Key key{task.reference, task.record.iteration};
  const auto [it, is_new] = index_.emplace(key, entries_.size());
  if (!is_new) {
    entries_[it->second].view = task;
    return;
  }
  const auto depth = depth_of_.find(task.reference);
  entries_.push_back({task, depth == depth_of_.end() ? 0 : depth->second});
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
  std::vector<const Entry*> shown;
  for (const auto& entry : entries_) shown.push_back(&entry);
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
