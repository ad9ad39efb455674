/// Shows a run's updates on standard error: a tree that redraws in place on a terminal, plain lines otherwise, or JSON lines.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "app/progress.hpp"
#include "base/time.hpp"

namespace pawl::app {

enum class ProgressStyle : std::uint8_t { tree, lines, json };
/// What standard error and the options call for.
[[nodiscard]] ProgressStyle choose_style(bool json);

class ProgressView {
 public:
  ProgressView(ProgressStyle style, dsl::PlanPtr plan, Clock& clock);

  /// Takes updates on any thread; may outlive this object.
  [[nodiscard]] engine::Engine::Updated sink() const;
  /// Adds what `sink` did not hear of: a run may end before anybody listens.
  void complete(const engine::RunView& run);
  /// Puts what is new on the screen; one thread. `final`: the last time, so a static picture stays.
  void show(bool final);
  /// How often `show` should be called.
  [[nodiscard]] Millis pace() const { return style_ == ProgressStyle::tree ? Millis(80) : Millis(200); }

 private:
  void note_shown();
  void show_tree(bool final);
  void show_lines();
  void show_json();

  ProgressStyle style_;
  Clock& clock_;
  TimePoint began_;
  struct Inbox;
  std::shared_ptr<Inbox> inbox_;
  TaskTree tree_;
  std::vector<engine::RunUpdate> batch_;
  std::set<std::string> shown_;  // changes that were shown, by task, round, attempt and state
  bool end_shown_ = false;
  std::size_t drawn_ = 0;
  std::size_t frame_ = 0;
};

}  // namespace pawl::app
