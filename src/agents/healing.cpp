#include "agents/healing.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "agents/detail/healing_impl.hpp"
#include "agents/error_kind.hpp"
#include "agents/safeguards.hpp"
#include "base/assert.hpp"
#include "catalog/version_diff.hpp"
#include "crypto/crypto.hpp"
#include "crypto/encoding.hpp"
#include "engine/capabilities.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::agents {

using detail::text_of;
using engine::RunView;

namespace {

constexpr std::size_t kMostHistory = 50;
constexpr std::size_t kMostShownTasks = 100;

// The approval's arguments come with the run's input, so this one document serves all.
constexpr std::string_view kHealingDocument = R"(document:
  dsl: '1.0.3'
  namespace: pawl
  name: self-healing
  version: '1.0.0'
  title: Remedy for a failed run
do:
  - decide:
      call: approval
      with:
        title: '${ $workflow.input.title }'
        message: '${ $workflow.input.message }'
        data: '${ $workflow.input.shown }'
        approvers: '${ $workflow.input.approvers }'
        exclude_starter: '${ $workflow.input.exclude_starter }'
        deadline: P7D
        on_deadline: reject
  - settle:
      try:
        - apply:
            call: apply-remedy
            with:
              remedy: '${ $workflow.input.remedy }'
              approved: '${ .approved }'
      catch:
        errors: {with: {status: 503}}
        retry:
          delay: {seconds: 1}
          backoff: {exponential: {}}
          limit: {attempt: {count: 12}}
)";

constexpr std::string_view kAnswer = R"({
  "type": "object",
  "properties": {
    "kind": {"enum": ["retry", "rerun", "new_version", "none"]},
    "root_cause": {"type": "string"},
    "explanation": {"type": "string"},
    "confidence": {"enum": ["high", "medium", "low"]},
    "from": {"type": ["string", "null"]},
    "input": {},
    "document": {"type": ["string", "null"]}
  },
  "required": ["kind", "root_cause", "explanation", "confidence", "from", "input", "document"],
  "additionalProperties": false
})";

json::Value answer_schema() {
  auto schema = json::parse(kAnswer);
  PAWL_ASSERT(schema.has_value(), "a literal is JSON");
  return std::move(*schema);
}

Finding finding(std::string pointer, std::string message) {
  Finding result;
  result.pointer = std::move(pointer);
  result.message = std::move(message);
  result.rule = "remedy";
  return result;
}

Findings errors_of(Findings findings) {
  std::erase_if(findings, [](const Finding& item) { return item.severity != Severity::error; });
  return findings;
}

/// As `diff -u` writes it, without the names.
std::string unified_diff(std::string_view before, std::string_view after) {
  std::string text;
  for (const auto& hunk : catalog::diff_lines(before, after)) {
    text += fmt::format("@@ -{},{} +{},{} @@\n", hunk.old_start, hunk.old_count, hunk.new_start, hunk.new_count);
    for (const auto& line : hunk.lines) {
      using Kind = catalog::DiffLine::Kind;
      text += line.kind == Kind::added ? '+' : line.kind == Kind::removed ? '-' : ' ';
      text += line.text;
      text += '\n';
    }
  }
  return text;
}

/// One proposal on its way: facts, answer, dry run, row, run.
class Proposing : public std::enable_shared_from_this<Proposing> {
 public:
  Proposing(std::shared_ptr<Healing::Impl> healing, models::Asker asker, HealingWish wish, Healing::Done done)
      : healing_(std::move(healing)), d_(healing_->d), asker_(std::move(asker)), wish_(std::move(wish)), done_(std::move(done)) {}

  void begin() {
    d_.engine.view(asker_.organization, wish_.run, true, [self = shared_from_this()](Result<RunView> view) {
      if (view.has_error()) return self->done_(view.error());
      if (view->phase != engine::Phase::faulted || view->dry_run) {
        return self->done_(Error(ErrorClass::conflict, "run.not_failed", "The run has not failed."));
      }
      self->run_ = std::move(*view);
      self->on_pool([self] { self->gather(); });
    });
  }

 private:
  void on_pool(std::function<void()> job) {
    // A draft that stays is void: nobody tends it.
    if (!d_.pool.try_post(std::move(job))) done_(Error(ErrorClass::unavailable, "server.busy", "The server is busy; try again."));
  }

  // ---- on the pool ----

  void gather() {
    remedy_.id = RemedyId::make(d_.clock.now(), d_.random);
    remedy_.organization = asker_.organization;
    remedy_.workflow = run_.workflow;
    remedy_.workflow_name = run_.workflow_name;
    remedy_.run = run_.id;
    remedy_.version = run_.version;
    remedy_.error_kind = error_kind(run_.error);
    remedy_.created_at = d_.clock.now();
    if (const auto reserved = reserve(); reserved.has_error()) return done_(reserved.error());
    auto workflow = d_.catalog.get(asker_.organization, run_.workflow);
    if (workflow.has_value()) workflow_ = std::move(*workflow);
    auto experience = healing_->remedies.experience(asker_.organization, run_.workflow, remedy_.error_kind);
    if (experience.has_error()) return fail(experience.error());
    experience_ = std::move(*experience);
    if (!wish_.fresh && recall()) return;
    ask_model();
  }

  /// From here on nobody else proposes a remedy for this run, until this one is released or settled.
  [[nodiscard]] Result<void> reserve() {
    tending_ = std::make_unique<Healing::Impl::Tending>(healing_, remedy_.id);
    for (bool is_first = true;; is_first = false) {
      PAWL_TRY(holder, healing_->remedies.reserve(remedy_));
      if (!holder) return {};
      if (is_first && !healing_->is_tended(*holder)) {
        healing_->settle_left(holder->organization, holder->id, "Its question was never decided.");
        continue;
      }
      return Error(ErrorClass::conflict, "remedy.open",
                   holder->status == "drafting"
                       ? std::string("A remedy for this run is being looked for.")
                       : fmt::format("A person is asked about this run already: remedy {}.", holder->id.to_string()));
    }
  }

  /// The run that was to ask is not there.
  void not_asked() {
    tending_.reset();
    healing_->asking_ended(remedy_.healing_run);
  }

  /// The end of a proposal that comes to nothing.
  void fail(const Error& error) { finish(error); }

  void finish(Result<Proposed> result) {
    auto shared = std::make_shared<Result<Proposed>>(std::move(result));
    const bool taken = d_.pool.try_post([self = shared_from_this(), shared] {
      // Where it stays, whoever comes next finds that nobody tends it.
      static_cast<void>(self->healing_->remedies.release(self->remedy_.id));
      self->done_(std::move(*shared));
    });
    if (!taken) done_(std::move(*shared));
  }

  /// What worked before and can be done again as it was. False: there is nothing like that.
  bool recall() {
    for (const auto& known : experience_.best) {
      const bool is_same_retry = known.kind == "retry" && known.proposal.get("input").is_null() && known.proposal.get("from").is_null();
      const bool is_mended =
          known.kind != "retry" && known.new_version.value_or(0) > run_.version && workflow_ && workflow_->version >= *known.new_version;
      if (!is_same_retry && !is_mended) continue;
      remedy_.source = "learned";
      auto answer = known.proposal;
      answer.set("kind", is_same_retry ? "retry" : "rerun");
      answer.set("input", json::Value());
      answer.set("document", json::Value());
      answer.set("explanation", fmt::format("This worked for the same kind of error before ({} of {} times).", experience_.worked,
                                            experience_.worked + experience_.failed));
      const auto told = [self = shared_from_this(), answer](Findings findings) {
        // What does not come through its dry run any more is left to the model.
        if (!findings.empty()) return self->on_pool([self] { self->ask_model(); });
        self->on_pool([self, answer] { self->keep(answer); });
      };
      look(answer, told);
      return true;
    }
    return false;
  }

  [[nodiscard]] json::Value facts() {
    auto history = json::Value::array();
    auto failed = json::Value();
    for (const auto& task : run_.tasks) {
      if (!task.record.error.is_null()) {
        failed = json::Value::object({{"task", task.name},
                                      {"reference", task.reference},
                                      {"type", task.type},
                                      {"error", task.record.error},
                                      {"input", task.record.input},
                                      {"attempt", task.record.attempt}});
      }
      if (history.size() < kMostHistory) {
        history.push_back(json::Value::object({{"task", task.name},
                                               {"reference", task.reference},
                                               {"type", task.type},
                                               {"status", engine::to_text(task.record.status)},
                                               {"output", task.record.output}}));
      }
    }
    auto worked = json::Value::array();
    for (const auto& known : experience_.best) {
      worked.push_back(json::Value::object({{"kind", known.kind},
                                            {"root_cause", known.proposal.get("root_cause")},
                                            {"explanation", known.proposal.get("explanation")},
                                            {"diff", known.proposal.get("diff")},
                                            {"input", known.proposal.get("input")}}));
    }
    return json::Value::object({{"workflow", run_.workflow_name},
                                {"error", run_.error},
                                {"failed_task", failed},
                                {"input", run_.input},
                                {"history", history},
                                {"worked_before", worked}});
  }

  /// The document as a model may see it, and what of it may not be saved again (`refused_`); null where there can be no new version of it,
  /// and why (`unseen_`).
  [[nodiscard]] json::Value visible_document() {
    if (!workflow_) return {};
    auto text = catalog::text_of(workflow_->definition);
    auto parsed = d_.catalog.check_stored(workflow_->definition);
    if (!parsed.ok()) {
      unseen_ = "the current version does not compile any more: " + errors_of(std::move(parsed.findings)).front().message;
      return {};
    }
    if (d_.hide((*parsed.value)->document) != (*parsed.value)->document || d_.hide(text) != json::Value(text)) {
      unseen_ = "the document holds secrets";
      return {};
    }
    current_ = *parsed.value;
    refused_ = errors_of(d_.catalog.check(workflow_->definition).findings);
    return text;
  }

  /// As the model is told it.
  [[nodiscard]] json::Value must_go() const {
    auto list = json::Value::array();
    for (const auto& item : refused_) list.push_back(json::Value::object({{"pointer", item.pointer}, {"message", item.message}}));
    return list;
  }

  /// Says of what the proposal took over that a new version must do without it. Its place may have changed.
  [[nodiscard]] Findings kept_from_before(Findings findings) const {
    for (auto& found : findings) {
      const auto is_same = [&](const Finding& old) { return old.rule == found.rule && old.message == found.message; };
      if (std::ranges::any_of(refused_, is_same)) found.message += " The current version was saved with it; no new one can be: it must go.";
    }
    return findings;
  }

  void ask_model() {
    remedy_.source = "model";
    models::Assistant::Work work;
    work.asker = asker_;
    work.prompt = models::prompt("heal");
    work.facts = d_.hide(facts());
    hides_input_ = work.facts.get("input") != run_.input;
    document_ = visible_document();
    work.facts.set("document", document_);
    work.facts.set("must_go", must_go());
    work.schema = answer_schema();
    work.check = [self = shared_from_this()](const json::Value& output, std::function<void(Findings)> told) {
      self->on_pool([self, output, told = std::move(told)] { self->look(output, told); });
    };
    const models::Assistant assistant(d_.models, d_.functions);
    assistant.run(std::move(work), [self = shared_from_this()](models::Assisted assisted) { self->answered(std::move(assisted)); });
  }

  void answered(models::Assisted assisted) {
    asked_ = std::make_shared<models::Assisted>(std::move(assisted));
    if (asked_->output.has_error()) {
      const auto& error = asked_->output.error();
      if (error.code != "llm.given_up") return fail(error);
      return nothing(asked_->draft);
    }
    if (asked_->output->get("kind") == json::Value("none")) return nothing(*asked_->output);
    on_pool([self = shared_from_this()] { self->keep(*self->asked_->output); });
  }

  void nothing(const json::Value& answer) {
    Proposed proposed;
    proposed.diagnosis = diagnosis(answer);
    proposed.assisted = std::move(*asked_);
    proposed.asked_model = true;
    finish(std::move(proposed));
  }

  [[nodiscard]] static json::Value diagnosis(const json::Value& answer) {
    return json::Value::object(
        {{"root_cause", answer.get("root_cause")}, {"explanation", answer.get("explanation")}, {"confidence", answer.get("confidence")}});
  }

  /// Whether the remedy can be: by the compiler, by what the run has, and by a dry run.
  void look(const json::Value& answer, const std::function<void(Findings)>& told) {
    const auto kind = text_of(answer, "kind");
    dry_run_ = json::Value();
    if (kind == "none") return told({});
    if (hides_input_ && !answer.get("input").is_null()) {
      return told({finding("/input", "the input holds secrets that you were not shown: it can only be used again as it is (null)")});
    }
    if (kind == "retry") return told(look_at_retry(answer));
    if (!workflow_) return told({finding("/kind", "the workflow does not exist any more: only a retry is possible")});
    if (!workflow_->active) return told({finding("/kind", "the workflow is switched off: only a retry is possible")});
    if (kind == "new_version" && !wish_.may_write) {
      return told({finding("/kind", "whoever asks may not change workflows: only a retry or a rerun is possible")});
    }
    Rehearsal::Part part{.input = answer.get("input").is_null() ? run_.input : answer.get("input"), .trigger = wish_.trigger};
    auto rehearsed = [self = shared_from_this(), told](Result<RunView> view) {
      if (view.has_error()) return told({finding("", "the dry run did not start: " + view.error().message)});
      self->dry_run_ = to_json(*view, kMostShownTasks);
      told(self->hidden(objections(*view)));
    };
    const Rehearsal rehearsal({d_.engine, d_.catalog, d_.pool, d_.secrets});
    if (kind == "rerun") {
      const auto executable = d_.catalog.executable(asker_.organization, run_.workflow);
      if (executable.has_error()) return told({finding("/kind", executable.error().message)});
      return rehearsal.of_workflow(**executable, std::move(part), std::move(rehearsed));
    }
    look_at_version(answer, rehearsal, std::move(part), told, std::move(rehearsed));
  }

  /// They go back to the model, and quote what the run handled.
  [[nodiscard]] Findings hidden(Findings findings) const {
    for (auto& found : findings) {
      const auto shown = d_.hide(json::Value(found.message));
      found.message = shown.is_string() ? std::string(shown.as_string()) : std::string("the dry run failed");
    }
    return findings;
  }

  [[nodiscard]] Findings look_at_retry(const json::Value& answer) const {
    const auto from = text_of(answer, "from");
    const auto is_known = std::ranges::any_of(run_.tasks, [&](const auto& task) { return task.reference == from; });
    if (from.empty() || is_known) return {};
    return {finding("/from", fmt::format("the run has not come to a task with the reference \"{}\"", from))};
  }

  void look_at_version(const json::Value& answer, const Rehearsal& rehearsal, Rehearsal::Part part,
                       const std::function<void(Findings)>& told, Rehearsal::Done rehearsed) {
    if (document_.is_null()) return told({finding("/kind", unseen_ + ": there can be no new version of it")});
    const auto text = text_of(answer, "document");
    auto checked = d_.catalog.check({.text = text});
    if (!checked.ok()) return told(kept_from_before(errors_of(std::move(checked.findings))));
    const auto& plan = *checked.value;
    if (plan->name != current_->name || plan->namespace_name != current_->namespace_name) {
      return told({finding("/document/document", "namespace and name must stay as they are")});
    }
    if (catalog::text_of(workflow_->definition) == text) return told({finding("/document", "nothing is changed in it")});
    if (!starts_alike(*current_, *plan)) {
      return told({finding("/document/schedule",
                           "a remedy may not change when or by what the workflow is started: `schedule` and the "
                           "document's `metadata` must stay as they are")});
    }
    weakened_ = weakened(*current_, *plan);
    added_ = to_json(engine::compare(engine::capabilities_of(*current_, d_.functions), engine::capabilities_of(*plan, d_.functions)).added);
    rehearsal.of_document(asker_.organization, {.text = text}, plan, std::move(part), std::move(rehearsed));
  }

  // ---- what was found ----

  void keep(const json::Value& answer) {
    remedy_.kind = text_of(answer, "kind");
    remedy_.healing_run = RunId::make(d_.clock.now(), d_.random);
    remedy_.result_run = remedy_.kind == "retry" ? run_.id : RunId::make(d_.clock.now(), d_.random);
    remedy_.created_at = d_.clock.now();
    auto& proposal = remedy_.proposal = diagnosis(answer);
    proposal.set("kind", remedy_.kind);
    proposal.set("from", remedy_.kind == "retry" ? answer.get("from") : json::Value());
    proposal.set("input", answer.get("input"));
    proposal.set("document", remedy_.kind == "new_version" ? answer.get("document") : json::Value());
    proposal.set("base_version", workflow_ ? json::Value(workflow_->version) : json::Value());
    proposal.set("failed_at", run_.ended_at ? json::Value(to_rfc3339(*run_.ended_at)) : json::Value());
    proposal.set("diff", remedy_.kind == "new_version"
                             ? json::Value(unified_diff(catalog::text_of(workflow_->definition), text_of(answer, "document")))
                             : json::Value());
    proposal.set("added_capabilities", remedy_.kind == "new_version" ? added_ : json::Value());
    auto given_up = json::Value::array();
    if (remedy_.kind == "new_version") {
      for (auto& what : weakened_) given_up.push_back(std::move(what));
    }
    proposal.set("weakened", std::move(given_up));
    proposal.set("dry_run", dry_run_);
    proposal.set("done_again", done_again());
    proposal.set("model", asked_ && remedy_.source == "model" ? model_of(*asked_) : json::Value());
    auto executable = healing_->healing_executable(asker_.organization);
    if (executable.has_error()) return fail(executable.error());
    // Whoever asks decides only where nobody else could.
    const auto others = healing_->remedies.others_with(asker_.organization, wish_.approvers, wish_.user);
    if (others.has_error()) return fail(others.error());
    if (*others > 0) wish_.exclude_starter = true;
    healing_->watch_asking(remedy_);
    const auto proposed = healing_->remedies.propose(remedy_, wish_.by);
    if (proposed.has_error() || !*proposed) {
      not_asked();
      return done_(proposed.has_error() ? proposed.error()
                                        : Error(ErrorClass::conflict, "remedy.open", "The draft of this remedy is void."));
    }
    start_asking(**executable);
  }

  [[nodiscard]] static json::Value model_of(const models::Assisted& assisted) {
    const auto& answer = assisted.answer;
    return json::Value::object({{"provider", answer.provider},
                                {"model", answer.model},
                                {"prompt", assisted.prompt},
                                {"rounds", assisted.rounds},
                                {"tokens", answer.usage.input + answer.usage.output},
                                {"cost", answer.cost ? json::Value(*answer.cost) : json::Value()},
                                {"scripted", answer.scripted}});
  }

  /// Calls that went well in the failed run and that a run from the beginning makes once more.
  [[nodiscard]] json::Value done_again() const {
    auto list = json::Value::array();
    if (remedy_.kind == "retry") return list;
    for (const auto& task : run_.tasks) {
      const bool is_call = task.type == "call" || task.type == "run" || task.type == "emit" || task.type == "tool";
      if (is_call && task.record.status == engine::TaskStatus::completed && list.size() < kMostShownTasks) list.push_back(task.reference);
    }
    return list;
  }

  void start_asking(const catalog::Executable& document) {
    engine::StartRequest request;
    request.plan = document.plan;
    request.organization = asker_.organization;
    request.workflow = document.id;
    request.version = document.version;
    request.id = remedy_.healing_run;
    request.trigger = wish_.trigger;
    request.input = input_of_asking();
    d_.engine.start_run(std::move(request),
                        [self = shared_from_this()](const Result<RunId>& started) {
                          if (started.has_error()) {
                            self->not_asked();
                            return self->done_(started.error());
                          }
                          Proposed proposed;
                          proposed.diagnosis = diagnosis(self->remedy_.proposal);
                          proposed.asked_model = self->remedy_.source == "model";
                          if (self->asked_) proposed.assisted = std::move(*self->asked_);
                          proposed.remedy = std::move(self->remedy_);
                          self->done_(std::move(proposed));
                        },
                        {});
  }

  [[nodiscard]] json::Value input_of_asking() const {
    auto shown = remedy_.proposal;
    shown.erase("document");  // the difference says it
    shown.set("remedy_id", remedy_.id.to_string());
    shown.set("run_id", run_.id.to_string());
    shown.set("workflow", run_.workflow_name);
    shown.set("error", run_.error);
    shown.set("source", remedy_.source);
    shown.set("proposal_digest", detail::digest_of(remedy_.proposal));
    auto roles = json::Value::array();
    for (const auto& role : wish_.approvers) roles.push_back(role);
    const auto what = remedy_.kind == "retry" ? "Retry" : remedy_.kind == "rerun" ? "Run again" : "Change and run again";
    return json::Value::object({{"remedy", remedy_.id.to_string()},
                                {"title", fmt::format("{}: {}", what, run_.workflow_name)},
                                {"message", message()},
                                {"shown", std::move(shown)},
                                {"approvers", json::Value::object({{"roles", std::move(roles)}})},
                                {"exclude_starter", wish_.exclude_starter}});
  }

  /// What the change gives up stands before what the model says of it.
  [[nodiscard]] std::string message() const {
    std::string text;
    for (const auto& what : remedy_.proposal.get("weakened").items()) text += fmt::format("CAUTION: {}.\n", what.as_string());
    return text + text_of(remedy_.proposal, "explanation");
  }

  const std::shared_ptr<Healing::Impl> healing_;
  Healing::Dependencies& d_;
  const models::Asker asker_;
  HealingWish wish_;
  Healing::Done done_;
  RunView run_;
  Remedy remedy_;
  std::optional<catalog::Workflow> workflow_;  ///< as it is now; nothing: it is in no list any more
  Experience experience_;
  std::unique_ptr<Healing::Impl::Tending> tending_;
  json::Value document_;
  std::string unseen_;    ///< why there is no `document_`
  dsl::PlanPtr current_;  ///< of `document_`
  Findings refused_;      ///< what of `document_` could not be saved today
  bool hides_input_ = false;
  json::Value dry_run_;
  json::Value added_;
  std::vector<std::string> weakened_;
  std::shared_ptr<models::Assisted> asked_;
};

}  // namespace

std::string detail::digest_of(const json::Value& proposal) {
  const auto digest = crypto::hash(json::to_text(proposal));
  return crypto::to_base64url({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string detail::text_of(const json::Value& object, std::string_view name) {
  const auto& value = object.get(name);
  return value.is_string() ? std::string(value.as_string()) : std::string();
}

Result<catalog::ExecutablePtr> Healing::Impl::healing_executable(const OrganizationId& organization) {
  const catalog::Definition definition{.text = std::string(kHealingDocument)};
  auto checked = d.catalog.check(definition);
  PAWL_ASSERT(checked.ok(), "the document of healing compiles");
  return d.catalog.keep_unlisted(organization, definition, *checked.value);
}

Healing::Healing(Dependencies dependencies) : impl_(std::make_shared<Impl>(std::move(dependencies))) {}
Healing::~Healing() = default;

Remedies& Healing::remedies() { return impl_->remedies; }

void Healing::propose(const models::Asker& asker, HealingWish wish, Done done) {
  std::make_shared<Proposing>(impl_, asker, std::move(wish), std::move(done))->begin();
}

}  // namespace pawl::agents
