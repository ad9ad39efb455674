/// Self-healing: for a failed run, a remedy is proposed, tried in a dry run, shown to a person, and applied once where that person
/// approves.
///
///     healing.propose(asker, {.organization = org, .run = run}, [](Result<Proposed> proposed) { ... });
///
/// From the proposal on it is an ordinary durable run (`healing_document`): it asks by `call: approval`, so the question is in the inbox,
/// survives restarts, and is decided by whoever has the role; then it calls the function `apply-remedy`. That one acts only in the run that
/// asked, only where the approval is in the database, and only if what was approved is what is kept. A crash anywhere is gone on from: the
/// new version is made once (it is bound to the version that it was made for), the run that is started has its id from the beginning, and a
/// retry is bound to the end that it is for.
///
/// Only whoever may change workflows proposes a new version, and decides: by a session, never by an API key (api/routes/approvals.cpp), and
/// whoever asks decides only where nobody else could. That is looked at again when it is applied. A run has one remedy at a time: it is
/// reserved before a model is asked. Where the run that asks ends without a decision (cancelled, say) the remedy is `failed`.
///
/// What was applied is judged by how its run ends. A remedy that worked is offered first, without a model, when the same kind of error
/// comes again: a retry with nothing changed as it was, a new version by running what failed again in that version. What changed an input
/// is told to the model.
///
/// Threads: any; `propose` and `apply` go on on the pool.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agents/rehearsal.hpp"
#include "agents/remedies.hpp"
#include "async/blocking_pool.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"
#include "catalog/catalog.hpp"
#include "engine/engine.hpp"
#include "engine/function.hpp"
#include "engine/observer.hpp"
#include "models/assistant.hpp"

namespace pawl::agents {

inline constexpr std::string_view kApplyRemedy = "apply-remedy";

/// Which failure, and who is to decide.
struct HealingWish {
  RunId run;
  bool fresh = false;                               ///< ask a model also where something worked before
  std::vector<std::string> approvers = {"member"};  ///< roles: these and those above them; at least those that may change workflows
  bool exclude_starter = false;                     ///< whoever asks may not decide, not even where nobody else can
  bool may_write = false;                           ///< whoever asks may change workflows: else there is no new version
  audit::Actor by{};                                ///< who asks
  UserId user{};                                    ///< the same; nil: the installation's own key
  json::Value trigger;                              ///< of the runs that come of it
};

struct Proposed {
  std::optional<Remedy> remedy;  ///< nothing: no remedy was found
  json::Value diagnosis;         ///< `{root_cause, explanation, confidence}`
  models::Assisted assisted;     ///< where a model was asked: how
  bool asked_model = false;
};

class Healing final : public engine::RunObserver {
 public:
  struct Dependencies {
    storage::Database& database;
    engine::Engine& engine;
    catalog::Catalog& catalog;
    const engine::FunctionRegistry& functions;
    models::Client& models;
    async::BlockingPool& pool;
    const Clock& clock;
    Random& random;
    std::function<json::Value(const OrganizationId&, const dsl::Plan&)> secrets;
    std::function<json::Value(const json::Value&)> hide;  ///< takes secrets out of what a model may see
    audit::Log* audit = nullptr;
  };
  explicit Healing(Dependencies dependencies);
  ~Healing() override;

  /// Voids what an earlier process drafted, and finds out which remedies wait for the end of a run. After the engine has started.
  [[nodiscard]] Result<void> start();

  using Done = std::function<void(Result<Proposed>)>;
  /// Errors: `run.not_found`, `run.not_failed` (409), `remedy.open` (409: one is drafted, asked about or applied), `remedy.applied` (409),
  /// those of models.
  void propose(const models::Asker& asker, HealingWish wish, Done done);

  [[nodiscard]] Remedies& remedies();

  // engine::RunObserver
  [[nodiscard]] bool wants(const OrganizationId& organization) const override;
  void changed(const engine::RunNotice& notice) override;

  /// Whoever stands behind the function `apply-remedy`; null: nobody in this process.
  [[nodiscard]] static Healing* behind(const engine::FunctionRegistry& functions);
  /// The function that applies what was approved; `healing` is asked for when it is called first. `around` puts something around it, as
  /// `FunctionRegistry::wrap` does around those that are there: `behind` finds it all the same.
  using Around = std::function<std::unique_ptr<engine::Function>(std::unique_ptr<engine::Function>)>;
  [[nodiscard]] static std::unique_ptr<engine::Function> make_function(std::function<Healing*()> healing, const Around& around = {});

  struct Impl;  ///< detail/healing_impl.hpp

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace pawl::agents
