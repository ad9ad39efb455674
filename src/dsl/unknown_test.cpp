// `metadata.on_unknown`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dsl/compile.hpp"
#include "dsl/detail/test_catalog.hpp"

namespace pawl::dsl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Checked<PlanPtr> compiled(std::string_view policy, std::string_view task = "call: noop") {
  const TestCatalog catalog;
  return compile("document: {dsl: '1.0.3', namespace: t, name: n, version: '1.0.0'}\ndo: [{a: {" + std::string(task) +
                     ", metadata: {on_unknown: " + std::string(policy) + "}}}]\n",
                 catalog);
}

const OnUnknown* policy_of(const Checked<PlanPtr>& checked) {
  return checked.ok() ? std::get<CallTask>((*checked.value)->task(0).body).on_unknown.get() : nullptr;
}

std::vector<std::string> findings_of(const Checked<PlanPtr>& checked) {
  std::vector<std::string> all;
  for (const auto& finding : checked.findings) all.push_back(finding.rule + " " + finding.pointer);
  return all;
}

TEST(OnUnknown, IsAWordOrAProbe) {
  EXPECT_EQ(policy_of(compiled("fail")), nullptr);
  const auto keyed = compiled("retry-with-key");
  ASSERT_NE(policy_of(keyed), nullptr);
  EXPECT_EQ(policy_of(keyed)->kind, OnUnknown::Kind::retry_with_key);
  const auto asking = compiled("ask", "run: {shell: {command: 'true'}}");
  ASSERT_NE(policy_of(asking), nullptr);
  EXPECT_EQ(policy_of(asking)->kind, OnUnknown::Kind::ask);
  const auto probing = compiled("{probe: {call: http-task, with: {id: '${ .id }'}, happened: '.found', output: '{id: $input.id}'}}");
  ASSERT_NE(policy_of(probing), nullptr);
  EXPECT_EQ(policy_of(probing)->kind, OnUnknown::Kind::probe);
  EXPECT_EQ(policy_of(probing)->probe, "http-task");
  EXPECT_FALSE(policy_of(probing)->probe_arguments.is_constant());
  EXPECT_TRUE(policy_of(probing)->happened && policy_of(probing)->output);
}

TEST(OnUnknown, IsCheckedWithTheDocument) {
  EXPECT_THAT(findings_of(compiled("maybe")), ElementsAre(HasSubstr("/do/0/a/metadata/on_unknown")));
  EXPECT_THAT(findings_of(compiled("{prob: {call: noop}}")),
              ElementsAre(HasSubstr("missing-property /do/0/a/metadata/on_unknown"), HasSubstr("unknown-property")));
  EXPECT_THAT(findings_of(compiled("{probe: {call: nop}}")), ElementsAre("unknown-function /do/0/a/metadata/on_unknown/probe/call"));
  EXPECT_THAT(findings_of(compiled("{probe: {call: log, with: {}}}")), ElementsAre(HasSubstr("missing-property")));
  EXPECT_THAT(findings_of(compiled("{probe: {call: noop, happened: '.a ='}}")), ElementsAre(HasSubstr("expression-syntax")));
  EXPECT_THAT(findings_of(compiled("ask", "set: {x: 1}")), ElementsAre("unused-metadata /do/0/a/metadata/on_unknown"));
}

}  // namespace
}  // namespace pawl::dsl
