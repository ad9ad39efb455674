/// Who watches the functions that runs execute: the audit trail.
///
/// A shard reports every execution that has ended, once, whatever the end: success, failure, a plan instead of an act, a refusal. Just
/// before it hands its next batch to the writer it asks for what the observer wants to have written *in the same transaction*: the end of a
/// step and its audit record are durable together, and cost one commit.
///
/// An execution that was under way when the process died has no end and is not reported; its repetition, or the fault "outcome unknown" of
/// an at-most-once step, is.
#pragma once

#include <functional>
#include <string_view>

#include "base/error.hpp"
#include "base/time.hpp"
#include "dsl/plan.hpp"
#include "engine/function.hpp"
#include "engine/machine/event.hpp"
#include "engine/records.hpp"
#include "json/value.hpp"

namespace pawl::storage {
class Transaction;
}

namespace pawl::engine {

/// One execution of a function. References are valid during the call only.
struct EffectReport {
  enum class End : std::uint8_t {
    success,
    failure,
    planned,    ///< a dry run: the function told what it would do
    refused,    ///< the function is not there, or is destructive and was not allowed to act: it only told what it would do
    cancelled,  ///< its answer was not wanted any more (cancel, timeout, a lost race)
  };
  const RunIdentity& run;
  const json::Value& trigger;  ///< of the run: who or what started it
  const json::Value& secrets;  ///< that the run may use: to be kept out of every record
  std::string_view reference;  ///< of the task
  std::uint32_t attempt = 1;
  std::string_view function;
  const Function::Info* info = nullptr;  ///< of that function; null: the engine's own, or not in this build
  const json::Value& arguments;
  End end = End::success;
  const json::Value& error;  ///< null unless it failed
  std::string_view reason;   ///< why a destructive function was not allowed to act; empty: it was, or is not there
  bool awaited = true;       ///< false: the run went on without the answer; the end is that of the start
  TimePoint began{};         ///< when it was wanted: waiting for its turn counts
  TimePoint ended{};
};

class EffectObserver {
 public:
  EffectObserver() = default;
  EffectObserver(const EffectObserver&) = delete;
  EffectObserver& operator=(const EffectObserver&) = delete;
  virtual ~EffectObserver() = default;

  /// On the shard's thread; must not block.
  virtual void ended(const EffectReport& report) = 0;
  /// What is to be written with the shard's next batch: empty where there is nothing. On the shard's thread; the work itself runs on the
  /// writer's, perhaps more than once. An error of it poisons the database, as one of the journal does.
  using Work = std::function<Result<void>(storage::Transaction&)>;
  [[nodiscard]] virtual Work take() = 0;
};

}  // namespace pawl::engine
