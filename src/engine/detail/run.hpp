/// A run in memory, and what goes with it. Private to the shard.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/concurrency.hpp"
#include "engine/detail/scrub.hpp"
#include "engine/machine/machine.hpp"
#include "engine/shard.hpp"

namespace pawl::engine {

/// An effect that the machine waits for.
struct Shard::Effect {
  enum class State : std::uint8_t {
    gated,    ///< waits until what it follows from is durable
    queued,   ///< waits for a place among those in flight
    running,  ///< started; its answer comes
  };
  StartEffect action;
  EffectClass effect_class = EffectClass::once;
  State state = State::gated;
  bool restarted = false;   ///< after recovery: a child may exist already
  bool plan_only = false;   ///< a dry run, or a destructive function that was not allowed to act
  bool refused = false;     ///< the latter, or a function that is not there
  std::string_view reason;  ///< why it was not allowed; empty: it was
  TimePoint wanted_at{};
  Cancel cancel;
  std::optional<RunId> child;  ///< of `run.workflow`
};

struct Shard::Run {
  RunIdentity identity;
  json::Value trigger;
  Durability durability = Durability::sync;
  std::optional<Machine> machine;      ///< none: `broken` says why it cannot go on
  std::unique_ptr<const Scrub> scrub;  ///< none: it uses no secrets
  std::string broken;
  std::optional<OpenRun> stored;  ///< of a broken run: to try again
  bool broken_ended = false;      ///< a broken run was cancelled

  // Journal.
  std::string events;        ///< encoded, since the snapshot or the start
  std::size_t appended = 0;  ///< bytes of `events` that went into batches
  std::string snapshot;      ///< as encoded; empty: none
  TimePoint last_event{};
  std::uint32_t next_sequence = 0;  ///< of the next journal record; 0: not even the beginning is written
  bool reopened = false;            ///< its finished row is to go
  bool snapshot_due = false;
  bool holds_secrets = false;  ///< in its state: no snapshot is made of it any more
  Phase row_phase = Phase::pending;
  bool row_resident = true;  ///< false: the row says that it sleeps
  bool had_slept = false;    ///< has rows in the tables of sleepers

  // Its place among the runs with the same concurrency key.
  std::optional<Seat> seat;  ///< none: it needs no place
  std::int32_t priority = 0;
  bool let_in = false;             ///< it has got one
  std::optional<bool> row_let_in;  ///< as its row says; none: it has no row

  // Lifecycle events.
  bool told_start = false;
  bool told_suspension = false;
  json::Value end_event;  ///< to be told once the end is durable

  std::vector<ApprovalWrite> approvals;             ///< asked and closed since the last batch
  std::map<ApprovalId, RequestApproval> questions;  ///< open ones

  // Progress.
  std::vector<EventBody> inbox;
  std::uint64_t inputs = 0;   ///< that ever came into the inbox
  std::uint64_t applied = 0;  ///< and of those: taken out and done with
  bool advancing = false;
  bool paused = false;                 ///< within an event: the machine is to go on before anything else
  Event paused_event;                  ///< this one; its record is written when it is done
  std::vector<Action> paused_actions;  ///< of that event, so far
  bool queued = false;                 ///< is in `unfinished_turns_`
  bool changed = false;                ///< is in `changed_`
  std::uint32_t commits = 0;           ///< batches in flight with something of it
  bool ended = false;                  ///< its end is in a batch
  bool falling_asleep = false;
  TimePoint last_active{};
  bool sleep_check = false;  ///< a timer will consider sleep

  // The world around it.
  std::map<EffectId, Effect> effects;
  std::vector<EffectId> gated;
  std::vector<TimerId> timers;
  std::vector<std::string> listens;

  // Who waits.
  std::vector<Engine::Started> started;
  std::vector<Engine::Finished> finished;
  std::vector<Engine::Acknowledged> acknowledged;
  struct Pending {
    std::uint64_t input = 0;
    Engine::Acknowledged done;
  };
  std::deque<Pending> pending;                    ///< to acknowledge once that input was applied, and then is durable
  std::vector<std::function<void(Run&)>> at_end;  ///< once the end is durable
  struct Parent {
    RunId run;
    EffectId effect = 0;
  };
  std::vector<Parent> parents;

  // Live updates.
  std::uint64_t updates = 0;
  std::vector<std::uint32_t> record_updates;  ///< by record: its last update
  std::uint64_t phase_update = 0;
  struct Subscriber {
    std::uint64_t subscription = 0;
    Engine::Updated updated;
  };
  std::vector<Subscriber> subscribers;

  /// As it may be stored and shown.
  [[nodiscard]] json::Value shown(const json::Value& value) const { return scrub ? scrub->value(value) : value; }
  [[nodiscard]] bool is_final() const { return machine ? engine::is_final(machine->phase()) : broken_ended; }
};

/// What happens when a batch is durable, per run.
struct Shard::Commit {
  Run* run = nullptr;
  std::vector<Engine::Started> started;
  std::vector<Engine::Acknowledged> acknowledged;
  std::vector<EffectId> gated;
  std::vector<ApprovalWrite> approvals;  ///< to be told
};
struct Shard::InFlight {
  std::uint64_t number = 0;
  std::vector<Commit> commits;
};

}  // namespace pawl::engine
