#include "models/assistant.hpp"

#include <gmock/gmock.h>

#include "json/write.hpp"
#include "models/testing/bench.hpp"

namespace pawl::models {
namespace {

using testing::HasSubstr;

constexpr std::string_view kGood = "document: {dsl: '1.0.3', namespace: t, name: n, version: '1.0.0'}\ndo:\n  - tidy: {call: sort}\n";
constexpr std::string_view kBad = "document: {dsl: '1.0.3', namespace: t, name: n, version: '1.0.0'}\ndo:\n  - tidy: {call: sorted}\n";

class OneFunction final : public dsl::FunctionCatalog {
 public:
  [[nodiscard]] const Signature* find(std::string_view name) const override { return name == "sort" ? &signature_ : nullptr; }
  [[nodiscard]] std::vector<std::string> names() const override { return {"sort"}; }

 private:
  Signature signature_{.name = "sort", .parameters = {}};
};

json::Value draft(std::string_view document) { return json::Value::object({{"document", document}, {"explanation", "Sorts."}}); }

json::Value plan_of(std::string_view task) {
  auto plan =
      json::parse(R"({"execution_strategy": "sequential", "parallel_groups": [], "estimated_duration": "short", "llm_suggestions": "",
                              "risks": [], "optimizations": [], "explanation": "Tidies."})")
          .value();
  plan.set("task_order", json::Value::array({task}));
  return plan;
}

class AssistantTest : public testing::Test {
 protected:
  /// Answers of the script in turn, the last one for ever.
  void script(std::initializer_list<json::Value> answers) {
    auto replies = json::Value::array();
    std::int64_t turn = 0;
    for (const auto& answer : answers) {
      auto match = json::Value::object();
      if (++turn < static_cast<std::int64_t>(answers.size())) match.set("turn", turn);
      replies.push_back(json::Value::object({{"match", match}, {"content", answer}}));
    }
    ASSERT_TRUE(bench_.scripts.add("s", json::Value::object({{"replies", std::move(replies)}})).has_value());
  }
  Assisted draft_it(Assistant::TryOut try_out = {}) {
    Assisted result;
    const Assistant assistant(bench_.client(), functions_);
    assistant.generate_workflow(asker_, "sort the inbox", std::move(try_out), [&](Assisted assisted) { result = std::move(assisted); });
    bench_.run();
    return result;
  }
  ModelBench bench_;
  OneFunction functions_;
  Asker asker_{.organization = {}, .provider = {}, .model = "scripted/s", .forbidden = {}};
};

TEST_F(AssistantTest, EveryPromptHasAVersion) {
  for (const auto* name : {"plan", "validate", "recover", "chat", "generate-workflow", "execute", "observe"}) {
    EXPECT_THAT(prompt(name).name, HasSubstr(std::string(name) + "@")) << name;
    EXPECT_GT(prompt(name).text.size(), 100U);
  }
}

TEST_F(AssistantTest, W10_TheExampleOfUndoingInThePromptIsADocument) {
  class Calls final : public dsl::FunctionCatalog {
   public:
    [[nodiscard]] const Signature* find(std::string_view name) const override {
      return name == "log" ? &log_ : name == "http" ? &http_ : nullptr;
    }
    [[nodiscard]] std::vector<std::string> names() const override { return {"http", "log"}; }

   private:
    Signature log_{.name = "log", .parameters = {}};
    Signature http_{.name = "http", .parameters = {}};
  };
  const auto text = prompt("generate-workflow").text;
  const auto begin = text.find("\n    document: ", text.find("metadata: {compensate: TASK}"));
  ASSERT_NE(begin, std::string::npos);
  std::string document = text.substr(begin, text.find("\n\n", begin) - begin);
  for (auto at = document.find("\n    "); at != std::string::npos; at = document.find("\n    ", at + 1)) document.erase(at + 1, 4);
  const auto compiled = dsl::compile(document, Calls());
  for (const auto& finding : compiled.findings) ADD_FAILURE() << finding.pointer << " " << finding.message << document;
  ASSERT_TRUE(compiled.value);
  EXPECT_FALSE((*compiled.value)->finally.tasks.empty());
  EXPECT_FALSE((*compiled.value)->task((*compiled.value)->root.tasks.at(0)).compensation.tasks.empty());
}

TEST_F(AssistantTest, A4_ADraftThatFailsItsDryRunIsRepaired) {
  script({draft(kGood), draft(kGood)});
  int tried = 0;
  const auto drafted = draft_it([&](const Assistant::Draft& tried_draft, const std::function<void(Findings)>& told) {
    EXPECT_EQ(tried_draft.document, kGood);
    EXPECT_NE(tried_draft.plan, nullptr);
    Finding finding;
    finding.message = "in a dry run: it failed";
    told(++tried == 1 ? Findings{finding} : Findings());
  });
  ASSERT_TRUE(drafted.output.has_value());
  EXPECT_EQ(drafted.rounds, 2U);
  EXPECT_EQ(tried, 2);
}

TEST_F(AssistantTest, A4RepairsADraftWithTheCompilersFindings) {
  script({draft(kBad), draft(kGood)});
  const auto drafted = draft_it();
  ASSERT_TRUE(drafted.output.has_value()) << drafted.output.error().message;
  EXPECT_EQ(drafted.output->get("document"), json::Value(kGood));
  EXPECT_EQ(drafted.rounds, 2U);
  EXPECT_EQ(drafted.answer.attempts.size(), 2U);
  EXPECT_EQ(drafted.prompt, prompt("generate-workflow").name);
}

TEST_F(AssistantTest, A4GivesUpWithTheReasons) {
  script({draft(kBad)});
  const auto drafted = draft_it();
  ASSERT_TRUE(drafted.output.has_error());
  EXPECT_EQ(drafted.output.error().code, "llm.given_up");
  EXPECT_EQ(drafted.rounds, 4U);
  ASSERT_FALSE(drafted.findings.empty());
  EXPECT_THAT(drafted.findings.front().message, HasSubstr("sorted"));
}

TEST_F(AssistantTest, A6AnswersNothingWithoutAProvider) {
  asker_.model.clear();
  EXPECT_EQ(draft_it().output.error().code, "llm.not_configured");
}

TEST_F(AssistantTest, A3APlanNamesTasksThatExist) {
  script({plan_of("invented"), plan_of("tidy")});
  const auto compiled = dsl::compile(kGood, functions_);
  ASSERT_TRUE(compiled.ok());
  Assisted planned;
  const Assistant assistant(bench_.client(), functions_);
  assistant.plan(asker_, (*compiled.value)->document, *compiled.value, [&](Assisted assisted) { planned = std::move(assisted); });
  ASSERT_TRUE(planned.output.has_value()) << planned.output.error().message;
  EXPECT_EQ(json::to_text(planned.output->get("task_order")), R"(["tidy"])");
  EXPECT_EQ(planned.rounds, 2U);
}

TEST_F(AssistantTest, A3AFixThatDoesNotCompileIsNone) {
  auto review = json::parse(R"({"issues": [], "suggestions": []})").value();
  review.set("fixed_document", kBad);
  script({review});
  Assisted reviewed;
  const Assistant assistant(bench_.client(), functions_);
  assistant.review(asker_, kBad, {}, true, [&](Assisted assisted) { reviewed = std::move(assisted); });
  EXPECT_EQ(reviewed.output.error().code, "llm.given_up");
  assistant.review(asker_, kBad, {}, false, [&](Assisted assisted) { reviewed = std::move(assisted); });
  EXPECT_TRUE(reviewed.output.has_value()) << "nobody asked for a fix";
}

}  // namespace
}  // namespace pawl::models
