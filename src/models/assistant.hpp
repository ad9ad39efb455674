/// Work that a model does on workflows: it gets a prompt from a file with a version and facts as data, must answer in a form, and what it
/// answers is checked (by the real compiler, by a dry run) and sent back with the findings until it holds, or is given up with the reasons.
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
  /// Looks at an answer that has the form: what is wrong with it, nothing where it holds. Tells it once, perhaps later and on another
  /// thread.
  using Check = std::function<void(const json::Value& output, std::function<void(Findings)> told)>;
  /// Tries a document that compiles without letting it do anything: what came of it that must not.
  struct Draft {
    std::string document;
    dsl::PlanPtr plan;
    json::Value input;  ///< an example; null: the model gave none
  };
  using TryOut = std::function<void(Draft draft, std::function<void(Findings)> told)>;
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
  /// A document (YAML) that compiles and, with `try_out`, that came through it: `{document, explanation}`.
  Cancel generate_workflow(const Asker& asker, std::string_view description, TryOut try_out, Done done) const;

  /// Any other work of this kind.
  struct Work {
    Asker asker;
    Prompt prompt;
    json::Value facts;   ///< what the model is told, as data
    json::Value schema;  ///< the form of its answer
    Check check{};       ///< empty: the form is enough
  };
  Cancel run(Work work, Done done) const;

 private:
  Client& client_;
  const dsl::FunctionCatalog& functions_;
};

}  // namespace pawl::models
