// Agents on runs: the observer looks at their history, the executor chooses what to run.
#include <algorithm>
#include <array>
#include <memory>

#include "agents/executor.hpp"
#include "agents/observer.hpp"
#include "agents/rehearsal.hpp"
#include "api/detail/context.hpp"
#include "api/detail/dry_runs.hpp"
#include "api/detail/execution.hpp"
#include "api/detail/gate.hpp"
#include "api/detail/model_reply.hpp"
#include "api/detail/render.hpp"
#include "api/detail/shown.hpp"
#include "api/detail/workflow_tools.hpp"
#include "api/routes/budgets.hpp"
#include "api/routes/healing.hpp"
#include "api/routes/memories.hpp"
#include "api/routes/theme.hpp"
#include "catalog/idempotency.hpp"
#include "crypto/encoding.hpp"
#include "json/write.hpp"

namespace pawl::api::detail {
namespace {

using http::Method;
using CallPtr = std::shared_ptr<Call>;

constexpr std::size_t kMaxInstruction = 20'000;

// ---- observer -------------------------------------------------------------------------------------------------------------------

struct Span {
  std::string_view name;
  Millis length;
};
constexpr std::array kSpans{Span{"1h", std::chrono::hours(1)}, Span{"24h", std::chrono::hours(24)}, Span{"7d", std::chrono::hours(24 * 7)}};

json::Value anomaly_json(const agents::Anomaly& anomaly) {
  auto runs = json::Value::array();
  for (const auto& run : anomaly.runs) runs.push_back(run.to_string());
  return json::Value::object({{"type", to_text(anomaly.kind)},
                              {"severity", to_text(anomaly.level)},
                              {"workflow_id", anomaly.workflow.to_string()},
                              {"workflow", anomaly.workflow_name},
                              {"value", anomaly.value},
                              {"expected", anomaly.expected},
                              {"message", anomaly.message},
                              {"advice", agents::advice(anomaly.kind)},
                              {"run_ids", std::move(runs)}});
}

json::Value observation_json(const agents::Observation& seen) {
  auto anomalies = json::Value::array();
  for (const auto& anomaly : seen.anomalies) anomalies.push_back(anomaly_json(anomaly));
  return json::Value::object({{"since", to_rfc3339(seen.since)},
                              {"until", to_rfc3339(seen.until)},
                              {"compared_since", to_rfc3339(seen.past_since)},
                              {"runs", seen.runs},
                              {"failed", seen.failed},
                              {"compared_runs", seen.past_runs},
                              {"complete", seen.complete},
                              {"anomalies", std::move(anomalies)}});
}

/// Words for the figures: a model's, and said to be.
void summarize(Context& context, const CallPtr& shared, json::Value observation) {
  models::Assistant::Work work;
  work.asker = asker_of(*shared);
  work.prompt = models::prompt("observe");
  work.facts = without_secrets(context, observation);
  work.schema = json::Value::object({{"type", "object"},
                                     {"properties", json::Value::object({{"summary", json::Value::object({{"type", "string"}})}})},
                                     {"required", json::Value::array({"summary"})},
                                     {"additionalProperties", false}});
  const models::Assistant assistant(*context.d.models, context.d.functions);
  assistant.run(std::move(work), [shared, observation = std::move(observation)](const models::Assisted& assisted) {
    auto reply = json::Value::object({{"status", "success"}, {"observation", observation}});
    auto summary = json::Value::object();
    if (assisted.output.has_error()) {
      // The figures stand by themselves.
      const auto& error = assisted.output.error();
      reply.set("summary", json::Value());
      reply.set("summary_error", json::Value::object({{"code", error.code}, {"message", error.message}}));
    } else {
      const auto answer = told(assisted.answer);
      reply.set("summary", json::Value::object({{"text", assisted.output->get("summary")},
                                                {"provider", answer.get("provider")},
                                                {"model", answer.get("model")},
                                                {"scripted", answer.get("scripted")},
                                                {"usage", answer.get("usage")},
                                                {"cost", answer.get("cost")},
                                                {"prompt", assisted.prompt}}));
      reply.set("summary_error", json::Value());
    }
    shared->reply(200, json::to_text(reply));
  });
}

void observe(Context& context, Call call) {
  if (!call.principal.permits(Permission::read, call.organization)) return call.fail(forbidden(Permission::read));
  const auto& body = call.body;
  const auto* span = std::ranges::find(kSpans, body.get("window").is_null() ? "24h" : text_of(body, "window"), &Span::name);
  agents::Stretch stretch{.length = span->length};
  if (!body.get("workflow_id").is_null()) stretch.workflow = WorkflowId::parse(text_of(body, "workflow_id"));
  const bool in_words = body.get("summarize").truthy();
  if (in_words && context.d.models == nullptr) return call.fail(no_models());
  const auto shared = std::make_shared<Call>(std::move(call));
  const agents::Observer observer(context.d.engine, context.d.clock);
  observer.look(shared->organization, stretch, [&context, shared, in_words](const Result<agents::Observation>& seen) {
    if (seen.has_error()) return shared->fail(seen.error());
    auto observation = shown(context, observation_json(*seen));
    if (in_words) return summarize(context, shared, std::move(observation));
    shared->reply(200, json::to_text(json::Value::object({{"status", "success"},
                                                          {"observation", std::move(observation)},
                                                          {"summary", json::Value()},
                                                          {"summary_error", json::Value()}})));
  });
}

// ---- executor -------------------------------------------------------------------------------------------------------------------

/// What is proposed, and would run.
struct Proposal {
  std::string id;  ///< of its dry run
  std::string kind;
  std::string name;
  json::Value input;
  catalog::ExecutablePtr executable;
};

constexpr Millis kProposalTime = std::chrono::minutes(15);
constexpr std::string_view kOffered = "proposal";  // in the trigger of the dry run: the digest of what was offered

bool is_function(const Proposal& proposal) { return proposal.kind == "function"; }

/// Binds a confirmation to what was shown and to whom: the very version with the very input. Anybody can compute it; what counts is that
/// the dry run of the proposal, which nobody but `offer` starts so, has it in its trigger.
std::string digest_of(const Call& call, const Proposal& proposal) {
  // A function's document follows from its name and input.
  const auto* const workflow = is_function(proposal) ? nullptr : proposal.executable.get();
  const auto text =
      json::to_text(json::Value::array({call.principal.user.to_string(), proposal.kind, proposal.name,
                                        workflow == nullptr ? json::Value() : json::Value(workflow->id.to_string()),
                                        workflow == nullptr ? json::Value() : json::Value(workflow->version), proposal.input}));
  const auto digest = crypto::hash(text);
  return crypto::to_base64url({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

/// The workflow, or a document around the function. Blocks.
Result<catalog::ExecutablePtr> executable_of(Context& context, const OrganizationId& organization, const Proposal& proposal) {
  if (!is_function(proposal)) return workflow_of_name(context, organization, proposal.name);
  const catalog::Definition definition{.text = json::to_text(agents::call_document(proposal.name, proposal.input)),
                                       .format = catalog::Definition::Format::data};
  auto checked = context.d.catalog.check(definition);
  if (!checked.ok()) {
    return Error(ErrorClass::unprocessable, "llm.proposal", "The function cannot be called like that.", std::move(checked.findings));
  }
  return context.d.catalog.keep_unlisted(organization, definition, *checked.value);
}

json::Value proposal_json(const Call& call, const Proposal& proposal, const json::Value& reason) {
  const bool is_workflow = !is_function(proposal);
  return json::Value::object({{"id", proposal.id},
                              {"kind", proposal.kind},
                              {"name", proposal.name},
                              {"workflow_id", is_workflow ? json::Value(proposal.executable->id.to_string()) : json::Value()},
                              {"version", is_workflow ? json::Value(proposal.executable->version) : json::Value()},
                              {"input", proposal.input},
                              {"reason", reason},
                              {"digest", digest_of(call, proposal)}});
}

/// Dry-runs what was chosen, and offers it. On the pool.
void offer(Context& context, const CallPtr& shared, const std::shared_ptr<json::Value>& reply, const json::Value& output) {
  const auto proposal = std::make_shared<Proposal>();
  proposal->kind = text_of(output, "kind");
  proposal->name = text_of(output, "name");
  proposal->input = output.get("input");
  auto executable = executable_of(context, shared->organization, *proposal);
  if (executable.has_error()) return shared->fail(executable.error());
  proposal->executable = std::move(*executable);
  auto trigger = trigger_of(context, *shared);
  trigger.set(kOffered, digest_of(*shared, *proposal));
  rehearsal(context).of_workflow(*proposal->executable, {.input = proposal->input, .trigger = std::move(trigger)},
                                 [&context, shared, reply, proposal, reason = output.get("reason")](Result<engine::RunView> run) {
                                   if (run.has_error()) return shared->fail(run.error());
                                   const auto view = shown(context, std::move(*run));
                                   proposal->id = view.id.to_string();
                                   reply->set("proposal", proposal_json(*shared, *proposal, reason));
                                   reply->set("reason", reason);
                                   reply->set("dry_run", agents::to_json(view, kMostTasks));
                                   reply->set("findings", findings_json(agents::objections(view)));
                                   shared->reply(200, json::to_text(*reply));
                                 });
}

void propose(Context& context, Call call) {
  if (context.d.models == nullptr) return call.fail(no_models());
  if (!call.principal.permits(Permission::read, call.organization)) return call.fail(forbidden(Permission::read));
  PAWL_API_TRY(tools, workflow_tools(context, call.organization));
  std::vector<agents::Choice> choices;
  if (call.principal.permits(Permission::write, call.organization)) choices = agents::function_choices(context.d.functions);
  for (auto& tool : tools) {
    choices.push_back({agents::Choice::Kind::workflow, std::move(tool.name), std::move(tool.description), std::move(tool.input_schema)});
  }
  const auto asker = asker_of(call);
  const auto instruction = text_of(without_secrets(context, call.body), "instruction");
  const auto shared = std::make_shared<Call>(std::move(call));
  const models::Assistant assistant(*context.d.models, context.d.functions);
  agents::choose(assistant, asker, instruction, std::move(choices), [&context, shared](const models::Assisted& assisted) {
    const bool given_up = assisted.output.has_error() && assisted.output.error().code == "llm.given_up";
    if (assisted.output.has_error() && !given_up) return shared->fail(assisted.output.error());
    const auto reply = std::make_shared<json::Value>(told(assisted.answer));
    reply->set("prompt", assisted.prompt);
    if (given_up || assisted.output->get("kind") == json::Value("none")) {
      if (given_up) reply->set("status", "given_up");
      reply->set("proposal", json::Value());
      reply->set("reason", assisted.draft.get("reason"));
      reply->set("dry_run", json::Value());
      reply->set("findings", findings_json(assisted.findings));
      return shared->reply(200, json::to_text(*reply));
    }
    const bool taken =
        context.d.pool.try_post([&context, shared, reply, output = *assisted.output] { offer(context, shared, reply, output); });
    if (!taken) shared->fail(Error(ErrorClass::unavailable, "server.busy", "The server is busy; try again."));
  });
}

void start_confirmed(Context& context, const CallPtr& shared, const Proposal& proposal, const RunId& run) {
  engine::StartRequest request;
  request.plan = proposal.executable->plan;
  request.organization = shared->organization;
  request.workflow = proposal.executable->id;
  request.version = proposal.executable->version;
  request.input = proposal.input;
  request.trigger = trigger_of(context, *shared);
  request.trigger.set("proposal", proposal.id);
  if (context.d.secrets) request.secrets = context.d.secrets(shared->organization, *request.plan);
  request.id = run;
  context.d.engine.start_run(std::move(request),
                             [shared](const Result<RunId>& started) {
                               if (started.has_error()) return shared->fail(started.error());
                               std::string out;
                               append_run_status(out, *started, engine::Phase::running);
                               shared->reply(202, std::move(out));
                             },
                             {});
}

Error changed(std::string why) { return {ErrorClass::conflict, "llm.proposal_changed", std::move(why)}; }

/// What was offered, once. On the pool.
void start_offered(Context& context, const CallPtr& shared, const std::shared_ptr<Proposal>& proposal) {
  if (is_function(*proposal)) {
    // The person's word, not the model's: it is no part of what was proposed.
    if (shared->body.get("allow_destructive").truthy()) proposal->input.set("allow_destructive", true);
    auto executable = executable_of(context, shared->organization, *proposal);
    if (executable.has_error()) return shared->fail(executable.error());
    proposal->executable = std::move(*executable);
  }
  const auto now = context.d.clock.now();
  catalog::claim_idempotency_key(
      context.d.database, shared->organization, "proposal-" + proposal->id, crypto::hash(json::to_text(shared->body)),
      RunId::make(now, context.d.random), now, [&context, shared, proposal](const Result<catalog::IdempotencyClaim>& claim) {
        if (claim.has_error()) return shared->fail(claim.error());
        if (claim->is_new) return start_confirmed(context, shared, *proposal, claim->run);
        // Confirmed before: the run, also where the process died between claim and start.
        context.d.engine.view(shared->organization, claim->run, false,
                              [&context, shared, proposal, run = claim->run](const Result<engine::RunView>& view) {
                                if (view.has_error() && view.error().kind == ErrorClass::not_found) {
                                  return start_confirmed(context, shared, *proposal, run);
                                }
                                if (view.has_error()) return shared->fail(view.error());
                                std::string out;
                                append_run_status(out, run, view->phase);
                                shared->reply(202, std::move(out));
                              });
      });
}

/// Whether this caller may have it done, and whether it can be.
Result<void> check_function(const Context& context, const Call& call, const Proposal& proposal) {
  // As a document that is sent to be run: whoever may call any function may write workflows.
  if (!call.principal.permits(Permission::write, call.organization)) return forbidden(Permission::write);
  if (call.body.get("allow_destructive").truthy() && call.principal.kind != identity::Principal::Kind::user) {
    return Error(ErrorClass::denied, "llm.person_needed", "Only a person who is signed in, not a key, may allow it to destroy.");
  }
  const auto choices = agents::function_choices(context.d.functions);
  const auto choice = std::ranges::find(choices, proposal.name, &agents::Choice::name);
  if (choice == choices.end()) return changed("There is no such function.");
  if (auto findings = agents::check_input(*choice, proposal.input); !findings.empty()) {
    return Error(ErrorClass::unprocessable, "llm.proposal", "The function cannot be called like that.", std::move(findings));
  }
  return {};
}

void confirm(Context& context, Call call) {
  const auto& given = call.body.get("proposal");
  const auto proposal = std::make_shared<Proposal>();
  proposal->kind = text_of(given, "kind");
  proposal->name = text_of(given, "name");
  proposal->input = given.get("input");
  if (is_function(*proposal)) {
    if (const auto checked = check_function(context, call, *proposal); checked.has_error()) return call.fail(checked.error());
  } else {
    PAWL_API_TRY(workflow, executable_of(context, call.organization, *proposal));
    proposal->executable = std::move(workflow);
  }
  const auto id = RunId::parse(text_of(given, "id"));
  const auto digest = digest_of(call, *proposal);
  if (!id || digest != text_of(given, "digest")) {
    return call.fail(changed("This is not what was proposed, or the workflow has changed since: ask for a proposal again."));
  }
  proposal->id = id->to_string();
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.engine.view(shared->organization, *id, false, [&context, shared, proposal, digest](const Result<engine::RunView>& dry_run) {
    const bool is_missing = dry_run.has_error() && dry_run.error().kind == ErrorClass::not_found;
    if (dry_run.has_error() && !is_missing) return shared->fail(dry_run.error());
    if (is_missing || !dry_run->dry_run || dry_run->trigger.get(kOffered) != json::Value(digest)) {
      return shared->fail(changed("This was not proposed to you: ask for a proposal."));
    }
    if (dry_run->created_at + kProposalTime < context.d.clock.now()) {
      return shared->fail(changed("The proposal is too old: ask for one again."));
    }
    if (!context.d.pool.try_post([&context, shared, proposal] { start_offered(context, shared, proposal); })) {
      shared->fail(Error(ErrorClass::unavailable, "server.busy", "The server is busy; try again."));
    }
  });
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Shape observation_shape() {
  const auto anomaly = Shape::object(
      "Anomaly", {{"type", Shape::choice({"failure_rate", "repeated_error", "new_error", "duration", "stuck", "cost"})},
                  {"severity", Shape::choice({"low", "medium", "high"})},
                  {"workflow_id", Shape::id()},
                  {"workflow", Shape::text("nightly", 1000)},
                  {"value", Shape::number(0.5).described("What was seen: a rate, a number of runs, milliseconds, US dollars.")},
                  {"expected", Shape::number(0.04).described("What the workflow's own past let expect.")},
                  {"message", Shape::text("50 % of 8 runs failed; before, 4 % of 52 did.", 20'000)},
                  {"advice", Shape::text("Look at the newest failures.", 1000)},
                  {"run_ids", Shape::array(Shape::id(), 100).described("Some that show it.")}});
  return Shape::object("Observation", {{"since", Shape::time()},
                                       {"until", Shape::time()},
                                       {"compared_since", Shape::time()},
                                       {"runs", Shape::integer(8)},
                                       {"failed", Shape::integer(4)},
                                       {"compared_runs", Shape::integer(52)},
                                       {"complete", Shape::boolean(true).described("False: there were more runs than are looked at.")},
                                       {"anomalies", Shape::array(anomaly, 10'000)}});
}

Shape observe_reply_shape() {
  const auto summary = Shape::object("ObservationSummary", {{"text", Shape::text("The nightly import fails more often.", 100'000)},
                                                            {"provider", Shape::text("openai")},
                                                            {"model", Shape::text("gpt-4o-mini")},
                                                            {"scripted", Shape::boolean(false)},
                                                            {"usage", Shape::any(json::Value::object())},
                                                            {"cost", Shape::number(0.0004).or_null()},
                                                            {"prompt", Shape::text("observe@1")}});
  const auto error =
      Shape::object("SummaryError", {{"code", Shape::text("llm.not_configured")}, {"message", Shape::text("No provider.", 10'000)}});
  return Shape::object("ObserveReply", {{"status", Shape::choice({"success"})},
                                        {"observation", observation_shape()},
                                        {"summary", Shape(summary).or_null().described("A model's words; the figures are not its.")},
                                        {"summary_error", Shape(error).or_null()}});
}

Members proposal_members() {
  return {{"id", Shape::id()},
          {"kind", Shape::choice({"workflow", "function"})},
          {"name", Shape::text("nightly", 1000)},
          {"input", Shape::any(json::Value::object())},
          {"digest", Shape::text("pmWkWSBCL51Bfkhn79xPuKBKHz__H6B-mY6G9_eieuM").described("Binds a confirmation to what was shown.")}};
}

Shape proposal_shape() {
  auto members = proposal_members();
  members.push_back({"workflow_id", Shape::id().or_null()});
  members.push_back({"version", Shape::integer(3).or_null()});
  members.push_back({"reason", Shape::text("It sorts a folder.", 20'000)});
  return Shape::object("Proposal", std::move(members));
}

Route row(std::string_view path, std::string_view id, std::string_view summary, Handler handler) {
  return {.method = Method::post,
          .path = path,
          .id = id,
          .tag = "llm",
          .summary = summary,
          .permission = Permission::execute,
          .handler = handler,
          .runs = Runs::pool,
          .rate = RateClass::model,
          .body = Body::json};
}

}  // namespace

std::vector<Route> agent_routes() {
  auto observing = row("/api/llm/observe", "observeRuns", "What is unusual about the latest runs", observe);
  observing.request =
      with_whom("ObserveRequest", {{"window", Shape::choice({"1h", "24h", "7d"}), Shape::kOptional},
                                   {"workflow_id", Shape::id(), Shape::kOptional},
                                   {"summarize", Shape::boolean(false).described("Have a model put it in words."), Shape::kOptional}});
  observing.reply = observe_reply_shape();
  observing.description =
      "Statistics over the runs of the window (24h), measured by the same workflow's own past (eight windows before it). No model is asked "
      "but for the summary.";
  auto proposing = row("/api/llm/execute", "proposeExecution", "Choose what to run from a sentence or a plan; nothing is started", propose);
  proposing.request = with_whom("ExecuteRequest", {{"instruction", Shape::text("Sort the inbox", kMaxInstruction).at_least(1)}});
  proposing.reply =
      reply_shape("ExecuteReply", {{"proposal", proposal_shape().or_null().described("Null: nothing fits; `reason` says why.")},
                                   {"reason", Shape::any("It sorts a folder.")},
                                   {"dry_run", dry_run_shape().or_null()},
                                   {"findings", Shape::array(finding_shape(), 1000)},
                                   {"prompt", Shape::text("execute@1")}});
  proposing.description = "The choice is checked by the schema of its input and dry-run. `POST /api/llm/execute/confirm` starts it.";
  auto confirming = row("/api/llm/execute/confirm", "confirmExecution", "Start what was proposed, once", confirm);
  auto members = proposal_members();
  confirming.request = Shape::object(
      "ConfirmRequest",
      {{"proposal", Shape::object("ConfirmedProposal", std::move(members)).open()},
       {"allow_destructive", Shape::boolean(false).described("Of a function that destroys or overwrites: the person's word that it may."),
        Shape::kOptional}});
  confirming.rate = RateClass::general;  // no model is asked
  confirming.status = 202;
  confirming.reply = run_status_shape();
  confirming.description =
      "409 `llm.proposal_changed` where it is not what this one was proposed within the last 15 minutes, or the workflow has another "
      "version "
      "by now. A function needs the permission `write`; `allow_destructive` (403 `llm.person_needed`) a person's session, not a key.";
  std::vector<Route> rows;
  rows.push_back(std::move(observing));
  rows.push_back(std::move(proposing));
  rows.push_back(std::move(confirming));
  for (auto&& more : {healing_routes(), budget_routes(), memory_routes()}) rows.insert(rows.end(), more.begin(), more.end());
  return rows;
}

}  // namespace pawl::api::detail
