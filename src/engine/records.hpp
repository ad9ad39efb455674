/// What is stored about a run, as values: the borders between shard (decides), store (SQL) and recovery.
///
/// An open run is its *beginning* (trigger and first events), its journal records (later events, one record per commit), and perhaps a
/// snapshot that replaces everything up to some record. A finished run is one row whose *history* holds all of that, so that any view of
/// it, and a retry, come from replay.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "engine/approval.hpp"
#include "engine/dead_letter.hpp"
#include "engine/machine/event.hpp"
#include "json/value.hpp"

namespace pawl::engine {

/// What never changes about a run.
struct RunIdentity {
  RunId id;
  OrganizationId organization;
  WorkflowId workflow;
  std::uint32_t version = 1;
  std::string workflow_name;
  TimePoint created_at{};
  bool dry_run = false;
};

/// A state from which replay goes on. `data` is a machine's snapshot.
struct SnapshotRecord {
  std::uint64_t updates = 0;  ///< live updates counted up to here
  TimePoint at{};             ///< time of the last event in it
  json::Value input;          ///< of the run: readable without the plan
  json::Value data;
};
/// Bytes of a snapshot, compressed. Both sides of the codec are total.
[[nodiscard]] std::string encode_snapshot(const SnapshotRecord& snapshot);
[[nodiscard]] Result<SnapshotRecord> decode_snapshot(std::string_view bytes);

/// The bytes of an open run's beginning.
[[nodiscard]] std::string encode_beginning(const json::Value& trigger, std::string_view events);
struct Beginning {
  json::Value trigger;
  std::string events;
};
[[nodiscard]] Result<Beginning> decode_beginning(std::string_view bytes);

/// One journal record: events with a version byte.
[[nodiscard]] std::string encode_journal(std::string_view events);
[[nodiscard]] Result<std::string> decode_journal(std::string_view bytes);

/// All that is kept of a finished run besides the columns of its row.
struct History {
  json::Value trigger;
  json::Value result;    ///< output of a completed run, else its error
  std::string snapshot;  ///< as encoded; empty: the events begin at the start
  std::string events;
};
[[nodiscard]] std::string encode_history(const History& history);
[[nodiscard]] Result<History> decode_history(std::string_view bytes);

// ---- what a shard hands to the committer ------------------------------------------------------------------------------------------

/// The changes of one run in one commit. Values are moved in, never shared with the shard afterwards.
struct RunWrite {
  RunIdentity identity;
  Phase phase = Phase::pending;

  struct Begin {
    std::string beginning;
    bool reopened = false;  ///< a retry: the finished row goes
  };
  struct Append {
    std::uint32_t sequence = 0;
    std::string data;
  };
  struct Snapshot {
    std::uint32_t sequence = 0;  ///< journal records up to this one go
    std::string data;
  };
  struct Sleep {  ///< leaves memory once durable
    std::optional<TimePoint> due;
    std::vector<std::string> listens;
  };
  struct Finish {
    TimePoint started_at{};
    TimePoint ended_at{};
    std::string history;
    bool was_open = false;    ///< there are rows to delete
    bool had_slept = false;   ///< also in the tables of sleepers
    bool had_place = false;   ///< also in the table of places
    bool was_broken = false;  ///< ended without its machine: its questions are still open
    std::optional<DeadLetter> letter;
    json::Value lifecycle;  ///< the event that tells it (lifecycle.hpp); null: nobody follows
  };
  struct Place {  ///< of a run with a concurrency key
    std::string key;
    std::uint32_t limit = 1;
    std::int32_t priority = 0;
    bool admitted = false;
  };
  std::vector<ApprovalWrite> approvals;  ///< asked and closed, in order
  std::optional<Begin> begin;
  std::optional<Place> place;  ///< begins to wait for it, or has got it
  std::optional<Append> append;
  std::optional<Snapshot> snapshot;
  std::optional<Sleep> sleep;
  std::optional<Finish> finish;
  bool update_row = false;  ///< phase, reason or residence differ from the row
  bool resident = true;
  bool forget_timer = false;  ///< woken: its row in `timers` goes
  std::string reason;         ///< why it waits, for lists
};

struct Batch {
  std::uint64_t number = 0;  ///< from 1, without gaps, per shard
  std::vector<RunWrite> runs;
  std::size_t bytes = 0;
};

// ---- what comes back ------------------------------------------------------------------------------------------------------------

struct OpenRun {
  RunIdentity identity;
  json::Value trigger;
  std::string snapshot;  ///< as encoded; empty where there is none
  std::string events;    ///< since the snapshot or the start
  std::uint32_t next_sequence = 1;
  Phase phase = Phase::pending;
  bool resident = true;
  std::string unreadable;  ///< why its records cannot be decoded; empty: they can
};
struct FinishedRun {
  RunIdentity identity;
  Phase phase = Phase::completed;
  TimePoint started_at{};
  TimePoint ended_at{};
  History history;
};
/// Nothing: there is no such run.
using StoredRun = std::variant<std::monostate, OpenRun, FinishedRun>;

/// Position of a finished run in its table: the first 63 bits of the id that say something (time since 2020, 22 bits after it).
[[nodiscard]] std::int64_t run_key(const RunId& id);

}  // namespace pawl::engine
