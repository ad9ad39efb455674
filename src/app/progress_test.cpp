#include "app/progress.hpp"

#include <gmock/gmock.h>

namespace pawl::app {
namespace {

using engine::TaskStatus;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr TimePoint kStart{Millis(1'000'000)};

dsl::PlanPtr nested_plan() {
  auto plan = std::make_shared<dsl::Plan>();
  dsl::Task outer;
  outer.index = 0;
  outer.reference = "/do/0/all";
  dsl::Task inner;
  inner.index = 1;
  inner.parent = 0;
  inner.reference = "/do/0/all/do/0/fetch";
  plan->tasks = {outer, inner};
  return plan;
}

engine::RunView::TaskView task(std::string reference, std::string name, TaskStatus status, std::vector<std::uint32_t> iteration = {}) {
  engine::RunView::TaskView view;
  view.reference = std::move(reference);
  view.name = std::move(name);
  view.type = "call";
  view.record.status = status;
  view.record.iteration = std::move(iteration);
  view.record.started_at = kStart;
  if (status == TaskStatus::completed || status == TaskStatus::faulted) view.record.ended_at = kStart + Millis(1500);
  return view;
}

DrawOptions wide() {
  DrawOptions options;
  options.now = kStart + Millis(12);
  return options;
}

TEST(TaskTree, ShowsNestingStateTimeAndAttempts) {
  TaskTree tree(nested_plan());
  tree.update(task("/do/0/all", "all", TaskStatus::running));
  auto fetch = task("/do/0/all/do/0/fetch", "fetch", TaskStatus::completed);
  fetch.record.attempt = 3;
  tree.update(fetch);
  EXPECT_THAT(tree.draw(wide()), ElementsAre("⠋ all  call  12 ms", "  ✓ fetch  call  attempt 3  1.5 s"));
}

TEST(TaskTree, ShowsWhatRunsSideBySideBelowItsOwnParent) {
  TaskTree tree(nested_plan());
  tree.update(task("/do/0/all", "all", TaskStatus::running, {0}));
  tree.update(task("/do/0/all", "all", TaskStatus::running, {1}));
  tree.update(task("/do/0/all/do/0/fetch", "fetch", TaskStatus::running, {1}));
  tree.update(task("/do/0/all/do/0/fetch", "fetch", TaskStatus::running, {0}));
  EXPECT_THAT(tree.draw(wide()),
              ElementsAre("⠋ all[0]  call  12 ms", "  ⠋ fetch[0]  call  12 ms", "⠋ all[1]  call  12 ms", "  ⠋ fetch[1]  call  12 ms"));
}

TEST(TaskTree, KeepsOneLineForEachRoundAndChangesItInPlace) {
  TaskTree tree(nested_plan());
  tree.update(task("/do/0/all", "all", TaskStatus::running, {0}));
  tree.update(task("/do/0/all", "all", TaskStatus::completed, {0}));
  tree.update(task("/do/0/all", "all", TaskStatus::running, {1}));
  EXPECT_THAT(tree.draw(wide()), ElementsAre("✓ all[0]  call  1.5 s", "⠋ all[1]  call  12 ms"));
}

TEST(TaskTree, CutsLinesToTheWidthAndTheTreeToTheHeight) {
  TaskTree tree(nested_plan());
  for (std::uint32_t round = 0; round < 20; ++round) tree.update(task("/do/0/all", "all", TaskStatus::completed, {round}));
  tree.update(task("/do/0/all", std::string(200, 'x'), TaskStatus::running, {20}));
  auto options = wide();
  options.width = 20;
  options.max_lines = 5;
  const auto lines = tree.draw(options);
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_EQ(lines[0], "… 17 earlier tasks");
  EXPECT_THAT(lines[4], HasSubstr("xxxx"));
  EXPECT_LT(lines[4].size(), 30U);
}

TEST(TaskTree, LetsNoControlCharactersThrough) {
  TaskTree tree(nested_plan());
  tree.update(task("/do/0/all", "a\x1b[31mb", TaskStatus::running));
  EXPECT_EQ(tree.draw(wide())[0].find('\x1b'), std::string::npos);
}

TEST(PlainLine, SaysWhatChanged) {
  auto fault = task("/do/0/all", "all", TaskStatus::faulted);
  fault.record.error = json::Value::object({{"title", "Broken"}, {"detail", "no answer"}});
  EXPECT_EQ(plain_line(fault, kStart), "[   +1.5 s] faulted /do/0/all (call), 1.5 s: no answer");
  EXPECT_EQ(plain_line(task("/do/0/all", "all", TaskStatus::running), kStart), "");
}

TEST(ShortDuration, IsReadable) {
  EXPECT_EQ(short_duration(Millis(7)), "7 ms");
  EXPECT_EQ(short_duration(Millis(3400)), "3.4 s");
  EXPECT_EQ(short_duration(Millis(125'000)), "2 min 05 s");
}

}  // namespace
}  // namespace pawl::app
