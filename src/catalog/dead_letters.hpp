/// Dead letters: starts that came to nothing, kept until somebody replays or discards them.
///
/// A letter is written by the engine with the end of a triggered run that faulted (`engine/dead_letter.hpp`), or by the scheduler for a
/// firing that could not become a run. It keeps copies of trigger, input and error, so it outlives the run. A retry of the run takes its
/// letter away; a replay starts a new run of the current version with the same input and marks the letter, which then names that run.
///
/// A replay is made once: the new run's id becomes durable before the run starts, and a repeated request answers that id, starting the run
/// where a crash came in between. Should the replay fault as well, it leaves a letter of its own.
///
/// Every call names the organization. `list`, `get` and `discard` block; `replay` blocks for its reads and answers later, on any thread.
/// Errors: `dead_letter.not_found`, `workflow.not_found`, those of the engine.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "engine/dead_letter.hpp"
#include "json/value.hpp"

namespace pawl::engine {
class Engine;
}
namespace pawl::dsl {
struct Plan;
}
namespace pawl::storage {
class Database;
}

namespace pawl::catalog {

class Catalog;

struct DeadLetterView {
  engine::DeadLetter letter;
  std::optional<TimePoint> replayed_at;
  std::optional<RunId> replay_run;
};
struct DeadLetterFilter {
  std::optional<WorkflowId> workflow{};
  bool replayed = false;  ///< those that were replayed instead of those that wait
  std::uint32_t limit = 50;
  std::optional<RunId> before{};  ///< cursor: newest first
};
struct DeadLetterPage {
  std::vector<DeadLetterView> letters;
  std::optional<RunId> next;
};

class DeadLetters {
 public:
  struct Dependencies {
    storage::Database& database;
    engine::Engine& engine;
    Catalog& catalog;
    Clock& clock;
    Random& random;
    std::function<json::Value(const OrganizationId&, const dsl::Plan&)> secrets;  ///< `$secrets` of a run; may be empty
  };
  explicit DeadLetters(Dependencies dependencies) : d_(std::move(dependencies)) {}

  /// Whose letter it is, for the permission check.
  [[nodiscard]] Result<OrganizationId> owner(const RunId& id);
  [[nodiscard]] Result<DeadLetterPage> list(const OrganizationId& organization, const DeadLetterFilter& filter);
  [[nodiscard]] Result<DeadLetterView> get(const OrganizationId& organization, const RunId& id);
  /// The run itself stays where it is.
  [[nodiscard]] Result<void> discard(const OrganizationId& organization, const RunId& id);
  /// `done` gets the new run's id when its start is durable. `requester`: members `user` and `api_key`, as in `Engine::ForkRequest`.
  void replay(const OrganizationId& organization, const RunId& id, const json::Value& requester, std::function<void(Result<RunId>)> done);

 private:
  void start(const DeadLetterView& view, const RunId& run, const json::Value& requester, std::function<void(Result<RunId>)> done);

  Dependencies d_;
};

}  // namespace pawl::catalog
