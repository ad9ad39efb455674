/// What the catalog keeps: workflows, their versions, and what starts them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "dsl/plan.hpp"
#include "engine/machine/event.hpp"
#include "json/value.hpp"

namespace pawl::catalog {

/// A document as its author gave it: text in YAML or JSON, or data.
struct Definition {
  enum class Format : std::uint8_t { text, data };
  std::string text;  ///< for `data`: compact JSON
  Format format = Format::text;
  /// The functions that somebody has written which it was saved with (`Catalog` fills it): with these, whatever has become of them
  /// since, it means the same. Empty: with those that there are.
  std::string functions{};

  friend bool operator==(const Definition&, const Definition&) = default;
};

/// What starts runs of a workflow by itself, as the API shows it.
struct Trigger {
  std::string type;     ///< `schedule` or `webhook`
  json::Value details;  ///< object
};

/// How the newest finished run of a workflow ended.
struct LastRun {
  RunId id;
  engine::Phase phase = engine::Phase::completed;
  TimePoint created_at{};
  TimePoint ended_at{};
};

struct Workflow {
  WorkflowId id;
  OrganizationId organization;
  std::string name;
  std::string description;
  std::uint32_t version = 1;
  Definition definition;
  bool active = true;
  UserId created_by;  ///< nil: nobody's, as what the installation's own key made
  UserId updated_by;
  TimePoint created_at{};
  TimePoint updated_at{};
  std::vector<Trigger> triggers;
  std::optional<LastRun> last_run;  ///< in lists that ask for it
};

struct Version {
  std::uint32_t version = 1;
  Definition definition;
  std::string change_summary;
  UserId created_by;
  TimePoint created_at{};
};

/// One version of a workflow, ready to run. Immutable and shared.
struct Executable {
  WorkflowId id;
  OrganizationId organization;
  std::string name;
  std::uint32_t version = 1;
  bool active = true;
  dsl::PlanPtr plan;
  UserId author{};          ///< of the version; nil: the installation's own key, or nobody any more
  bool is_guarded = false;  ///< its organization lets only some roles destroy: ask `Catalog::with_right`
};
using ExecutablePtr = std::shared_ptr<const Executable>;

}  // namespace pawl::catalog
