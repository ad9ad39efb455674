/// What `pawl run` shows of a run: a tree of tasks with state, time and attempts.
///
/// `TaskTree` is plain data: it takes the engine's updates and draws lines for a width and a moment. `Progress` (progress_view.hpp) puts
/// them on a terminal.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "dsl/plan.hpp"
#include "engine/engine.hpp"

namespace pawl::app {

struct DrawOptions {
  std::size_t width = 80;
  std::size_t max_lines = 40;  ///< the tree is cut to the tasks that matter most now
  bool colours = false;
  TimePoint now{};
  std::size_t frame = 0;  ///< of the spinner
};

class TaskTree {
 public:
  explicit TaskTree(dsl::PlanPtr plan);

  void update(const engine::RunView::TaskView& task);
  /// Lines without line ends. Running tasks count up to `now`.
  [[nodiscard]] std::vector<std::string> draw(const DrawOptions& options) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    engine::RunView::TaskView view;
    std::size_t depth = 0;
  };
  using Key = std::pair<std::string, std::vector<std::uint32_t>>;
  struct Place {
    std::size_t depth = 0;
    std::string parent;  // reference; empty at the top
  };
  [[nodiscard]] const std::string& place_name(const engine::RunView::TaskView& view) const;
  [[nodiscard]] std::string line(const Entry& entry, const DrawOptions& options) const;
  [[nodiscard]] std::optional<std::size_t> parent_of(const Entry& entry) const;
  [[nodiscard]] std::vector<const Entry*> in_tree_order() const;

  dsl::PlanPtr plan_;
  std::map<std::string, Place> places_;  // by reference
  std::vector<Entry> entries_;           // in order of appearance
  std::map<Key, std::size_t> index_;
};

/// One line about a change, for output that is not a terminal; empty where there is nothing worth a line.
[[nodiscard]] std::string plain_line(const engine::RunView::TaskView& task, TimePoint run_started);

/// `12 ms`, `3.4 s`, `2 min 05 s`.
[[nodiscard]] std::string short_duration(Millis duration);

}  // namespace pawl::app
