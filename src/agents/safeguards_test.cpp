#include "agents/safeguards.hpp"

#include <gmock/gmock.h>

#include <string>
#include <string_view>

#include "dsl/compile.hpp"

namespace pawl::agents {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// Knows every name, and nothing about it.
class AnyFunction final : public dsl::FunctionCatalog {
 public:
  [[nodiscard]] const Signature* find(std::string_view name) const override {
    signature_.name = std::string(name);
    return &signature_;
  }
  [[nodiscard]] std::vector<std::string> names() const override { return {}; }

 private:
  mutable Signature signature_;
};

dsl::PlanPtr plan_of(std::string_view body, std::string_view metadata = "") {
  const AnyFunction any;
  auto checked = dsl::compile(
      "document: {dsl: '1.0.3', namespace: test, name: n, version: '1.0.0'" + std::string(metadata) + "}\n" + std::string(body), any);
  for (const auto& finding : checked.findings) ADD_FAILURE() << finding.pointer << ": " << finding.message;
  return checked.value.value();
}

constexpr std::string_view kGuarded = R"(
timeout: {after: {minutes: 5}}
do:
  - ask: {call: approval, with: {title: ok}}
  - outer:
      do:
        - fetch: {call: http, with: {method: get, endpoint: 'http://a.example'}, timeout: {after: {seconds: 3}}}
        - again:
            try: [{inner: {set: {x: 1}}}]
            catch: {retry: {delay: {seconds: 1}, limit: {attempt: {count: 3}}}}
)";

std::string with(std::string_view what, std::string_view instead) {
  std::string text(kGuarded);
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), instead);
}

std::vector<std::string> given_up(const std::string& after) { return weakened(*plan_of(kGuarded), *plan_of(after)); }

TEST(Safeguards, A3_AnApprovalThatIsGoneChangedOrMovedIsNamed) {
  constexpr std::string_view kAsk = "  - ask: {call: approval, with: {title: ok}}\n";
  EXPECT_THAT(given_up(std::string(kGuarded)), IsEmpty());
  EXPECT_THAT(given_up(with(kAsk, "")), ElementsAre("The approval /ask is gone"));
  EXPECT_THAT(given_up(with(kAsk, "  - ask: {set: {approved: true}}\n")), ElementsAre("The approval /ask is gone"));
  EXPECT_THAT(given_up(with("title: ok", "title: ok, on_deadline: approve")), ElementsAre("The approval /ask is changed"));
}

TEST(Safeguards, A3_ALimitThatIsGoneOrChangedIsNamed) {
  EXPECT_THAT(given_up(with("timeout: {after: {minutes: 5}}\n", "")), ElementsAre("The workflow has no `timeout` any more"));
  EXPECT_THAT(given_up(with(", timeout: {after: {seconds: 3}}", "")), ElementsAre("The task /outer/fetch has no `timeout` any more"));
  EXPECT_THAT(given_up(with("count: 3", "count: 300")), ElementsAre("The task /outer/again has another `catch/retry/limit`"));
  EXPECT_THAT(given_up(with("a.example", "b.example")), IsEmpty());
}

TEST(Safeguards, W10_WhatUndoesAndWhatRunsInTheEndIsNamed) {
  const std::string a = "{call: http, with: {method: get, endpoint: 'http://a.example'}";
  const auto plan = [&](const std::string& compensate, const std::string& finally, const std::string& name = "a") {
    return plan_of("do: [{" + name + ": " + a + (compensate.empty() ? "" : ", metadata: {compensate: " + compensate + "}") + "}}]\n",
                   finally.empty() ? "" : ", metadata: {finally: " + finally + "}");
  };
  const std::string undo = a + "}";
  const std::string last = "[{z: " + a + "}}]";
  const auto before = plan(undo, last);
  EXPECT_THAT(weakened(*before, *before), IsEmpty());
  EXPECT_THAT(weakened(*before, *plan("", last)), ElementsAre("The task /a has no `metadata/compensate` any more"));
  EXPECT_THAT(weakened(*before, *plan("{do: [{x: " + undo + "}]}", last)), ElementsAre("The task /a has another `metadata/compensate`"));
  EXPECT_THAT(weakened(*before, *plan(undo, last, "b")), ElementsAre("The task /a, which is undone where a run fails, is gone"));
  EXPECT_THAT(weakened(*before, *plan(undo, "")), ElementsAre("The workflow has no `finally` any more"));
  EXPECT_THAT(weakened(*before, *plan(undo, "[{z: {set: {x: 1}}}]")), ElementsAre("The workflow has another `finally`"));
}

TEST(Safeguards, A3_WhatStartsAWorkflowIsItsScheduleAndItsMetadata) {
  const std::string body = "do: [{a: {set: {x: 1}}}]\n";
  const auto plain = plan_of(body);
  EXPECT_TRUE(starts_alike(*plain, *plan_of("do: [{a: {set: {x: 2}}}]\n")));
  EXPECT_FALSE(starts_alike(*plain, *plan_of("schedule: {every: {hours: 1}}\n" + body)));
  EXPECT_FALSE(starts_alike(*plain, *plan_of(body, ", metadata: {webhook: true}")));
  EXPECT_FALSE(starts_alike(*plan_of(body, ", metadata: {concurrency: {limit: 1}}"), *plain));
}

}  // namespace
}  // namespace pawl::agents
