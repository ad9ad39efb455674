// Applying what a person approved, once; and how the run of it ended.
#include <fmt/format.h>

#include <algorithm>

#include "agents/detail/healing_impl.hpp"
#include "catalog/destroy_right.hpp"
#include "engine/approval.hpp"
#include "engine/machine/machine.hpp"
#include "json/parse.hpp"

namespace pawl::agents {

using detail::text_of;
using engine::Outcome;
using engine::Phase;
using engine::RunView;

namespace {

Outcome refused(int status, std::string_view title, const std::string& detail) {
  return Outcome::failure(
      json::Value::object({{"type", "https://pawl.dev/errors/remedy"}, {"status", status}, {"title", title}, {"detail", detail}}));
}

/// Says nothing about the remedy: what is tried later may go well.
bool is_passing(const Error& error) {
  return error.kind == ErrorClass::unavailable || error.kind == ErrorClass::timeout || error.kind == ErrorClass::limited ||
         error.kind == ErrorClass::internal;
}

/// One remedy on its way from the approval to what it starts. Each step may be done again after a crash: none does anything twice.
class Applying : public std::enable_shared_from_this<Applying> {
 public:
  Applying(std::shared_ptr<Healing::Impl> healing, Remedy remedy, Consent consent, bool is_first, engine::Done done)
      : healing_(std::move(healing)),
        d_(healing_->d),
        remedy_(std::move(remedy)),
        consent_(std::move(consent)),
        is_first_(is_first),
        done_(std::move(done)),
        tending_(healing_, remedy_.id) {}

  void begin() {
    // What comes of it is done by whoever approved it, and may destroy where that one may; the installation's own key may everywhere.
    if (!consent_.by.is_nil()) {
      requester_.set("user", consent_.by.to_string());
      const auto may = catalog::may_destroy(d_.database, remedy_.organization, consent_.by);
      if (may.has_error()) return give_up(may.error());
      if (!*may) requester_.set("may_destroy", false);
    }
    if (remedy_.kind == "retry") return retry();
    auto workflow = d_.catalog.get(remedy_.organization, remedy_.workflow);
    if (workflow.has_error()) return give_up(workflow.error());
    if (!workflow->active) return give_up("The workflow is switched off.");
    const auto base = static_cast<std::uint32_t>(remedy_.proposal.get("base_version").as_integer());
    if (remedy_.kind == "new_version") {
      const auto text = text_of(remedy_.proposal, "document");
      const bool is_made = !is_first_ && workflow->version == base + 1 && workflow->definition.text == text;
      if (!is_made) {
        catalog::Changes changes;
        changes.definition = catalog::Definition{.text = text};
        changes.change_summary =
            fmt::format("Remedy {}: {}", remedy_.id.to_string(), text_of(remedy_.proposal, "root_cause")).substr(0, 500);
        changes.author = consent_.by;
        changes.expected_version = base;
        auto updated = d_.catalog.update(remedy_.organization, remedy_.workflow, std::move(changes));
        if (updated.has_error()) return give_up(updated.error());
        workflow = std::move(updated);
      }
      new_version_ = workflow->version;
    } else if (workflow->version != base) {
      return give_up(fmt::format("The workflow has version {} by now; the remedy was made for version {}.", workflow->version, base));
    }
    start(workflow->version);
  }

 private:
  void start(std::uint32_t version) {
    const auto executable = d_.catalog.executable(remedy_.organization, remedy_.workflow, version);
    if (executable.has_error()) return give_up(executable.error());
    // The input that is used again is that of the failed run.
    d_.engine.view(remedy_.organization, remedy_.run, false, [self = shared_from_this(), executable = *executable](Result<RunView> failed) {
      if (failed.has_error()) return self->off_shard([self, why = failed.error()] { self->give_up(why); });
      self->start_unless_there(executable, *failed);
    });
  }

  void start_unless_there(const catalog::ExecutablePtr& executable, const RunView& failed) {
    engine::StartRequest request;
    request.plan = executable->plan;
    request.organization = remedy_.organization;
    request.workflow = executable->id;
    request.version = executable->version;
    request.input = remedy_.proposal.get("input").is_null() ? failed.input : remedy_.proposal.get("input");
    request.trigger = json::Value::object({{"type", "remedy"}, {"remedy", remedy_.id.to_string()}, {"run_id", remedy_.run.to_string()}});
    if (!consent_.by.is_nil()) request.trigger.set("user", consent_.by.to_string());
    engine::set_right(request.trigger, requester_);
    if (d_.secrets) request.secrets = d_.secrets(remedy_.organization, *executable->plan);
    request.id = remedy_.result_run;
    d_.engine.view(remedy_.organization, remedy_.result_run, false,
                   [self = shared_from_this(), request = std::move(request)](const Result<RunView>& there) mutable {
                     if (there.has_value()) return self->started(there->phase, there->ended_at);
                     self->healing_->watch(self->remedy_.result_run);
                     self->d_.engine.start_run(std::move(request),
                                               [self](const Result<RunId>& started) {
                                                 if (started.has_error())
                                                   return self->off_shard([self, why = started.error()] { self->give_up(why); });
                                                 self->started(Phase::running, {});
                                               },
                                               {});
                   });
  }

  void retry() {
    d_.engine.view(remedy_.organization, remedy_.run, false, [self = shared_from_this()](const Result<RunView>& run) {
      if (run.has_error()) return self->off_shard([self, why = run.error()] { self->give_up(why); });
      // It is for this very end: where the run has gone on since, it was retried already, by this remedy before a crash or by somebody
      // else.
      const auto failed_at = parse_rfc3339(text_of(self->remedy_.proposal, "failed_at"));
      const bool is_same_end = run->phase == Phase::faulted && run->ended_at == failed_at;
      if (!is_same_end && self->is_first_) {
        return self->off_shard([self] { self->give_up("The run has gone on since the remedy was proposed."); });
      }
      if (!is_same_end) return self->started(run->phase, run->ended_at);
      engine::RetryRequested request;
      request.from = text_of(self->remedy_.proposal, "from");
      if (!self->remedy_.proposal.get("input").is_null()) request.input = self->remedy_.proposal.get("input");
      self->healing_->watch(self->remedy_.run);
      const auto retried = [self](const Result<void>& taken) {
        if (taken.has_error()) return self->off_shard([self, why = taken.error()] { self->give_up(why); });
        self->started(Phase::running, {});
      };
      self->d_.engine.retry(self->remedy_.organization, self->remedy_.run, std::move(request), retried, self->requester_);
    });
  }

  /// Answers come on shard threads, which must not wait for the database.
  void off_shard(std::function<void()> job) {
    if (!d_.pool.try_post(std::move(job))) done_(refused(503, "Busy", "The server is busy; try again."));
  }

  void started(Phase phase, std::optional<TimePoint> ended_at) {
    off_shard([self = shared_from_this(), phase, ended_at] {
      const auto& remedy = self->remedy_;
      if (const auto kept = self->healing_->remedies.applied(remedy, self->new_version_, actor_of(self->consent_), self->d_.clock.now());
          kept.has_error()) {
        return self->done_(refused(503, "Not recorded", kept.error().message));
      }
      if (engine::is_final(phase)) {
        self->healing_->record_end(remedy.result_run, phase == Phase::completed, ended_at.value_or(self->d_.clock.now()));
      } else {
        self->healing_->watch(remedy.result_run);
      }
      self->done_(
          Outcome::success(json::Value::object({{"status", "applied"},
                                                {"remedy", remedy.id.to_string()},
                                                {"kind", remedy.kind},
                                                {"run_id", remedy.result_run.to_string()},
                                                {"version", self->new_version_ ? json::Value(*self->new_version_) : json::Value()}})));
    });
  }

  /// What passes by itself leaves it as it is: the run that asked tries again.
  void give_up(const Error& error) {
    if (is_passing(error)) return done_(refused(503, "Not applied yet", error.message));
    give_up(error.message);
  }

  void give_up(const std::string& why) {
    if (const auto kept = healing_->remedies.failed(remedy_, why, new_version_, actor_of(consent_)); kept.has_error()) {
      return done_(refused(503, "Not recorded", kept.error().message));
    }
    done_(refused(409, "The remedy could not be applied", why));
  }

  const std::shared_ptr<Healing::Impl> healing_;
  Healing::Dependencies& d_;
  const Remedy remedy_;
  const Consent consent_;
  const bool is_first_;                                                ///< no process began with it before
  json::Value requester_ = json::Value::object({{"type", "manual"}});  ///< for whom the runs are started and retried, and what they may
  engine::Done done_;
  std::optional<std::uint32_t> new_version_;
  const Healing::Impl::Tending tending_;
};

class ApplyRemedy final : public engine::Function {
 public:
  explicit ApplyRemedy(std::function<Healing*()> healing, std::function<void(Healing&, engine::Invocation, engine::Done)> settle)
      : healing_(std::move(healing)), settle_(std::move(settle)) {
    info_.name = std::string(kApplyRemedy);
    info_.summary = "Applies a remedy that a person has approved; only in the run that asked for the approval";
    info_.parameters = *json::parse(R"({
      "type": "object",
      "properties": {
        "remedy": {"type": "string", "description": "id of the remedy"},
        "approved": {"type": "boolean", "description": "how the question was decided"}
      },
      "required": ["remedy", "approved"],
      "additionalProperties": false
    })");
    info_.output = *json::parse(R"({
      "type": "object",
      "properties": {
        "status": {"type": "string", "enum": ["applied", "rejected"]},
        "remedy": {"type": "string"},
        "kind": {"type": "string"},
        "run_id": {"type": "string", "description": "whose end says whether it worked"},
        "version": {"description": "that was made, if any"}
      }
    })");
    info_.examples = json::Value::array();
    info_.needs = {engine::Need::people, engine::Need::workflows};
  }

  // engine::Function
  [[nodiscard]] const Info& info() const override { return info_; }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override {
    return engine::EffectClass::idempotent;
  }
  [[nodiscard]] Result<json::Value> plan(const engine::Invocation& call) const override {
    return json::Value::array({json::Value::object({{"action", "apply remedy"}, {"remedy", call.arguments.get("remedy")}})});
  }
  [[nodiscard]] engine::Cancel start(engine::Invocation call, engine::Done done) override {
    if (call.dry_run) {
      auto steps = plan(call);
      done(Outcome::planned(std::move(*steps)));
      return {};
    }
    if (auto* healing = healing_(); healing != nullptr) {
      settle_(*healing, std::move(call), std::move(done));
    } else {
      done(refused(503, "Not here", "This process applies no remedies."));
    }
    return {};
  }

 private:
  std::function<Healing*()> healing_;
  std::function<void(Healing&, engine::Invocation, engine::Done)> settle_;
  Info info_;
};

/// What the registry holds: `behind` finds it, whatever was put around the function itself.
class Outermost final : public engine::Function {
 public:
  Outermost(std::function<Healing*()> healing, std::unique_ptr<engine::Function> function)
      : healing_(std::move(healing)), function_(std::move(function)) {}

  [[nodiscard]] Healing* healing() const { return healing_(); }

  // engine::Function
  [[nodiscard]] const Info& info() const override { return function_->info(); }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override { return function_->effect_class(arguments); }
  [[nodiscard]] bool destroys(const json::Value& arguments) const override { return function_->destroys(arguments); }
  [[nodiscard]] Result<json::Value> plan(const engine::Invocation& call) const override { return function_->plan(call); }
  [[nodiscard]] engine::Cancel start(engine::Invocation call, engine::Done done) override {
    return function_->start(std::move(call), std::move(done));
  }

 private:
  const std::function<Healing*()> healing_;
  const std::unique_ptr<engine::Function> function_;
};

}  // namespace

void Healing::Impl::settle(const engine::Invocation& call, engine::Done done) {
  const auto id = RemedyId::parse(text_of(call.arguments, "remedy"));
  auto remedy = id ? remedies.get(call.organization, *id)
                   : Result<Remedy>(Error(ErrorClass::not_found, "remedy.not_found", "There is no such remedy."));
  if (remedy.has_error())
    return done(refused(remedy.error().kind == ErrorClass::not_found ? 404 : 503, "No remedy", remedy.error().message));
  if (remedy->healing_run != call.run)
    return done(refused(403, "Not its run", "A remedy is applied only by the run that asked for its approval."));
  if (!call.arguments.get("approved").truthy()) {
    const auto moved = remedies.move(call.organization, *id, "proposed", "rejected");
    if (moved.has_error()) return done(refused(503, "Not recorded", moved.error().message));
    return done(Outcome::success(json::Value::object({{"status", "rejected"}, {"remedy", id->to_string()}})));
  }
  const auto consent = remedies.consent(call.organization, call.run);
  if (consent.has_error()) return done(refused(503, "Not readable", consent.error().message));
  if (!*consent || (*consent)->proposal_digest != detail::digest_of(remedy->proposal)) {
    return done(refused(403, "Not approved", "Nobody has approved this very proposal."));
  }
  if (!(*consent)->by.is_nil() || (*consent)->is_erased) {
    const auto may = remedies.may_write(call.organization, (*consent)->by);  // nobody has the nil id
    if (may.has_error()) return done(refused(503, "Not readable", may.error().message));
    if (!*may) {
      const std::string why = "Whoever approved it may not change workflows any more.";
      if (const auto kept = remedies.failed(*remedy, why); kept.has_error())
        return done(refused(503, "Not recorded", kept.error().message));
      return done(refused(403, "Not approved", why));
    }
  }
  const auto moved = remedies.begin_applying(*remedy);
  if (moved.has_error()) return done(refused(503, "Not recorded", moved.error().message));
  if (!*moved && remedy->status == "proposed") {
    const std::string why = "Another remedy was applied for this run.";
    if (const auto kept = remedies.failed(*remedy, why); kept.has_error()) return done(refused(503, "Not recorded", kept.error().message));
    return done(refused(409, "Closed", why));
  }
  if (!*moved && remedy->status != "applying" && remedy->status != "applied")
    return done(refused(409, "Closed", fmt::format("The remedy is {} already.", remedy->status)));
  std::make_shared<Applying>(shared_from_this(), std::move(*remedy), **consent, *moved, std::move(done))->begin();
}

void Healing::Impl::watch(const RunId& run) {
  const std::lock_guard lock(mutex);
  watched.insert(run);
}

void Healing::Impl::record_end(const RunId& run, bool worked, TimePoint at) {
  {
    const std::lock_guard lock(mutex);
    watched.erase(run);
  }
  // Where it cannot be written now, the next start looks again.
  static_cast<void>(remedies.ended(run, worked, at));
}

void Healing::Impl::watch_asking(const Remedy& remedy) {
  const std::lock_guard lock(mutex);
  asking.insert_or_assign(remedy.healing_run, std::pair(remedy.organization, remedy.id));
}

bool Healing::Impl::is_tended(const Remedy& remedy) const {
  const std::lock_guard lock(mutex);
  return tended.contains(remedy.id) || (remedy.status != "drafting" && asking.contains(remedy.healing_run));
}

void Healing::Impl::asking_ended(const RunId& run) {
  std::optional<std::pair<OrganizationId, RemedyId>> whose;
  {
    const std::lock_guard lock(mutex);
    const auto found = asking.find(run);
    if (found == asking.end()) return;
    whose = found->second;
    asking.erase(found);
  }
  // Where there is no place for it, whoever asks for the next remedy of the run settles this one, or the next start.
  static_cast<void>(d.pool.try_post([self = shared_from_this(), whose = *whose] {
    self->settle_left(whose.first, whose.second, "The run that asked for approval ended before it was decided.");
  }));
}

void Healing::Impl::settle_left(const OrganizationId& organization, const RemedyId& id, std::string_view why) {
  static_cast<void>(remedies.release(id));
  auto found = remedies.get(organization, id);
  if (found.has_error() || is_tended(*found)) return;
  if (found->status == "proposed") return static_cast<void>(remedies.failed(*found, why));
  if (found->status != "applying") return;
  if (found->kind == "retry") return static_cast<void>(remedies.failed(*found, "The run that applies it ended before it was done."));
  d.engine.view(organization, found->result_run, false, [self = shared_from_this(), remedy = *found](const Result<RunView>& view) {
    if (view.has_error() && is_passing(view.error())) return;
    std::optional<std::uint32_t> version;
    if (view.has_value() && remedy.kind == "new_version") version = view->version;
    static_cast<void>(
        self->d.pool.try_post([self, remedy, version, is_there = view.has_value(), phase = view.has_value() ? view->phase : Phase::faulted,
                               at = view.has_value() ? view->ended_at : std::optional<TimePoint>()] {
          if (!is_there) {
            static_cast<void>(self->remedies.failed(remedy, "The run that applies it ended before it was done."));
            return;
          }
          const auto consent = self->remedies.consent(remedy.organization, remedy.healing_run);
          const auto by = consent.has_value() && *consent ? actor_of(**consent) : audit::Actor::anonymous();
          if (self->remedies.applied(remedy, version, by, self->d.clock.now()).has_error()) return;
          if (engine::is_final(phase))
            return self->record_end(remedy.result_run, phase == Phase::completed, at.value_or(self->d.clock.now()));
          self->watch(remedy.result_run);
        }));
  });
}

Healing::Impl::Tending::Tending(std::shared_ptr<Impl> healing, const RemedyId& id) : healing_(std::move(healing)), id_(id) {
  const std::lock_guard lock(healing_->mutex);
  healing_->tended.insert(id_);
}

Healing::Impl::Tending::~Tending() {
  const std::lock_guard lock(healing_->mutex);
  healing_->tended.erase(healing_->tended.find(id_));
}

bool Healing::wants(const OrganizationId& /*organization*/) const {
  const std::lock_guard lock(impl_->mutex);
  return !impl_->watched.empty() || !impl_->asking.empty();
}

void Healing::changed(const engine::RunNotice& notice) {
  if (!notice.phase || !engine::is_final(*notice.phase)) return;
  impl_->asking_ended(notice.run);
  {
    const std::lock_guard lock(impl_->mutex);
    if (!impl_->watched.contains(notice.run)) return;
  }
  const bool worked = *notice.phase == Phase::completed;
  static_cast<void>(
      impl_->d.pool.try_post([impl = impl_, run = notice.run, worked] { impl->record_end(run, worked, impl->d.clock.now()); }));
}

Result<void> Healing::start() {
  PAWL_TRY_VOID(impl_->remedies.release_all());
  PAWL_TRY(unsettled, impl_->remedies.unsettled());
  for (const auto& remedy : unsettled) {
    impl_->watch_asking(remedy);
    impl_->d.engine.view(remedy.organization, remedy.healing_run, false,
                         [impl = impl_, run = remedy.healing_run](const Result<RunView>& view) {
                           const bool is_gone = view.has_error() && view.error().kind == ErrorClass::not_found;
                           if (is_gone || (view.has_value() && engine::is_final(view->phase))) impl->asking_ended(run);
                         });
  }
  PAWL_TRY(awaited, impl_->remedies.awaited());
  for (const auto& remedy : awaited) {
    impl_->watch(remedy.result_run);
    impl_->d.engine.view(remedy.organization, remedy.result_run, false, [impl = impl_](const Result<RunView>& view) {
      if (view.has_error() || !engine::is_final(view->phase)) return;
      const auto at = view->ended_at.value_or(impl->d.clock.now());
      static_cast<void>(impl->d.pool.try_post(
          [impl, run = view->id, worked = view->phase == Phase::completed, at] { impl->record_end(run, worked, at); }));
    });
  }
  return {};
}

Healing* Healing::behind(const engine::FunctionRegistry& functions) {
  const auto* function = dynamic_cast<const Outermost*>(functions.get(kApplyRemedy));
  return function == nullptr ? nullptr : function->healing();
}

std::unique_ptr<engine::Function> Healing::make_function(std::function<Healing*()> healing, const Around& around) {
  auto settle = [](Healing& self, engine::Invocation call, engine::Done done) {
    const auto shared = std::make_shared<engine::Done>(std::move(done));
    const bool taken =
        self.impl_->d.pool.try_post([impl = self.impl_, call = std::move(call), shared] { impl->settle(call, std::move(*shared)); });
    if (!taken) (*shared)(refused(503, "Busy", "The server is busy; try again."));
  };
  std::unique_ptr<engine::Function> function = std::make_unique<ApplyRemedy>(healing, std::move(settle));
  if (around) function = around(std::move(function));
  return std::make_unique<Outermost>(std::move(healing), std::move(function));
}

}  // namespace pawl::agents
