#include "catalog/version_diff.hpp"

#include <gmock/gmock.h>

#include <random>

#include "dsl/compile.hpp"

namespace pawl::catalog {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

/// `-old`, `+new`, ` same`, with a header per hunk.
std::string unified(std::string_view before, std::string_view after) {
  std::string out;
  for (const auto& hunk : diff_lines(before, after)) {
    out += "@" + std::to_string(hunk.old_start) + "," + std::to_string(hunk.old_count) + " " + std::to_string(hunk.new_start) + "," +
           std::to_string(hunk.new_count) + "\n";
    for (const auto& line : hunk.lines) {
      out += line.kind == DiffLine::Kind::context ? ' ' : line.kind == DiffLine::Kind::added ? '+' : '-';
      out += line.text + "\n";
    }
  }
  return out;
}

TEST(LineDiff, W4_ShowsWhatChangedWithItsSurroundings) {
  EXPECT_EQ(unified("a\nb\n", "a\nb\n"), "");
  EXPECT_EQ(unified("", ""), "");
  EXPECT_EQ(unified("a\n", ""), "@1,1 0,0\n-a\n");
  EXPECT_EQ(unified("", "a\nb"), "@0,0 1,2\n+a\n+b\n");
  EXPECT_EQ(unified("a\nb\nc\n", "a\nx\nc\n"), "@1,3 1,3\n a\n-b\n+x\n c\n");
  EXPECT_EQ(unified("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n5\n6\n7\n8\n9\n"), "@2,6 2,7\n 2\n 3\n 4\n+x\n 5\n 6\n 7\n");
  EXPECT_EQ(unified("a\r\nb\r\n", "a\nb\n"), "") << "only the ends of lines differ";
}

TEST(LineDiff, KeepsChangesThatAreFarApartInHunksOfTheirOwn) {
  std::string before;
  for (int i = 0; i < 30; ++i) before += "line " + std::to_string(i) + "\n";
  auto after = before;
  after.replace(after.find("line 2\n"), 6, "first");
  after.replace(after.find("line 25\n"), 7, "second");
  EXPECT_THAT(diff_lines(before, after), SizeIs(2));
}

/// Takes the hunks back out of the new text.
std::string revert(std::string_view after, const std::vector<DiffHunk>& hunks) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < after.size();) {
    const auto end = after.find('\n', at);
    lines.emplace_back(after.substr(at, end - at));
    at = end == std::string_view::npos ? after.size() : end + 1;
  }
  for (auto hunk = hunks.rbegin(); hunk != hunks.rend(); ++hunk) {
    const auto first = lines.begin() + (hunk->new_count > 0 ? hunk->new_start - 1 : hunk->new_start);
    auto at = lines.erase(first, first + hunk->new_count);
    for (const auto& line : hunk->lines) {
      if (line.kind == DiffLine::Kind::added) continue;
      at = lines.insert(at, line.text) + 1;
    }
  }
  std::string out;
  for (const auto& line : lines) out += line + "\n";
  return out;
}

TEST(LineDiff, LeadsBackToTheOldTextWhateverTheTexts) {
  std::mt19937 dice(7);  // NOLINT(cert-msc51-cpp,cert-msc32-c): the same every time
  for (int round = 0; round < 300; ++round) {
    const auto make = [&] {
      std::string text;
      for (auto n = dice() % 40; n > 0; --n) text += std::string(1, static_cast<char>('a' + dice() % 4)) + "\n";
      return text;
    };
    const auto before = make();
    const auto after = make();
    EXPECT_EQ(revert(after, diff_lines(before, after)), before);
  }
}

TEST(LineDiff, BeyondItsLimitTheMiddleIsReplaced) {
  std::string before = "same\n";
  std::string after = "same\n";
  for (int i = 0; i < 3000; ++i) {
    before += "old " + std::to_string(i) + "\n";
    after += "new " + std::to_string(i) + "\n";
  }
  const auto hunks = diff_lines(before, after);
  ASSERT_THAT(hunks, SizeIs(1));
  EXPECT_EQ(revert(after, hunks), before);
}

class NoFunctions final : public dsl::FunctionCatalog {
 public:
  [[nodiscard]] const Signature* find(std::string_view) const override { return nullptr; }
  [[nodiscard]] std::vector<std::string> names() const override { return {}; }
};

dsl::PlanPtr plan_of(std::string_view body, std::string_view metadata = "") {
  const NoFunctions none;
  auto checked = dsl::compile(
      "document: {dsl: '1.0.3', namespace: test, name: n, version: '1.0.0'" + std::string(metadata) + "}\n" + std::string(body), none);
  for (const auto& finding : checked.findings) ADD_FAILURE() << finding.pointer << ": " << finding.message;
  return checked.value.value();
}

std::vector<std::string> changes(std::string_view before, std::string_view after) {
  std::vector<std::string> out;
  for (const auto& change : diff_tasks(*plan_of(before), *plan_of(after))) {
    out.push_back(std::string(to_text(change.kind)) + " " + change.path + " " + change.reference);
  }
  return out;
}

TEST(TaskDiff, W4_NamesTasksThatWereAddedRemovedChangedOrMoved) {
  const auto* before = R"(
do:
  - a: {set: {x: 1}}
  - b: {set: {x: 2}}
  - outer: {do: [{inner: {set: {x: 3}}}, {other: {set: {x: 4}}}]}
)";
  EXPECT_THAT(changes(before, before), IsEmpty());
  EXPECT_THAT(changes(before, R"(
do:
  - first: {set: {x: 0}}
  - a: {set: {x: 1}}
  - outer: {do: [{inner: {set: {x: 30}}}, {other: {set: {x: 4}}}]}
)"),
              ElementsAre("removed /b /do/1/b", "added /first /do/0/first", "changed /outer/inner /do/2/outer/do/0/inner"));
  EXPECT_THAT(changes(before, R"(
do:
  - b: {set: {x: 2}}
  - a: {set: {x: 1}}
  - outer: {do: [{inner: {set: {x: 3}}}, {other: {set: {x: 4}}}]}
)"),
              SizeIs(1));
}

TEST(TriggerDiff, W4_NamesTriggersThatChanged) {
  const auto diff = [](const dsl::PlanPtr& before, const dsl::PlanPtr& after) { return diff_triggers(*before, *after); };
  const auto hourly = plan_of("schedule: {every: {hours: 1}}\ndo: [{a: {set: {x: 1}}}]");
  const auto daily = plan_of("schedule: {every: {hours: 24}}\ndo: [{a: {set: {x: 1}}}]");
  const auto hooked = plan_of("do: [{a: {set: {x: 1}}}]", ", metadata: {webhook: true}");
  EXPECT_THAT(diff(hourly, hourly), IsEmpty());
  const auto slower = diff(hourly, daily);
  ASSERT_THAT(slower, SizeIs(1));
  EXPECT_EQ(slower[0].before.get("every_ms"), json::Value(3'600'000));
  EXPECT_EQ(slower[0].after.get("every_ms"), json::Value(86'400'000));
  const auto other = diff(hourly, hooked);
  ASSERT_THAT(other, SizeIs(2));
  EXPECT_TRUE(other[0].after.is_null());
  EXPECT_EQ(other[1].type, "webhook");
}

}  // namespace
}  // namespace pawl::catalog
