// Language models: asking one, and what models do on workflows. Answers come when the model has answered, from whatever thread; nobody
// waits. The client that leaves takes the work with it.
#include <fmt/format.h>

#include <memory>

#include "agents/rehearsal.hpp"
#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/definition_in.hpp"
#include "api/detail/dry_runs.hpp"
#include "api/detail/execution.hpp"
#include "api/detail/gate.hpp"
#include "api/detail/leash.hpp"
#include "api/detail/mcp_parts.hpp"
#include "api/detail/model_reply.hpp"
#include "api/detail/render.hpp"
#include "api/detail/shown.hpp"
#include "api/routes/theme.hpp"
#include "audit/redact.hpp"
#include "base/utf8.hpp"
#include "json/write.hpp"
#include "models/assistant.hpp"
#include "models/llm_function.hpp"
#include "yaml/yaml.hpp"

namespace pawl::api::detail {
namespace {

using http::Method;
using CallPtr = std::shared_ptr<Call>;

constexpr std::size_t kMaxText = 1U << 20U;
constexpr std::size_t kMaxDescription = 20'000;

json::Value said(const models::Answer& answer, const std::string& prompt) {
  auto reply = told(answer);
  reply.set("response", answer.reply->content);
  reply.set("finish_reason", models::to_text(answer.reply->finish));
  reply.set("output", answer.output);
  reply.set("prompt", prompt.empty() ? json::Value() : json::Value(prompt));
  return reply;
}

std::string event(std::string_view name, const json::Value& data) {
  return fmt::format("event: {}\ndata: {}\n\n", name, json::to_text(data));
}

json::Value chunk_data(const models::Chunk& chunk) {
  switch (chunk.kind) {
    case models::Chunk::Kind::text: return json::Value::object({{"type", "text"}, {"text", chunk.text}});
    case models::Chunk::Kind::reasoning: return json::Value::object({{"type", "reasoning"}, {"text", chunk.text}});
    case models::Chunk::Kind::tool_call:
      return json::Value::object({{"type", "tool_call"}, {"index", chunk.index}, {"id", chunk.id}, {"name", chunk.name}});
    case models::Chunk::Kind::arguments: return json::Value::object({{"type", "arguments"}, {"index", chunk.index}, {"text", chunk.text}});
    case models::Chunk::Kind::reset: break;
  }
  return json::Value::object({{"type", "reset"}});
}

/// Asks, and answers as one JSON text or as an event stream.
void ask(Context& context, Call call, models::Call wish, const std::string& prompt, bool stream) {
  wish.organization = call.organization;
  if (!stream) {
    const Leash leash(call.responder);
    const auto shared = std::make_shared<Call>(std::move(call));
    leash.hold(context.d.models->ask(std::move(wish), [shared, prompt](const models::Answer& answer) {
      if (answer.reply.has_error()) return shared->fail(answer.reply.error());
      shared->reply(200, json::to_text(said(answer, prompt)));
    }));
    return;
  }
  const auto events = call.responder.stream();
  wish.on_chunk = [events](const models::Chunk& chunk) { events->send(event("chunk", chunk_data(chunk))); };
  auto cancel = context.d.models->ask(std::move(wish), [events, prompt](const models::Answer& answer) {
    if (answer.reply.has_error()) {
      const auto& error = answer.reply.error();
      events->send(
          event("error", json::Value::object({{"code", error.code}, {"status", http_status(error.kind)}, {"detail", error.message}})));
    } else {
      events->send(event("done", said(answer, prompt)));
    }
    events->close();
  });
  events->on_close(std::move(cancel));
}

void generate(Context& context, Call call) {
  if (context.d.models == nullptr) return call.fail(no_models());
  const auto& body = call.body;
  auto arguments = json::Value::object({{"prompt", body.get("prompt")}});
  for (const auto* const name : {"provider", "model", "messages", "temperature", "max_tokens", "stop", "fallback"}) {
    if (!body.get(name).is_null()) arguments.set(name, body.get(name));
  }
  if (!body.get("system").is_null()) arguments.set("instructions", body.get("system"));
  if (!body.get("schema").is_null()) arguments.set("output", json::Value::object({{"schema", body.get("schema")}}));
  PAWL_API_TRY(wish, models::read_call(arguments));
  ask(context, std::move(call), std::move(wish), {}, body.get("stream").truthy());
}

void chat(Context& context, Call call) {
  if (context.d.models == nullptr) return call.fail(no_models());
  const auto& body = call.body;
  const auto prompt = models::prompt("chat");
  PAWL_API_TRY(history, models::read_messages(body.get("messages")));
  models::Call wish;
  wish.provider = text_of(body, "provider");
  wish.model = text_of(body, "model");
  wish.prompt = prompt.name;
  wish.request.instructions = prompt.text;
  if (const auto& extra = body.get("context"); !extra.is_null()) {
    wish.request.instructions += "\nContext:\n" + json::to_text(without_secrets(context, extra), {.indent = 1});
  }
  wish.request.messages = std::move(history);
  wish.request.messages.push_back(models::Message::of(models::Role::user, text_of(body, "message")));
  ask(context, std::move(call), std::move(wish), prompt.name, body.get("stream").truthy());
}

// ---- work on workflows ----------------------------------------------------------------------------------------------------------

/// Text (YAML or JSON) or an object, as text.
Result<std::string> document_of(const Context& context, const json::Value& spec) {
  auto text = spec.is_string() ? std::string(spec.as_string()) : json::to_text(spec, {.indent = 1});
  if (text.size() > context.options.max_definition_bytes) {
    return Error(ErrorClass::too_large, "workflow.too_large",
                 fmt::format("A workflow has at most {} bytes.", context.options.max_definition_bytes));
  }
  return text;
}

void plan(Context& context, Call call) {
  if (context.d.models == nullptr) return call.fail(no_models());
  PAWL_API_TRY(text, document_of(context, call.body.get("workflow_spec")));
  auto compiled = dsl::compile(text, context.d.functions);
  if (!compiled.ok()) {
    return call.fail(Error(ErrorClass::unprocessable, "workflow.invalid", "The workflow has errors.", std::move(compiled.findings)));
  }
  const auto asker = asker_of(call);
  const Leash leash(call.responder);
  const auto shared = std::make_shared<Call>(std::move(call));
  const models::Assistant assistant(*context.d.models, context.d.functions);
  leash.hold(assistant.plan(asker, without_secrets(context, (*compiled.value)->document), *compiled.value,
                            [shared](const models::Assisted& assisted) {
                              if (assisted.output.has_error()) return shared->fail(assisted.output.error());
                              auto reply = told(assisted.answer);
                              auto output = *assisted.output;
                              const auto explanation = output.take("explanation");
                              output.erase("explanation");
                              reply.set("plan", std::move(output));
                              reply.set("explanation", explanation);
                              reply.set("prompt", assisted.prompt);
                              shared->reply(200, json::to_text(reply));
                            }));
}

/// The document as a model may see it. Values that stand under the name of a secret are found in the document that the text means: where
/// there is one, that document is sent, and the text with its comments is not.
std::string shown_text(const Context& context, const std::string& text) {
  if (const auto document = yaml::parse(text); document.ok()) {
    const auto redacted = without_secrets(context, document.value->value);
    if (redacted != document.value->value) return json::to_text(redacted, {.indent = 1});
  }
  return context.d.redactor == nullptr ? audit::Redactor().text(text) : context.d.redactor->text(text);
}

json::Value issue(std::string_view severity, const json::Value& field, const json::Value& message, const json::Value& fix,
                  std::string_view source) {
  return json::Value::object({{"severity", severity}, {"field", field}, {"message", message}, {"fix", fix}, {"source", source}});
}

void validate(Context& context, Call call) {
  if (context.d.models == nullptr) return call.fail(no_models());
  PAWL_API_TRY(text, document_of(context, call.body.get("workflow_spec")));
  const auto compiled = dsl::compile(text, context.d.functions);
  const bool valid = compiled.ok();
  const bool auto_fix = call.body.get("auto_fix").truthy();
  const auto asker = asker_of(call);
  const auto redacted = shown_text(context, text);
  const Leash leash(call.responder);
  const auto shared = std::make_shared<Call>(std::move(call));
  const models::Assistant assistant(*context.d.models, context.d.functions);
  leash.hold(assistant.review(
      asker, redacted, compiled.findings, auto_fix, [shared, valid, auto_fix, found = compiled.findings](const models::Assisted& assisted) {
        // A fix that does not compile is none; the review itself still stands.
        const bool given_up = assisted.output.has_error() && assisted.output.error().code == "llm.given_up";
        if (assisted.output.has_error() && !given_up) return shared->fail(assisted.output.error());
        auto issues = json::Value::array();
        for (const auto& finding : found) {
          issues.push_back(issue(finding.severity == Severity::error ? "error" : "warning", finding.pointer, finding.message,
                                 finding.suggestion, "compiler"));
        }
        for (const auto& item : assisted.draft.get("issues").items()) {
          issues.push_back(issue(item.get("severity").as_string(), item.get("field"), item.get("message"), item.get("fix"), "model"));
        }
        auto reply = told(assisted.answer);
        reply.set("is_valid", valid);  // what the compiler says: a model's opinion does not make a workflow wrong
        reply.set("issues", std::move(issues));
        reply.set("suggestions", assisted.draft.get("suggestions"));
        reply.set("fixed_spec", auto_fix && !given_up ? assisted.draft.get("fixed_document") : json::Value());
        reply.set("prompt", assisted.prompt);
        shared->reply(200, json::to_text(reply));
      }));
}

void reply_recovery(const CallPtr& shared, const models::Assisted& assisted, const json::Value& task, const json::Value& error) {
  if (assisted.output.has_error()) return shared->fail(assisted.output.error());
  auto reply = told(assisted.answer);
  auto output = *assisted.output;
  output.set("task_id", task);
  output.set("original_error", error);
  reply.set("recovery_plan", std::move(output));
  reply.set("prompt", assisted.prompt);
  shared->reply(200, json::to_text(reply));
}

void recover(Context& context, Call call) {
  if (context.d.models == nullptr) return call.fail(no_models());
  const auto asker = asker_of(call);
  const auto& body = call.body;
  const auto task = text_of(body, "task_id");
  if (!body.get("run_id").is_null()) {
    // The row asks for no more than `execute`; what a run was is for those who may look at runs.
    if (!call.principal.permits(Permission::read, call.organization)) return call.fail(forbidden(Permission::read));
    const auto run = RunId::parse(text_of(body, "run_id"));
    if (!run) return call.fail(Error(ErrorClass::not_found, "run.not_found", "There is no run of this id."));
    const Leash leash(call.responder);
    const auto shared = std::make_shared<Call>(std::move(call));
    context.d.engine.view(shared->organization, *run, true, [&context, shared, leash, asker, task](Result<engine::RunView> view) {
      if (view.has_error()) return shared->fail(view.error());
      if (view->error.is_null()) return shared->fail(Error(ErrorClass::conflict, "run.not_failed", "The run has not failed."));
      const auto facts = without_secrets(context, failure_of(shown(context, std::move(*view)), task));
      const models::Assistant assistant(*context.d.models, context.d.functions);
      leash.hold(assistant.recover(asker, facts, [shared, facts](const models::Assisted& assisted) {
        reply_recovery(shared, assisted, facts.get("task"), facts.get("error"));
      }));
    });
    return;
  }
  if (task.empty() || text_of(body, "error_message").empty()) {
    return call.fail(Error(ErrorClass::unprocessable, "request.invalid", "Either `run_id`, or `task_id` and `error_message` are needed."));
  }
  const auto facts = without_secrets(
      context, json::Value::object({{"task", task}, {"error", body.get("error_message")}, {"context", body.get("task_context")}}));
  const Leash leash(call.responder);
  const auto shared = std::make_shared<Call>(std::move(call));
  const models::Assistant assistant(*context.d.models, context.d.functions);
  leash.hold(assistant.recover(asker, facts, [shared, facts](const models::Assisted& assisted) {
    reply_recovery(shared, assisted, facts.get("task"), facts.get("error"));
  }));
}

/// The draft has been paid for: it is answered all the same. Somebody wanted it kept, so the trail has the failure too.
void not_kept(Context& context, const CallPtr& shared, json::Value reply, const Error& error) {
  record(context, *shared, "workflows.createWorkflow", {"workflows", ""}, std::nullopt, false,
         json::Value::object({{"by", "llm.draftWorkflow"}, {"prompt", reply.get("prompt")}, {"error", error.code}}));
  reply.set("save_error", json::Value::object({{"code", error.code}, {"detail", error.message}}));
  shared->reply(200, json::to_text(reply));
}

/// The draft as a workflow of the organization that is not active: it is in the list and the editor, has no trigger, is nobody's tool, and
/// does not run before a person has switched it on. On the pool. The right is looked at again: models take minutes.
void keep_draft(Context& context, const CallPtr& shared, json::Value reply) {
  if (const auto may = still_permitted(context, *shared, Permission::write); may.has_error()) {
    return not_kept(context, shared, std::move(reply), may.error());
  }
  catalog::NewWorkflow draft;
  draft.definition.text = std::string(reply.get("definition").as_string());
  draft.active = false;
  draft.description = text_of(shared->body, "description").substr(0, kMaxWorkflowDescription);
  while (!is_utf8(draft.description)) draft.description.pop_back();  // cut within a character
  draft.change_summary = fmt::format("Drafted by {}/{}", reply.get("provider").as_string(), reply.get("model").as_string());
  draft.author = shared->principal.user;
  const auto made = context.d.catalog.create(shared->organization, std::move(draft));
  if (made.has_error()) return not_kept(context, shared, std::move(reply), made.error());
  const auto id = made->id.to_string();
  record(context, *shared, "workflows.createWorkflow", {"workflows", id}, std::nullopt, true,
         json::Value::object({{"by", "llm.draftWorkflow"}, {"prompt", reply.get("prompt")}}));
  reply.set("saved", json::Value::object({{"id", id}, {"name", made->name}, {"version", made->version}, {"is_active", made->active}}));
  shared->reply(200, json::to_text(reply));
}

void generate_workflow(Context& context, Call call) {
  if (context.d.models == nullptr) return call.fail(no_models());
  const bool saves = call.body.get("save").truthy();
  // Before a model is asked: the row needs no more than `execute`, and who may not save workflows does not do so by a model either.
  if (saves && !call.principal.permits(Permission::write, call.organization)) return call.fail(forbidden(Permission::write));
  const auto asker = asker_of(call);
  const auto description = text_of(call.body, "description");
  const Leash leash(call.responder);
  const auto shared = std::make_shared<Call>(std::move(call));
  const models::Assistant assistant(*context.d.models, context.d.functions);
  const auto dry_run = std::make_shared<json::Value>();  // the last one; the rounds are one after the other
  auto try_out = [&context, shared, dry_run](models::Assistant::Draft draft, std::function<void(Findings)> told_findings) {
    agents::Rehearsal::Part part;
    part.input = draft.input.is_null() ? json::Value::object() : std::move(draft.input);
    part.trigger = trigger_of(context, *shared);
    rehearsal(context).of_document(shared->organization, {.text = std::move(draft.document)}, draft.plan, std::move(part),
                                   [&context, dry_run, told_findings = std::move(told_findings)](Result<engine::RunView> view) {
                                     if (view.has_error()) {
                                       Finding finding;
                                       finding.message = "the dry run did not start: " + view.error().message;
                                       return told_findings({std::move(finding)});
                                     }
                                     const auto run = shown(context, std::move(*view));
                                     *dry_run = agents::to_json(run, kMostTasks);
                                     told_findings(agents::objections(run));
                                   });
  };
  const auto drafted = [&context, shared, dry_run, saves](const models::Assisted& assisted) {
    const bool given_up = assisted.output.has_error() && assisted.output.error().code == "llm.given_up";
    if (assisted.output.has_error() && !given_up) return shared->fail(assisted.output.error());
    auto reply = told(assisted.answer);
    if (given_up) reply.set("status", "given_up");
    // Given up: there is no workflow to offer, only what was wrong with the last one.
    auto workflow = json::Value();
    const auto text = text_of(assisted.draft, "document");
    if (auto document = yaml::parse(text); !given_up && document.ok()) workflow = document.value->value;
    reply.set("valid", !given_up);
    reply.set("workflow", std::move(workflow));
    reply.set("definition", given_up ? json::Value() : json::Value(text));
    reply.set("rejected", given_up ? json::Value(text) : json::Value());
    reply.set("explanation", assisted.draft.get("explanation"));
    reply.set("findings", findings_json(assisted.findings));
    reply.set("dry_run", *dry_run);
    reply.set("rounds", assisted.rounds);
    reply.set("prompt", assisted.prompt);
    reply.set("saved", json::Value());
    reply.set("save_error", json::Value());
    if (!saves || given_up) return shared->reply(200, json::to_text(reply));
    const bool taken = context.d.pool.try_post([&context, shared, reply] { keep_draft(context, shared, reply); });
    if (taken) return;
    not_kept(context, shared, reply, Error(ErrorClass::unavailable, "server.busy", "The server is busy; try again."));
  };
  leash.hold(assistant.generate_workflow(asker, description, std::move(try_out), drafted));
}

void list_providers(Context& context, Call call) {
  if (context.d.models == nullptr) return call.fail(no_models());
  auto list = json::Value::array();
  for (const auto& state : context.d.models->providers(call.organization)) {
    const auto or_null = [](const std::string& text) { return text.empty() ? json::Value() : json::Value(text); };
    list.push_back(json::Value::object({{"name", state.name},
                                        {"available", state.available},
                                        {"model", or_null(state.model)},
                                        {"source", or_null(state.source)},
                                        {"error", or_null(state.reason)},
                                        {"scripted", state.name == "scripted"}}));
  }
  call.reply(200, json::to_text(json::Value::object({{"status", "success"}, {"providers", std::move(list)}})));
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Shape prompt_name() { return Shape::text("plan@1"); }

Shape said_shape() {
  return reply_shape("ModelReply",
                     {{"response", Shape::text("Because short waves scatter more.", 8U << 20U)},
                      {"finish_reason", Shape::choice({"stop", "tool_calls", "length", "context_full", "filtered", "paused"})},
                      {"output", Shape::any(nullptr).described("The answer as data, where a schema was given.")},
                      {"prompt", Shape::text("chat@1").or_null()}});
}

Shape messages_shape() { return Shape::array(Shape::any(json::Value::object({{"role", "user"}, {"content", "Hello"}})), 1000); }

Shape generate_shape() {
  return with_whom("GenerateRequest",
                   {{"prompt", Shape::text("Why is the sky blue?", kMaxText).at_least(1)},
                    {"system", Shape::text("You answer in one sentence.", kMaxText), Shape::kOptional},
                    {"messages", messages_shape(), Shape::kOptional},
                    {"schema", Shape::any(json::Value::object({{"type", "object"}})), Shape::kOptional},
                    {"temperature", Shape::number(0), Shape::kOptional},
                    {"max_tokens", Shape::integer(200, 1, 10'000'000), Shape::kOptional},
                    {"stop", Shape::array(Shape::text("END"), 16), Shape::kOptional},
                    {"fallback", Shape::array(Shape::text("anthropic/claude-sonnet-4-5"), 9), Shape::kOptional},
                    {"stream", Shape::boolean(false).described("Answer as server-sent events: `chunk` ..., then `done` or `error`."),
                     Shape::kOptional}});
}

Shape spec_shape() {
  return Shape::any(
             "document:\n  dsl: '1.0.3'\n  namespace: examples\n  name: hello\n  version: '1.0.0'\ndo:\n  - greet:\n      set: {text: "
             "Hello}\n")
      .described("The document, as text (YAML or JSON) or as an object.");
}

Shape texts(std::string_view example) { return Shape::array(Shape::text(example, 20'000), 1000); }

Shape plan_shape() {
  return Shape::object("WorkflowPlan", {{"execution_strategy", Shape::choice({"sequential", "parallel", "hybrid"})},
                                        {"task_order", texts("greet")},
                                        {"parallel_groups", Shape::array(texts("greet"), 1000)},
                                        {"estimated_duration", Shape::text("a second", 2000)},
                                        {"llm_suggestions", Shape::text("Nothing to add.", 20'000)},
                                        {"risks", texts("none")},
                                        {"optimizations", texts("none")}});
}

Shape recovery_shape() {
  return Shape::object("RecoveryPlan", {{"recovery_strategy", Shape::choice({"retry", "skip", "modify", "manual", "unknown"})},
                                        {"root_cause", Shape::text("The service was not reachable.", 20'000)},
                                        {"actions", texts("Retry in a minute.")},
                                        {"modified_params", Shape::any(json::Value::object())},
                                        {"confidence", Shape::choice({"high", "medium", "low"})},
                                        {"preventive_measures", texts("Add a retry policy.")},
                                        {"llm_analysis", Shape::text("The error is a refused connection.", 100'000)},
                                        {"task_id", Shape::any("fetch")},
                                        {"original_error", Shape::any("connection refused")}});
}

Shape issue_shape() {
  return Shape::object("ReviewIssue", {{"severity", Shape::choice({"error", "warning", "info"})},
                                       {"field", Shape::text("/do/0/greet", 20'000)},
                                       {"message", Shape::text("The call has no timeout.", 20'000)},
                                       {"fix", Shape::text("Add `timeout`.", 20'000)},
                                       {"source", Shape::choice({"compiler", "model"})}});
}

Shape providers_shape() {
  const auto provider = Shape::object("ModelProvider", {{"name", Shape::text("openai")},
                                                        {"available", Shape::boolean(true)},
                                                        {"model", Shape::text("gpt-4o-mini").or_null()},
                                                        {"source", Shape::text("configuration").or_null()},
                                                        {"error", Shape::text("OPENAI_API_KEY is not set.", 1000).or_null()},
                                                        {"scripted", Shape::boolean(false)}});
  return Shape::object("ModelProviders", {{"status", Shape::choice({"success"})}, {"providers", Shape::array(provider, 100)}});
}

OtherReply events() {
  return {.status = 200, .description = "With `stream`: events `chunk`, then `done` or `error`", .type = "text/event-stream"};
}

Route row(std::string_view path, std::string_view id, std::string_view summary, Handler handler, Shape request, Shape reply) {
  return {.method = Method::post,
          .path = path,
          .id = id,
          .tag = "llm",
          .summary = summary,
          .permission = Permission::execute,
          .handler = handler,
          .runs = Runs::pool,
          .rate = RateClass::model,
          .body = Body::json,
          .request = std::move(request),
          .reply = std::move(reply),
          .description =
              "409 `llm.not_configured` where no provider is there to ask: an answer is a model's, or there is none. A client that leaves "
              "ends the "
              "model's call."};
}

}  // namespace

std::vector<Route> llm_routes() {
  const auto spec = with_whom("PlanRequest", {{"workflow_spec", spec_shape()}});
  std::vector<Route> rows;
  rows.push_back(row("/api/llm/generate", "generateText", "Ask a model once", generate, generate_shape(), said_shape()));
  rows.back().other_replies = {events()};
  rows.push_back(row("/api/llm/chat", "chat", "Talk about workflows", chat,
                     with_whom("ChatRequest", {{"message", Shape::text("How do I retry a call?", kMaxText).at_least(1)},
                                               {"messages", messages_shape(), Shape::kOptional},
                                               {"context", Shape::any(json::Value::object()), Shape::kOptional},
                                               {"stream", Shape::boolean(false), Shape::kOptional}}),
                     said_shape()));
  rows.back().other_replies = {events()};
  rows.push_back(row(
      "/api/llm/plan", "planWorkflow", "Judge a workflow before it runs", plan, spec,
      reply_shape("PlanReply", {{"plan", plan_shape()}, {"explanation", Shape::text("Says hello.", 100'000)}, {"prompt", prompt_name()}})));
  rows.push_back(row(
      "/api/llm/validate", "reviewWorkflow", "Review a workflow: the compiler's findings and a model's", validate,
      with_whom("ReviewRequest", {{"workflow_spec", spec_shape()}, {"auto_fix", Shape::boolean(false), Shape::kOptional}}),
      reply_shape("ReviewReply", {{"is_valid", Shape::boolean(true).described("What the compiler says.")},
                                  {"issues", Shape::array(issue_shape(), 1000)},
                                  {"suggestions", texts("Add a retry policy.")},
                                  {"fixed_spec", Shape::text("document: ...", kMaxText).or_null().described("It compiles, or it is null.")},
                                  {"prompt", Shape::text("validate@1")}})));
  rows.push_back(row("/api/llm/recover", "explainFailure", "Root cause and remedy of a failed run or task", recover,
                     with_whom("RecoverRequest", {{"run_id", Shape::id(), Shape::kOptional},
                                                  {"task_id", Shape::text("fetch", 1000), Shape::kOptional},
                                                  {"error_message", Shape::text("connection refused", 100'000), Shape::kOptional},
                                                  {"task_context", Shape::any(json::Value::object()), Shape::kOptional}}),
                     reply_shape("RecoverReply", {{"recovery_plan", recovery_shape()}, {"prompt", Shape::text("recover@1")}})));
  rows.push_back(row(
      "/api/llm/generate-workflow", "draftWorkflow", "Draft a workflow from a description", generate_workflow,
      with_whom(
          "DraftRequest",
          {{"description", Shape::text("Every night, sort the folder inbox", kMaxDescription).at_least(1)},
           {"save", Shape::boolean(false).described("Keep the draft as a workflow that is not active. Needs `write`."), Shape::kOptional}}),
      reply_shape("DraftReply",
                  {{"valid", Shape::boolean(true)},
                   {"workflow", Shape::any(nullptr)},
                   {"definition",
                    Shape::text("document: ...", kMaxText).or_null().described("YAML that compiles; not saved unless `save` says so.")},
                   {"rejected", Shape::text("document: ...", kMaxText).or_null().described("The last draft where it was given up.")},
                   {"explanation", Shape::any("Sorts the folder at 2:30.")},
                   {"findings", Shape::array(finding_shape(), 1000)},
                   {"dry_run", dry_run_shape().or_null().described("Of the last draft that compiled.")},
                   {"rounds", Shape::integer(1)},
                   {"prompt", Shape::text("generate-workflow@2")},
                   {"saved", Shape::object("SavedDraft", {{"id", Shape::id()},
                                                          {"name", Shape::text("nightly-sort")},
                                                          {"version", Shape::integer(1)},
                                                          {"is_active", Shape::boolean(false)}})
                                 .or_null()
                                 .described("With `save`: the workflow that holds the draft. Nobody but a person switches it on.")},
                   {"save_error", Shape::object("DraftNotSaved", {{"code", Shape::text("workflow.files")},
                                                                  {"detail", Shape::text("The folder is not allowed.", 20'000)}})
                                      .or_null()
                                      .described("With `save`: why a draft that is valid could not be kept.")}})));
  rows.push_back({.method = Method::get,
                  .path = "/api/llm/providers",
                  .id = "listModelProviders",
                  .tag = "llm",
                  .summary = "Which model providers can be asked",
                  .permission = Permission::read,
                  .handler = list_providers,
                  .reply = providers_shape()});
  return rows;
}

}  // namespace pawl::api::detail
