/// Work that a model does on workflows: it gets a prompt from a file with a version and facts as data, must answer in a form, and what it
/// answers is checked by the real compiler and sent back with the findings until it holds, or is given up with the reasons.
///
///     assistant.generate_workflow(who, "Every night, sort the folder inbox", [](models::Assisted assisted) { ... });
///
/// Nothing is saved or run here. Without a provider the answer is the error `llm.not_configured`; there are no canned answers.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "dsl/compile.hpp"
#include "json/value.hpp"
#include "models/client.hpp"

namespace pawl::models {

/// A prompt of the program: `prompts/NAME.md`, whose first line is `version: N`.
struct Prompt {
  std::string name;  ///< `plan@1`
  std::string text;
};
/// Asserts that there is one of the name.
[[nodiscard]] Prompt prompt(std::string_view name);

/// Who asks, and whom.
struct Asker {
  OrganizationId organization;
  std::string provider{};
  std::string model{};
  std::vector<std::string> forbidden{};  ///< texts that must not leave (client.hpp)
};

struct Assisted {
  Result<json::Value> output = Error(ErrorClass::internal, "llm.unavailable", "not asked");
  Findings findings;         ///< what is still wrong where it was given up
  json::Value draft;         ///< the last answer, even where it was given up; null: there was none
  std::uint32_t rounds = 0;  ///< answers that were looked at
  std::string prompt;
  Answer answer;  ///< the last one; usage, cost and attempts are those of all
};

/// A handle: client and functions outlive the work, this object need not.
class Assistant {
 public:
  using Done = std::function<void(Assisted)>;
  using Cancel = Client::Cancel;
  Assistant(Client& client, const dsl::FunctionCatalog& functions) : client_(client), functions_(functions) {}

  /// Judges a workflow: `{execution_strategy, task_order, parallel_groups, estimated_duration, llm_suggestions, risks, optimizations,
  /// explanation}`; every task that it names exists. The document must compile.
  Cancel plan(const Asker& asker, const json::Value& document, const dsl::PlanPtr& plan, Done done) const;
  /// Reviews a workflow and what the compiler found: `{issues: [{severity, field, message, fix}], suggestions, fixed_document}`. With
  /// `auto_fix` the fixed document (YAML) compiles, or it is null.
  Cancel review(const Asker& asker, std::string_view document, const Findings& found, bool auto_fix, Done done) const;
  /// Root cause and remedy of a failure: `{recovery_strategy, root_cause, actions, modified_params, confidence, preventive_measures,
  /// llm_analysis}`. `failure` is shown as it is: secrets must be out of it.
  Cancel recover(const Asker& asker, const json::Value& failure, Done done) const;
  /// A document (YAML) that compiles: `{document, explanation}`.
  Cancel generate_workflow(const Asker& asker, std::string_view description, Done done) const;

 private:
  struct Work;
  Cancel run(Work work, Done done) const;

  Client& client_;
  const dsl::FunctionCatalog& functions_;
};

}  // namespace pawl::models
