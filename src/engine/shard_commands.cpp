// What people and programs ask of a run: view, cancel, suspend, resume, retry, messages.
#include "engine/detail/run.hpp"
#include "engine/shard.hpp"

namespace pawl::engine {
namespace {

Error not_found(const RunId& run) {
  return {ErrorClass::not_found, "run.not_found", "run " + run.to_string() + " does not exist or belongs to another organization"};
}

Error ended(const RunId& run) { return {ErrorClass::conflict, "run.ended", "run " + run.to_string() + " has ended"}; }

/// The answer for a run that is not open: it has ended, is unknown, or could not be read.
Error absent(const RunId& run, const Result<StoredRun>& stored) {
  if (stored.has_error()) return stored.error();
  return std::holds_alternative<FinishedRun>(stored.value()) ? ended(run) : not_found(run);
}

}  // namespace

void Shard::view(const OrganizationId& organization, const RunId& id, bool with_tasks, Engine::Viewed done) {
  const auto found = [this, with_tasks, done](Run& run) {
    if (!run.is_final()) return done(view_of(run, with_tasks));
    // Nobody is told of an end that a crash could still take back.
    run.at_end.emplace_back([this, with_tasks, done](Run& at_end) { done(view_of(at_end, with_tasks)); });
  };
  const auto missing = [this, id, with_tasks, done](Result<StoredRun>& stored) {
    if (stored.has_value() && std::holds_alternative<FinishedRun>(stored.value()))
      return done(view_of(std::get<FinishedRun>(stored.value()), with_tasks));
    done(absent(id, stored));
  };
  with_run(organization, id, found, missing);
}

/// An event from outside: acknowledged when it is durable.
void Shard::command(const OrganizationId& organization, const RunId& id, Engine::Acknowledged done, std::function<EventBody()> body) {
  const auto found = [this, id, done, body](Run& run) {
    if (run.is_final()) return done(ended(id));
    if (!run.machine) return done(Error{ErrorClass::unavailable, "run.broken", run.broken});
    run.pending.push_back({run.inputs + 1, done});
    input(run, body());
  };
  with_run(organization, id, found, [id, done](Result<StoredRun>& stored) { done(absent(id, stored)); });
}

void Shard::cancel(const OrganizationId& organization, const RunId& id, CancelRequested request, Engine::Acknowledged done) {
  const auto found = [this, id, done, request = std::move(request)](Run& run) {
    if (run.is_final()) return done(ended(id));
    if (!run.machine) return cancel_broken(run, done);
    run.pending.push_back({run.inputs + 1, done});
    input(run, request);
  };
  with_run(organization, id, found, [id, done](Result<StoredRun>& stored) { done(absent(id, stored)); });
}

void Shard::cancel_broken(Run& run, Engine::Acknowledged done) {
  run.acknowledged.push_back(std::move(done));
  run.broken_ended = true;
  touch(run);
}

void Shard::suspend(const OrganizationId& organization, const RunId& id, Engine::Acknowledged done) {
  const auto found = [this, id, done](Run& run) {
    if (run.is_final()) return done(ended(id));
    if (!run.machine) return done(Error{ErrorClass::unavailable, "run.broken", run.broken});
    if (run.machine->phase() == Phase::pending) {
      return done(Error{ErrorClass::conflict, "run.pending", "run " + id.to_string() + " has not started: it waits for a place"});
    }
    run.pending.push_back({run.inputs + 1, done});
    input(run, SuspendRequested{});
  };
  with_run(organization, id, found, [id, done](Result<StoredRun>& stored) { done(absent(id, stored)); });
}

void Shard::resume(const OrganizationId& organization, const RunId& id, Engine::Acknowledged done) {
  const auto found = [this, id, done](Run& run) {
    if (run.is_final()) return done(ended(id));
    if (!run.machine) return mend(run, done);
    run.pending.push_back({run.inputs + 1, done});
    input(run, ResumeRequested{});
  };
  with_run(organization, id, found, [id, done](Result<StoredRun>& stored) { done(absent(id, stored)); });
}

/// Tries again what failed when the run was loaded: its plan may be there by now.
void Shard::mend(Run& run, Engine::Acknowledged done) {
  auto mended = revive(*run.stored);
  if (!mended->machine) return done(Error{ErrorClass::unavailable, "run.broken", mended->broken});
  run.machine = std::move(mended->machine);
  run.last_event = mended->last_event;
  run.updates = mended->updates;
  run.record_updates = std::move(mended->record_updates);
  run.phase_update = mended->phase_update;
  run.broken.clear();
  run.stored.reset();
  run.acknowledged.push_back(std::move(done));
  set_world(run);
  touch(run);
  if (run.let_in && run.machine->phase() == Phase::pending) input(run, RunAdmitted{});
}

void Shard::retry(const OrganizationId& organization, const RunId& id, RetryRequested request, Engine::Acknowledged done,
                  json::Value requester) {
  const auto found = [this, organization, id, request, done, requester](Run& run) {
    if (!run.is_final()) return done(Error{ErrorClass::conflict, "run.not_retryable", "run " + id.to_string() + " has not ended"});
    // Its end is on the way to the disk: again from there.
    run.at_end.emplace_back([this, organization, id, request, done, requester](Run&) {
      want(id,
           [this, organization, id, request, done, requester](Result<StoredRun>&) { retry(organization, id, request, done, requester); });
    });
  };
  const auto missing = [this, id, request, done, requester](Result<StoredRun>& stored) {
    if (stored.has_error() || !std::holds_alternative<FinishedRun>(stored.value())) return done(absent(id, stored));
    reopen(std::get<FinishedRun>(stored.value()), request, done, requester);
  };
  with_run(organization, id, found, missing);
}

void Shard::reopen(const FinishedRun& stored, RetryRequested request, const Engine::Acknowledged& done, const json::Value& requester) {
  if (draining_) return done(Error{ErrorClass::unavailable, "engine.stopping", "the engine is stopping"});
  if (stored.phase == Phase::completed) {
    return done(Error{ErrorClass::conflict, "run.not_retryable",
                      "run " + stored.identity.id.to_string() + " has completed; only a faulted or cancelled run can be retried"});
  }
  auto revived = revive(stored);
  if (revived.has_error()) return done(revived.error());
  if (const auto possible = revived.value()->machine->check_retry(request); possible.has_error()) return done(possible.error());
  const auto placed = take_place(*revived.value(), Concurrency::Policy::skip);
  if (placed.has_error()) return done(placed.error());
  auto& run = add_run(std::move(revived).value());
  run.let_in = true;
  run.reopened = true;
  if (requester.is_object()) set_retrier(run.trigger, requester);
  run.acknowledged.push_back(done);
  // Not by `input`: the machine is in a final phase, and this is the one event that leads out of it.
  ++run.inputs;
  apply(run, std::move(request), [] { return true; });
  if (!run.paused) ++run.applied;
  advance(run);
}

void Shard::deliver(const OrganizationId& organization, const RunId& id, json::Value event, Engine::Acknowledged done) {
  command(organization, id, std::move(done), [event = std::move(event)] { return MessageArrived{event}; });
}

void Shard::subscribe(const RunId& id, std::uint64_t subscription, std::uint64_t after, Engine::Updated updated) {
  const auto join = [this, subscription, after, updated](Run& run) {
    send_known(run, after, updated);
    run.subscribers.push_back({subscription, updated});
  };
  if (const auto found = runs_.find(id); found != runs_.end()) return join(*found->second);
  joining_.insert(subscription);
  want(id, [this, id, join, subscription, after, updated](Result<StoredRun>& stored) {
    if (joining_.erase(subscription) == 0) return;  // it has left meanwhile
    if (const auto found = runs_.find(id); found != runs_.end()) return join(*found->second);
    if (stored.has_error() || !std::holds_alternative<FinishedRun>(stored.value())) return;
    const auto run = revive(std::get<FinishedRun>(stored.value()));
    if (run.has_value()) send_known(*run.value(), after, updated);
  });
}

void Shard::unsubscribe(const RunId& id, std::uint64_t subscription) {
  joining_.erase(subscription);
  const auto found = runs_.find(id);
  if (found == runs_.end()) return;
  std::erase_if(found->second->subscribers, [subscription](const Run::Subscriber& each) { return each.subscription == subscription; });
  consider_sleep(*found->second);
}

}  // namespace pawl::engine
