/// For tests of what a run does when its main part is over.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/machine/detail/test_run.hpp"
#include "json/write.hpp"

namespace pawl::engine::testing {

/// Below the head of a document with this `finally`.
inline dsl::PlanPtr with_finally(const std::string& finally, const std::string& body) {
  const TestCatalog catalog;
  auto compiled = dsl::compile(
      "document: {dsl: '1.0.3', namespace: tests, name: machine, version: '1.0.0', metadata: {finally: " + finally + "}}\n" + body,
      catalog);
  for (const auto& finding : compiled.findings) ADD_FAILURE() << finding.pointer << " " << finding.message;
  return compiled.value ? *compiled.value : nullptr;
}

/// A call that can be undone by one that is told what it gave.
inline std::string booking(const std::string& name, const std::string& more = "") {
  return name + ": {call: fetch, with: {book: " + name + "}, " + more + "metadata: {compensate: {call: fetch, with: {undo: " + name +
         ", id: '${ $task.output }', input: '${ $task.input }', why: '${ $error.title }', how: '${ $status }'}}}}";
}

inline const std::string kBookings = "do: [{" + booking("a") + "}, {" + booking("b") + "}, {c: {call: charge}}]";

inline std::string arguments(const TestRun& run, std::string_view name) { return json::to_text(run.pending_effect(name).arguments); }

/// Executions of tasks that can be undone, and those of them that were.
inline std::pair<int, int> undoable_and_undone(const Machine& machine) {
  std::pair<int, int> counts{0, 0};
  for (const auto& record : machine.records()) {
    const auto& task = machine.plan().task(record.task);
    if (!task.compensation.tasks.empty() && record.status == TaskStatus::completed) ++counts.first;
    const bool ended = record.status == TaskStatus::completed || record.status == TaskStatus::faulted;
    if (ended && task.reference.ends_with("/metadata/compensate")) ++counts.second;
  }
  return counts;
}

/// Not where its main part completed, and only what it was to undo meanwhile was left: what its attempts did in the end stays.
inline bool has_undone_all(const Machine& machine) {
  const json::Value of_main("Not undone");
  const auto& error = machine.error();
  return machine.has_undone() && error.get("title") != of_main && error.get("cause").get("title") != of_main;
}

/// What may be asked of a run, at any moment.
enum class Ask : std::uint8_t { cancel, replace_again_and_again, cancel_suspended, hold, break_off_and_retry };

/// What happens next in the world; nothing where the run waits for none of it.
using Next = std::function<std::optional<decltype(Event::body)>(const Machine&)>;

/// Goes on to the end, with `ask` now; `chance`: whether it is broken off in this moment. Returns false where it does not come to an end.
inline bool ask_and_end(TestRun& run, Ask ask, const std::function<bool()>& chance, const Next& next) {
  bool retried = ask != Ask::break_off_and_retry;
  if (ask == Ask::cancel_suspended || ask == Ask::hold) run.apply(SuspendRequested{});
  if (ask == Ask::hold && !run.machine().pending_effects().empty()) {
    if (const auto event = next(run.machine())) run.apply(*event);
  }
  run.apply(ask == Ask::hold ? decltype(Event::body)(ResumeRequested{}) : CancelRequested{"asked"});
  for (int i = 0; i < 400; ++i) {
    if (is_final(run.phase())) {
      if (std::exchange(retried, true) || run.phase() == Phase::completed) return true;
      run.apply(RetryRequested{});
    } else if (!retried && chance()) {
      run.apply(SuspendRequested{});
      run.apply(CancelRequested{"break off"});
    } else {
      if (ask == Ask::replace_again_and_again) run.apply(CancelRequested{"replaced"});
      if (is_final(run.phase())) continue;
      const auto event = next(run.machine());
      run.apply(event ? *event : decltype(Event::body)(ResumeRequested{}));
    }
  }
  return is_final(run.phase());
}

/// Everything that may be asked, after each event of a run: what had finished is undone once, and no step is made twice. Returns how often
/// it was asked and how often something was undone.
inline std::pair<int, int> walk(const TestRun& whole, const std::function<bool()>& chance, const Next& next) {
  std::pair<int, int> counts{0, 0};
  for (std::size_t position = 1; position <= whole.events().size(); ++position) {
    for (const auto ask : {Ask::cancel, Ask::replace_again_and_again, Ask::cancel_suspended, Ask::hold, Ask::break_off_and_retry}) {
      SCOPED_TRACE("position " + std::to_string(position) + " ask " + std::to_string(static_cast<int>(ask)));
      TestRun run(whole.plan(), json::Value::object());
      run.checks = Checks::keys;
      for (std::size_t i = 1; i < position; ++i) run.apply(whole.events()[i].body);
      if (is_final(run.phase())) continue;
      // What is broken off is undone later, or not at all.
      const bool breaks_off = ask == Ask::break_off_and_retry || (ask == Ask::cancel_suspended && run.machine().has_undone());
      const bool ends = ask_and_end(run, ask, chance, next);
      ++counts.first;
      if (ends && !breaks_off && has_undone_all(run.machine())) {
        const auto [undoable, undone] = undoable_and_undone(run.machine());
        EXPECT_EQ(undoable, undone) << run.history();
        counts.second += undone > 0 ? 1 : 0;
      }
      if (position % 7 == 0) run.verify();
      if (::testing::Test::HasFailure()) return counts;
    }
  }
  return counts;
}

}  // namespace pawl::engine::testing
