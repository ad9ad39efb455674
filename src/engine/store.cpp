#include "engine/store.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "base/utf8.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "notify/notice.hpp"

namespace pawl::engine {
namespace {

using storage::Parameter;
using storage::Row;
using storage::Session;
using storage::Transaction;

constexpr std::int64_t kDryRun = 1;
/// Keys of runs come from time and a counter; where two ids fall on one key the later one takes the next that is free.
constexpr std::int64_t kProbes = 64;
/// Undelivered events that a start takes up; the next start finds the rest.
constexpr std::int64_t kMaxLifecycleEvents = 10'000;

std::int64_t flags_of(const RunIdentity& identity) { return identity.dry_run ? kDryRun : 0; }

/// Columns 0..7: id, version, flags, created_at, organization, workflow, name, phase.
RunIdentity identity_of(const Row& row) {
  RunIdentity identity;
  identity.id = row.id<RunId>(0);
  identity.version = static_cast<std::uint32_t>(row.integer(1));
  identity.dry_run = (row.integer(2) & kDryRun) != 0;
  identity.created_at = row.time(3);
  identity.organization = row.id<OrganizationId>(4);
  identity.workflow = row.id<WorkflowId>(5);
  identity.workflow_name = row.text(6);
  return identity;
}

notify::Notice notice_of(const RunIdentity& identity, const RunWrite::Finish& end) {
  notify::Notice notice;
  notice.organization = identity.organization;
  notice.kind = "run.failed";
  notice.subject = identity.workflow.to_string();
  notice.title = "The workflow " + identity.workflow_name + " has failed";
  notice.data = json::Value::object({{"run_id", identity.id.to_string()},
                                     {"workflow_id", identity.workflow.to_string()},
                                     {"workflow_name", to_utf8(identity.workflow_name)},
                                     {"version", identity.version},
                                     {"dead_letter", end.letter.has_value()}});
  notice.at = end.ended_at;
  return notice;
}

Phase phase_of(const Row& row) {
  return static_cast<Phase>(std::clamp<std::int64_t>(row.integer(7), 0, static_cast<std::int64_t>(Phase::completed)));
}

constexpr std::string_view kSelectOpen =
    "select o.id, o.version, o.flags, o.created_at, w.organization_id, w.workflow_id, w.name, o.phase, o.resident, o.beginning "
    "from open_runs o join run_workflows w on w.ref = o.workflow where o.id = $1";
constexpr std::string_view kSelectResident =
    "select o.id, o.version, o.flags, o.created_at, w.organization_id, w.workflow_id, w.name, o.phase, o.resident, o.beginning "
    "from open_runs o join run_workflows w on w.ref = o.workflow where o.resident = 1 order by o.id";

constexpr std::string_view kPutSnapshot =
    "insert into snapshots (run_id, seq, data) values ($1, $2, $3) "
    "on conflict (run_id) do update set seq = excluded.seq, data = excluded.data";
constexpr std::string_view kPutListener =
    "insert into listeners (organization_id, type, run_id) values ($1, $2, $3) on conflict (organization_id, type, run_id) do nothing";

constexpr std::string_view kPutPlace =
    "insert into run_places (run_id, organization_id, key, places, priority, admitted) values ($1, $2, $3, $4, $5, $6) "
    "on conflict (run_id) do update set admitted = excluded.admitted";

constexpr std::string_view kPutReference =
    "insert into run_workflows (ref, organization_id, workflow_id, name) values ($1, $2, $3, $4) "
    "on conflict (ref) do update set name = excluded.name";

/// Text of a document as every database can store it: UTF-8 without U+0000.
std::string storable(std::string_view text) {
  std::string out = to_utf8(std::string(text));
  std::replace(out.begin(), out.end(), '\0', ' ');
  return out;
}

/// The rest of an open run whose row is at hand.
Result<OpenRun> open_run(Session& session, const Row& row) {
  OpenRun run;
  run.identity = identity_of(row);
  run.phase = phase_of(row);
  run.resident = row.boolean(8);
  if (auto beginning = decode_beginning(row.blob(9)); beginning.has_value()) {
    run.trigger = std::move(beginning->trigger);
    run.events = std::move(beginning->events);
  } else {
    run.unreadable = beginning.error().message;
  }
  std::int64_t after = 0;
  PAWL_TRY_VOID(session.query("select seq, data from snapshots where run_id = $1", {run.identity.id}, [&](const Row& found) {
    after = found.integer(0);
    run.snapshot = found.blob(1);
    run.events.clear();
    run.next_sequence = static_cast<std::uint32_t>(after) + 1;
  }));
  PAWL_TRY_VOID(session.query("select seq, data from journal where run_id = $1 and seq > $2 order by seq", {run.identity.id, after},
                              [&](const Row& found) {
                                const auto events = decode_journal(found.blob(1));
                                if (events.has_error()) run.unreadable = events.error().message;
                                if (events.has_value()) run.events += events.value();
                                run.next_sequence = static_cast<std::uint32_t>(found.integer(0)) + 1;
                              }));
  return run;
}

Result<void> find_finished(Session& session, const RunId& id, StoredRun& found) {
  std::optional<Error> failed;
  const auto key = run_key(id);
  PAWL_TRY_VOID(
      session.query("select r.id, r.version, r.flags, r.created_at, w.organization_id, w.workflow_id, w.name, r.phase, r.started_after, "
                    "r.ended_after, r.history "
                    "from runs r join run_workflows w on w.ref = r.workflow where r.key >= $1 and r.key < $2 and r.id = $3",
                    {key, key + kProbes, id}, [&](const Row& row) {
                      FinishedRun run;
                      run.identity = identity_of(row);
                      run.phase = phase_of(row);
                      run.started_at = run.identity.created_at + Millis(row.integer(8));
                      run.ended_at = run.identity.created_at + Millis(row.integer(9));
                      auto history = decode_history(row.blob(10));
                      if (history.has_error()) {
                        failed = history.error();
                        return;
                      }
                      run.history = std::move(history).value();
                      found = std::move(run);
                    }));
  if (failed) return *failed;
  return {};
}

}  // namespace

Result<void> RunStore::open() {
  return database_.read([this](Session& session) {
    return session.query("select ref, organization_id, workflow_id, name from run_workflows", {}, [this](const Row& row) {
      references_[{row.id<OrganizationId>(1), row.id<WorkflowId>(2)}] = {row.integer(0), std::string(row.text(3)), 0};
      last_reference_ = std::max(last_reference_, row.integer(0));
    });
  });
}

// ---- writing ------------------------------------------------------------------------------------------------------------------

Result<void> RunStore::apply(Transaction& transaction, const Batch& batch) {
  // In order of id, so that the tables grow at their ends.
  std::vector<const RunWrite*> ordered;
  ordered.reserve(batch.runs.size());
  for (const auto& run : batch.runs) ordered.push_back(&run);
  std::sort(ordered.begin(), ordered.end(), [](const RunWrite* a, const RunWrite* b) { return a->identity.id < b->identity.id; });
  for (const auto* run : ordered) PAWL_TRY_VOID(write(transaction, *run));
  return {};
}

/// A commit may be undone and done again: what this one has stored counts as stored only when it is behind us.
Result<std::int64_t> RunStore::reference(Transaction& transaction, const RunIdentity& identity) {
  auto& entry = references_[{identity.organization, identity.workflow}];
  if (entry.number == 0) entry.number = ++last_reference_;
  if (entry.name != identity.workflow_name || entry.stored_after > transaction.commits()) {
    PAWL_TRY_VOID(
        transaction.queue(kPutReference, {entry.number, identity.organization, identity.workflow, storable(identity.workflow_name)}));
    entry.name = identity.workflow_name;
    entry.stored_after = transaction.commits() + 1;
  }
  return entry.number;
}

Result<void> RunStore::write(Transaction& transaction, const RunWrite& write) {
  PAWL_TRY(workflow, reference(transaction, write.identity));
  for (const auto& approval : write.approvals) PAWL_TRY_VOID(store_approval(transaction, write.identity, approval));
  if (write.finish) return finish(transaction, write, workflow);
  const auto& id = write.identity.id;
  if (write.begin) PAWL_TRY_VOID(begin(transaction, write, workflow));
  if (write.place) {
    PAWL_TRY_VOID(transaction.queue(
        kPutPlace, {id, write.identity.organization, write.place->key, write.place->limit, write.place->priority, write.place->admitted}));
  }
  if (write.append) {
    PAWL_TRY_VOID(transaction.queue("insert into journal (run_id, seq, data) values ($1, $2, $3)",
                                    {id, write.append->sequence, Parameter::blob(write.append->data)}));
  }
  if (write.snapshot) {
    PAWL_TRY_VOID(transaction.queue(kPutSnapshot, {id, write.snapshot->sequence, Parameter::blob(write.snapshot->data)}));
    PAWL_TRY_VOID(transaction.queue("delete from journal where run_id = $1 and seq <= $2", {id, write.snapshot->sequence}));
  }
  if (write.update_row) {
    PAWL_TRY_VOID(transaction.queue("update open_runs set phase = $2, resident = $3, reason = $4 where id = $1",
                                    {id, static_cast<int>(write.phase), write.resident, storable(write.reason)}));
  }
  if (write.forget_timer) PAWL_TRY_VOID(transaction.queue("delete from timers where run_id = $1", {id}));
  if (write.sleep) PAWL_TRY_VOID(sleep(transaction, write));
  return {};
}

Result<void> RunStore::begin(Transaction& transaction, const RunWrite& write, std::int64_t workflow) {
  const auto& identity = write.identity;
  if (write.begin->reopened) {
    const auto key = run_key(identity.id);
    PAWL_TRY_VOID(transaction.queue("delete from runs where key >= $1 and key < $2 and id = $3", {key, key + kProbes, identity.id}));
    PAWL_TRY_VOID(forget_dead_letter(transaction, identity.id));
  }
  PAWL_TRY_VOID(
      transaction.queue("insert into open_runs (id, workflow, version, phase, flags, created_at, resident, reason, beginning) values "
                        "($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                        {identity.id, workflow, identity.version, static_cast<int>(write.phase), flags_of(identity), identity.created_at,
                         write.resident, storable(write.reason), Parameter::blob(write.begin->beginning)}));
  return {};
}

Result<void> RunStore::sleep(Transaction& transaction, const RunWrite& write) {
  const auto& id = write.identity.id;
  PAWL_TRY_VOID(transaction.queue("delete from timers where run_id = $1", {id}));
  PAWL_TRY_VOID(transaction.queue("delete from listeners where run_id = $1", {id}));
  if (write.sleep->due) PAWL_TRY_VOID(transaction.queue("insert into timers (due, run_id) values ($1, $2)", {*write.sleep->due, id}));
  for (const auto& type : write.sleep->listens) {
    PAWL_TRY_VOID(transaction.queue(kPutListener, {write.identity.organization, storable(type), id}));
  }
  return {};
}

Result<void> RunStore::finish(Transaction& transaction, const RunWrite& write, std::int64_t workflow) {
  const auto& identity = write.identity;
  const auto& end = *write.finish;
  if (end.was_open) {
    PAWL_TRY_VOID(transaction.queue("delete from open_runs where id = $1", {identity.id}));
    PAWL_TRY_VOID(transaction.queue("delete from journal where run_id = $1", {identity.id}));
  }
  if (end.had_place) PAWL_TRY_VOID(transaction.queue("delete from run_places where run_id = $1", {identity.id}));
  if (end.had_slept) {
    PAWL_TRY_VOID(transaction.queue("delete from snapshots where run_id = $1", {identity.id}));
    PAWL_TRY_VOID(transaction.queue("delete from timers where run_id = $1", {identity.id}));
    PAWL_TRY_VOID(transaction.queue("delete from listeners where run_id = $1", {identity.id}));
  }
  if (write.begin && write.begin->reopened) {
    const auto key = run_key(identity.id);
    PAWL_TRY_VOID(transaction.queue("delete from runs where key >= $1 and key < $2 and id = $3", {key, key + kProbes, identity.id}));
    PAWL_TRY_VOID(forget_dead_letter(transaction, identity.id));
  }
  if (end.was_broken) PAWL_TRY_VOID(withdraw_approvals(transaction, identity.id, end.ended_at));
  if (end.letter) PAWL_TRY_VOID(store_dead_letter(transaction, *end.letter));
  if (write.phase == Phase::faulted && !identity.dry_run) PAWL_TRY_VOID(notify::store(transaction, notice_of(identity, end)));
  if (!end.lifecycle.is_null()) {
    PAWL_TRY_VOID(transaction.queue(
        "insert into lifecycle_events (id, organization_id, event, created_at) values ($1, $2, $3, $4) on conflict (id) do nothing",
        {end.lifecycle.get("id").as_string(), identity.organization, storable(json::to_text(end.lifecycle)), end.ended_at}));
  }
  const auto first = run_key(identity.id);
  for (auto key = first; key < first + kProbes; ++key) {
    PAWL_TRY(inserted, transaction.try_insert(
                           "insert into runs (key, id, workflow, version, phase, flags, created_at, started_after, ended_after, history) "
                           "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (key) do nothing",
                           {key, identity.id, workflow, identity.version, static_cast<int>(write.phase), flags_of(identity),
                            identity.created_at, (end.started_at - identity.created_at).count(),
                            (end.ended_at - identity.created_at).count(), Parameter::blob(end.history)}));
    if (inserted) return {};
  }
  return Error{ErrorClass::internal, "storage.constraint", "no free key for run " + identity.id.to_string()};
}

// ---- reading ------------------------------------------------------------------------------------------------------------------

Result<StoredRun> RunStore::load(const RunId& run) {
  StoredRun found;
  const auto reading = [&](Session& session) -> Result<void> {
    std::optional<Error> failed;
    PAWL_TRY_VOID(session.query(kSelectOpen, {run}, [&](const Row& row) {
      auto open = open_run(session, row);
      if (open.has_error()) {
        failed = open.error();
      } else {
        found = std::move(open).value();
      }
    }));
    if (failed) return *failed;
    if (std::holds_alternative<OpenRun>(found)) return {};
    return find_finished(session, run, found);
  };
  PAWL_TRY_VOID(database_.read(reading));
  return found;
}

Result<std::optional<OrganizationId>> RunStore::owner(const RunId& run) {
  std::optional<OrganizationId> owner;
  const auto take = [&](const Row& row) { owner = row.id<OrganizationId>(0); };
  const auto key = run_key(run);
  const auto reading = [&](Session& session) -> Result<void> {
    PAWL_TRY_VOID(
        session.query("select w.organization_id from open_runs o join run_workflows w on w.ref = o.workflow where o.id = $1", {run}, take));
    if (owner) return {};
    return session.query(
        "select w.organization_id from runs r join run_workflows w on w.ref = r.workflow where r.key >= $1 and r.key < $2 and r.id = $3",
        {key, key + kProbes, run}, take);
  };
  PAWL_TRY_VOID(database_.read(reading));
  return owner;
}

Result<void> RunStore::recover(const std::function<void(OpenRun)>& each) {
  return database_.read([&](Session& session) -> Result<void> {
    std::optional<Error> failed;
    PAWL_TRY_VOID(session.query(kSelectResident, {}, [&](const Row& row) {
      auto open = open_run(session, row);
      if (open.has_error()) {
        failed = open.error();
      } else {
        each(std::move(open).value());
      }
    }));
    if (failed) return *failed;
    return {};
  });
}

Result<std::vector<RunStore::Wake>> RunStore::wakes(TimePoint until, std::uint32_t limit) {
  std::vector<Wake> wakes;
  PAWL_TRY_VOID(database_.read([&](Session& session) {
    return session.query("select run_id, due from timers where due <= $1 order by due limit $2", {until, limit}, [&](const Row& row) {
      wakes.push_back({row.id<RunId>(0), row.time(1)});
    });
  }));
  return wakes;
}

Result<void> RunStore::places(const std::function<void(const StoredPlace&)>& each) {
  return database_.read([&](Session& session) {
    return session.query("select run_id, organization_id, key, places, priority, admitted from run_places", {}, [&](const Row& row) {
      each({row.id<RunId>(0),
            {row.id<OrganizationId>(1), std::string(row.text(2)), static_cast<std::uint32_t>(row.integer(3)),
             static_cast<std::int32_t>(row.integer(4))},
            row.boolean(5)});
    });
  });
}

Result<std::vector<std::pair<OrganizationId, json::Value>>> RunStore::lifecycle_events() {
  std::vector<std::pair<OrganizationId, json::Value>> events;
  PAWL_TRY_VOID(database_.read([&](Session& session) {
    return session.query("select organization_id, event from lifecycle_events order by created_at, id limit $1", {kMaxLifecycleEvents},
                         [&](const Row& row) {
                           if (auto event = json::parse(row.text(1)); event.has_value())
                             events.emplace_back(row.id<OrganizationId>(0), std::move(*event));
                         });
  }));
  return events;
}

Result<std::vector<OrganizationId>> RunStore::lifecycle_listeners() {
  std::vector<OrganizationId> organizations;
  PAWL_TRY_VOID(database_.read([&](Session& session) {
    return session.query("select distinct organization_id from listeners where type like 'io.serverlessworkflow.%'", {},
                         [&](const Row& row) { organizations.push_back(row.id<OrganizationId>(0)); });
  }));
  return organizations;
}

Result<std::vector<RunId>> RunStore::listeners(const OrganizationId& organization, std::string_view type) {
  std::vector<RunId> runs;
  PAWL_TRY_VOID(database_.read([&](Session& session) {
    return session.query("select distinct run_id from listeners where organization_id = $1 and (type = $2 or type = '')",
                         {organization, storable(type)}, [&](const Row& row) { runs.push_back(row.id<RunId>(0)); });
  }));
  return runs;
}

Result<bool> RunStore::has_listeners() {
  bool any = false;
  PAWL_TRY_VOID(database_.read(
      [&](Session& session) { return session.query("select 1 from listeners limit 1", {}, [&](const Row&) { any = true; }); }));
  return any;
}

}  // namespace pawl::engine
