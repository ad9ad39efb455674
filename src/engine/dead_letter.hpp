/// Starts that came to nothing, kept for somebody to look at: a triggered run that faulted, or a firing that could not become a run.
///
/// The engine writes the letter of a run in the transaction that ends the run, so none is lost; a retry of the run takes it away again.
/// Which runs: those that nobody waits for (started by a schedule, an event, a webhook, another workflow's end or a replay), and those
/// whose trigger says `dead_letter: true`. `catalog/dead_letters.hpp` lists and replays them.
#pragma once

#include <string_view>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "json/value.hpp"

namespace pawl::storage {
class Transaction;
}

namespace pawl::engine {

struct DeadLetter {
  enum class Kind : std::uint8_t { run, start };
  RunId id;  ///< the run's, also where it never came to be
  OrganizationId organization;
  WorkflowId workflow;
  std::string workflow_name;
  std::uint32_t version = 1;
  Kind kind = Kind::run;
  json::Value trigger;
  json::Value input;
  json::Value error;
  TimePoint created_at{};
};

/// Whether a faulted run with this trigger leaves a letter.
[[nodiscard]] bool leaves_dead_letter(const json::Value& trigger);

[[nodiscard]] Result<void> store_dead_letter(storage::Transaction& transaction, const DeadLetter& letter);
/// The run is open again.
[[nodiscard]] Result<void> forget_dead_letter(storage::Transaction& transaction, const RunId& run);

}  // namespace pawl::engine
