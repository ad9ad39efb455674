#include "simulation/world.hpp"

#include <cstdio>

#include "engine/codec.hpp"
#include "json/write.hpp"

namespace pawl::simulation {

using engine::Outcome;

namespace {

constexpr std::uint32_t kMaxSteps = 200'000;
constexpr Millis kNoticeAhead{20'000};
constexpr std::uint32_t kPlaces = 1;

WorkflowId workflow_id(std::uint8_t number) {
  WorkflowId id;
  id.uuid.bytes[15] = number;
  return id;
}

}  // namespace

Plans::Plans(dsl::PlanPtr parent, dsl::PlanPtr child)
    : parent_(std::move(parent)), child_(std::move(child)), parent_id_(workflow_id(1)), child_id_(workflow_id(2)) {}

Result<dsl::PlanPtr> Plans::plan(const WorkflowId& workflow, std::uint32_t /*version*/) {
  return workflow == parent_id_ ? parent_ : child_;
}

Result<engine::PlanSource::Resolved> Plans::find(const OrganizationId& /*organization*/, std::string_view /*namespace_name*/,
                                                 std::string_view name, std::string_view /*version*/) {
  if (name != "child") return Error{ErrorClass::not_found, "workflow.not_found", "no such workflow"};
  return Resolved{child_id_, 1, child_};
}

bool Plans::author_may_destroy(const OrganizationId& /*organization*/, const WorkflowId& /*workflow*/, std::uint32_t /*version*/) {
  return true;  // nothing here destroys
}

World::World(Plans& plans, const engine::FunctionRegistry& functions, const WorldOptions& options)
    : plans_(plans), functions_(functions), options_(options), dice_(options.schedule), random_(options.schedule ^ 0x9e3779b97f4a7c15ULL) {
  organization_.uuid.bytes[0] = 1;
  clients_.resize(options.runs);
}

WorldResult World::live() {
  boot();
  for (std::uint32_t i = 0; i < kMaxSteps && !over() && result_.failure.empty(); ++i) step();
  check(over(), "every run reaches its end" + (over() ? std::string() : unfinished()));
  return result();
}

/// Why runs have not ended, for the report.
std::string World::unfinished() {
  std::string text;
  for (const auto& client : clients_) {
    if (client.ended) continue;
    text += "; " + client.run.to_string() + (client.started ? "" : " (never started)");
    const auto seen = std::make_shared<std::string>(" (no answer)");
    shard_->view(organization_, client.run, false, [seen](const Result<engine::RunView>& view) {
      *seen = view.has_value() ? " " + std::string(to_text(view->phase)) + ": " + view->waiting_reason : " " + view.error().message;
    });
    if (!loads_.empty()) load_one();
    text += *seen;
  }
  return text + "; now " + to_rfc3339(clock_.now());
}

bool World::over() const {
  for (const auto& client : clients_) {
    if (!client.ended) return false;
  }
  return true;
}

void World::check(bool holds, const std::string& what) {
  if (!holds && result_.failure.empty()) result_.failure = what;
}

// ---- process life ---------------------------------------------------------------------------------------------------------------

void World::boot() {
  ++incarnation_;
  engine::EngineOptions options;
  options.compact_bytes = 400;
  options.max_effects_in_flight = 3;
  gate_ = std::make_unique<engine::ConcurrencyGate>();
  shard_ = std::make_unique<engine::Shard>(engine::Shard::Dependencies{*this, functions_, plans_, clock_, random_, *gate_, lifecycle_, {}},
                                           options, 0, 1);
  for (const auto& [run, place] : disk_.places()) {
    gate_->restore(run, {organization_, place.key, place.limit, place.priority}, place.admitted);
  }
  for (auto& run : disk_.residents()) shard_->recover(std::move(run));
  shard_->resume_recovered();
  for (const auto& run : gate_->fill()) jobs_.emplace_back([run](engine::Shard& shard) { shard.let_in(run); });
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    auto& client = clients_[i];
    if (client.run.is_nil() || client.ended) continue;
    const auto stored = disk_.load(client.run);
    if (std::holds_alternative<std::monostate>(stored)) {
      check(!client.started, "an acknowledged run survives a crash");
      client = {};  // never acknowledged: its client starts it again
    } else {
      client.started = true;
      client.ended = std::holds_alternative<engine::FinishedRun>(stored);
      client.suspended = client.suspended && !client.ended;
    }
  }
  wake();
}

void World::crash() {
  ++result_.crashes;
  if (options_.trace) std::printf("  crash %u\n", result_.crashes);
  // A commit under way may have reached the platter without anybody being told.
  if (dice_.chance(50)) {
    disk_.sync(1 + dice_.below(2));
    look_at_durable_ends();
    look_at_places();
  }
  disk_.crash();
  shard_.reset();
  answers_.clear();
  loads_.clear();
  publications_.clear();
  jobs_.clear();
  clock_.set(clock_.now() + Millis(dice_.below(2000)));
  boot();
}

void World::step() {
  if (result_.crashes < options_.max_crashes && dice_.below(1000) < 15) return crash();
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    if (clients_[i].run.is_nil() && dice_.chance(20)) return start_client(i);
    if (dice_.below(1000) < (clients_[i].suspended ? 50U : 5U)) return bother(i);
  }
  switch (dice_.below(6)) {
    case 0:
    case 1:
      if (awake_) {
        awake_ = false;
        shard_->tick();
        return shard_->turn();
      }
      break;
    case 2:
      if (disk_.has_pending()) return sync();
      break;
    case 3:
      if (!answers_.empty()) return answer_one();
      break;
    case 4:
      if (!jobs_.empty()) return work_one();
      if (!loads_.empty()) return load_one();
      if (!publications_.empty()) return publish_one();
      break;
    default:
      if (dice_.chance(3)) return ping();
      if (dice_.chance(10) ||
          (!awake_ && !disk_.has_pending() && answers_.empty() && loads_.empty() && publications_.empty() && jobs_.empty())) {
        pass_time();
      }
      break;
  }
}

void World::sync() {
  const auto number = disk_.sync(1 + dice_.below(2));
  look_at_durable_ends();
  look_at_places();
  shard_->durable(number);
}

void World::answer_one() {
  const auto chosen = dice_.below(static_cast<std::uint32_t>(answers_.size()));
  auto answer = std::move(answers_[chosen]);
  answers_.erase(answers_.begin() + chosen);
  if (answer.due > clock_.now()) clock_.set(answer.due);
  shard_->effect_ended(answer.run, answer.effect, std::move(answer.outcome));
}

void World::load_one() {
  const auto run = loads_.front();
  loads_.pop_front();
  shard_->loaded(run, disk_.load(run));
}

void World::work_one() {
  const auto job = std::move(jobs_.front());
  jobs_.pop_front();
  job(*shard_);
}

/// Places are given back when the end is durable, and taken durably after that: so at no moment may more runs hold one than the key allows,
/// crash or not.
void World::look_at_places() {
  std::uint32_t held = 0;
  for (const auto& [run, place] : disk_.places()) held += place.admitted ? 1U : 0U;
  check(held <= kPlaces, "no more runs of one concurrency key are active than it allows");
}

void World::publish_one() {
  auto publication = std::move(publications_.front());
  publications_.pop_front();
  const auto sleepers = disk_.listeners(std::string(publication.event.get("type").as_string()));
  const auto left = std::make_shared<std::size_t>(1 + sleepers.size());
  const auto arrive = [left, done = std::move(publication.done)] {
    if (--*left == 0) done({});
  };
  shard_->deliver_to_listeners(publication.organization, publication.event, arrive);
  for (const auto& run : sleepers) shard_->deliver(publication.organization, run, publication.event, [arrive](Result<void>) { arrive(); });
}

void World::ping() {
  auto event = json::Value::object({{"specversion", "1.0"},
                                    {"type", "ping"},
                                    {"source", "https://example.com/outside"},
                                    {"id", std::to_string(++pings_)},
                                    {"data", pings_}});
  publications_.push_back({organization_, std::move(event), [](Result<void>) {}});
}

void World::pass_time() {
  auto next = clock_.now() + Millis(1000);
  if (const auto due = shard_->next_due()) next = std::min(next, std::max(*due, clock_.now()));
  clock_.set(next);
  for (const auto& [run, due] : disk_.sleepers()) {
    if (due <= next + kNoticeAhead) shard_->wake_at(run, due);
  }
  wake();
}

// ---- clients ----------------------------------------------------------------------------------------------------------------------

void World::start_client(std::size_t index) {
  engine::StartRequest request;
  request.plan = plans_.parent();
  request.organization = organization_;
  request.workflow = plans_.parent_id();
  request.input = json::Value::object({{"client", static_cast<std::int64_t>(index)}});
  if (index > 0) request.concurrency = engine::Concurrency{"shared", kPlaces, engine::Concurrency::Policy::queue};
  request.priority = static_cast<std::int32_t>(index % 2);
  const auto id = shard_->make_id();
  clients_[index].run = id;
  shard_->start(
      id, std::move(request),
      [this, index, id](Result<RunId> started) {
        check(started.has_value(), "a start is accepted");
        check(!std::holds_alternative<std::monostate>(disk_.load(id)), "what is acknowledged is durable");
        clients_[index].started = true;
      },
      [this, index, id](const engine::RunView& view) {
        check(disk_.finished().contains(id), "an end that is told is durable");
        check(engine::is_final(view.phase), "a run ends in a final phase");
        clients_[index].ended = true;
      });
}

/// Suspends a run now and then, and resumes it soon; looks whether a run has ended where nobody told (after a crash).
void World::bother(std::size_t index) {
  auto& client = clients_[index];
  if (!client.started || client.ended) {
    client.suspended = false;
    return;
  }
  if (disk_.finished().contains(client.run)) {
    client.ended = true;
    return;
  }
  const auto done = [](Result<void>) {};
  if (!client.suspended && dice_.chance(30)) {
    client.suspended = true;
    return shard_->suspend(organization_, client.run, done);
  }
  if (client.suspended && dice_.chance(20)) {
    client.suspended = false;
    return shard_->resume(organization_, client.run, done);
  }
  shard_->view(organization_, client.run, true, [this, index](const Result<engine::RunView>& view) {
    check(view.has_value(), "an acknowledged run can be looked at");
    if (view.has_value() && engine::is_final(view->phase)) {
      check(disk_.finished().contains(view->id), "an end that is shown is durable");
      clients_[index].ended = true;
    }
  });
}

// ---- functions ------------------------------------------------------------------------------------------------------------------

std::optional<Outcome> World::start_function(engine::Function& /*function*/, engine::Invocation call, engine::EffectId effect,
                                             engine::Cancel& /*cancel*/) {
  const auto step = engine::idempotency_key(call.run, call.step);
  const auto begun = ++begun_[step];
  steps_[{call.run, effect}] = step;
  check(!ended_.contains(step), "a step whose end is durable does not run again: " + step);
  if (!call.idempotency_key.empty()) {
    check(call.idempotency_key == step, "a repeated call has the same key");
    check(disk_.open().contains(call.run), "a step that writes begins after what it follows from is durable: " + step);
    const auto machine = durable_machine(call.run);
    const bool is_once = machine && machine->has_begun(effect);
    if (begun > 1) {
      check(!is_once, "a `once` step begins but once: " + step);
      ++result_.repeated_idempotent;
    }
    check(call.arguments.get("effect") != json::Value("once") || is_once, "a `once` step begins after the record of that is durable");
  }
  const auto failures = call.arguments.get("failures").as_integer();
  auto outcome = call.step.attempt <= failures
                     ? Outcome::failure(engine::make_error("communication", 503, "Busy", "attempt " + std::to_string(call.step.attempt)))
                     : Outcome::success(json::Value::object({{"did", call.arguments.get("name")}, {"attempt", call.step.attempt}}));
  if (call.arguments.get("inline").truthy()) return outcome;
  answers_.push_back({clock_.now() + Millis(dice_.below(50)), call.run, effect, std::move(outcome)});
  return std::nullopt;
}

/// The run as a crash at this moment would leave it.
std::optional<engine::Machine> World::durable_machine(const RunId& run) const {
  const auto stored = disk_.load(run);
  const auto* open = std::get_if<engine::OpenRun>(&stored);
  if (open == nullptr) return std::nullopt;
  engine::RunInfo info;
  info.id = run;
  info.workflow_id = open->identity.workflow;
  info.created_at = open->identity.created_at;
  info.secrets = json::Value::object();
  const auto plan = plans_.plan(open->identity.workflow, 1).value();
  auto at = info.created_at;
  std::optional<engine::Machine> machine;
  if (open->snapshot.empty()) {
    machine.emplace(plan, info);
  } else {
    const auto snapshot = engine::decode_snapshot(open->snapshot).value();
    at = snapshot.at;
    machine.emplace(engine::Machine::restore(plan, info, snapshot.data).value());
  }
  engine::Decoder in(open->events);
  std::vector<engine::Action> ignored;
  while (!in.at_end()) machine->apply(in.event(at), ignored);
  return machine;
}

/// Steps whose end has become durable.
void World::look_at_durable_ends() {
  for (const auto& [id, open] : disk_.open()) {
    for (const auto& event : disk_.durable_events(id)) {
      std::optional<engine::EffectId> effect;
      if (const auto* succeeded = std::get_if<engine::EffectSucceeded>(&event.body)) effect = succeeded->effect;
      if (const auto* failed = std::get_if<engine::EffectFailed>(&event.body)) effect = failed->effect;
      if (!effect) continue;
      if (const auto step = steps_.find({id, *effect}); step != steps_.end()) ended_.insert(step->second);
    }
    if (!open.resident) ++result_.slept;
  }
}

WorldResult World::result() {
  for (const auto& client : clients_) {
    WorldResult::Run run;
    if (const auto found = disk_.finished().find(client.run); found != disk_.finished().end()) {
      run.phase = found->second.phase;
      run.result = found->second.history.result;
      const auto& history = found->second.history;
      auto text = history.events;
      if (!history.snapshot.empty()) json::append_text(text, engine::decode_snapshot(history.snapshot).value().data);
      run.outcome_unknown = text.find("Outcome unknown") != std::string::npos;
    }
    result_.runs.push_back(std::move(run));
  }
  return std::move(result_);
}

}  // namespace pawl::simulation
