// Remedies for failed runs: proposed, approved in the inbox, applied once.
#include "agents/healing.hpp"

#include <algorithm>
#include <array>

#include "api/body.hpp"
#include "api/detail/dry_runs.hpp"
#include "api/detail/execution.hpp"
#include "api/detail/find_stored.hpp"
#include "api/detail/gate.hpp"
#include "api/detail/model_reply.hpp"
#include "api/detail/owners.hpp"
#include "api/detail/shown.hpp"
#include "api/routes/healing.hpp"
#include "api/routes/theme.hpp"
#include "json/write.hpp"

namespace pawl::api::detail {
namespace {

constexpr std::array<std::string_view, 6> kStatus = {"proposed", "rejected", "applying", "applied", "failed", "all"};

json::Value text_or_null(const std::string& text) { return text.empty() ? json::Value() : json::Value(text); }

json::Value time_or_null(const std::optional<TimePoint>& time) { return time ? json::Value(to_rfc3339(*time)) : json::Value(); }

json::Value remedy_json(const agents::Remedy& remedy) {
  const auto& proposal = remedy.proposal;
  const bool is_done = remedy.status == "applied";
  return json::Value::object({{"id", remedy.id.to_string()},
                              {"run_id", remedy.run.to_string()},
                              {"workflow_id", remedy.workflow.to_string()},
                              {"workflow_name", remedy.workflow_name},
                              {"version", remedy.version},
                              {"error_kind", remedy.error_kind},
                              {"kind", remedy.kind},
                              {"source", remedy.source},
                              {"root_cause", proposal.get("root_cause")},
                              {"explanation", proposal.get("explanation")},
                              {"confidence", proposal.get("confidence")},
                              {"from", proposal.get("from")},
                              {"input", proposal.get("input")},
                              {"document", proposal.get("document")},
                              {"diff", proposal.get("diff")},
                              {"added_capabilities", proposal.get("added_capabilities")},
                              {"weakened", proposal.get("weakened")},
                              {"done_again", proposal.get("done_again")},
                              {"dry_run", proposal.get("dry_run")},
                              {"model", proposal.get("model")},
                              {"status", remedy.status},
                              {"approval_id", remedy.approval ? json::Value(remedy.approval->to_string()) : json::Value()},
                              {"healing_run_id", remedy.healing_run.to_string()},
                              {"result_run_id", is_done ? json::Value(remedy.result_run.to_string()) : json::Value()},
                              {"new_version", remedy.new_version ? json::Value(*remedy.new_version) : json::Value()},
                              {"failure", text_or_null(remedy.failure)},
                              {"outcome", text_or_null(remedy.outcome)},
                              {"created_at", to_rfc3339(remedy.created_at)},
                              {"applied_at", time_or_null(remedy.applied_at)},
                              {"ended_at", time_or_null(remedy.ended_at)}});
}

Error no_healing() { return {ErrorClass::unavailable, "remedy.off", "This process proposes no remedies."}; }

void heal(Context& context, Call call) {
  auto* healing = agents::Healing::behind(context.d.functions);
  if (healing == nullptr) return call.fail(no_healing());
  if (!call.principal.permits(Permission::read, call.organization)) return call.fail(forbidden(Permission::read));
  const auto run = RunId::parse(text_of(call.body, "run_id"));
  if (!run) return call.fail(Error(ErrorClass::not_found, "run.not_found", "There is no run of this id."));
  agents::HealingWish wish;
  wish.run = *run;
  wish.fresh = call.body.get("fresh").truthy();
  wish.exclude_starter = call.body.get("exclude_starter").truthy();
  if (const auto role = text_of(call.body, "approvers"); !role.empty()) wish.approvers = {role};
  wish.trigger = trigger_of(context, call);
  wish.may_write = call.principal.permits(Permission::write, call.organization);
  wish.by = actor_of(call.principal);
  wish.user = call.principal.user;
  const auto asker = asker_of(call);
  const auto shared = std::make_shared<Call>(std::move(call));
  healing->propose(asker, std::move(wish), [&context, shared](const Result<agents::Proposed>& proposed) {
    if (proposed.has_error()) return shared->fail(proposed.error());
    auto reply = proposed->asked_model ? told(proposed->assisted.answer) : json::Value::object({{"status", "success"}});
    if (proposed->asked_model && !proposed->remedy && proposed->assisted.output.has_error()) reply.set("status", "given_up");
    reply.set("remedy", proposed->remedy ? shown(context, remedy_json(*proposed->remedy)) : json::Value());
    reply.set("diagnosis", proposed->diagnosis);
    reply.set("findings", findings_json(proposed->assisted.findings));
    shared->reply(200, json::to_text(reply));
  });
}

void list_remedies(Context& context, Call call) {
  auto* healing = agents::Healing::behind(context.d.functions);
  if (healing == nullptr) return call.fail(no_healing());
  Query query(call.request);
  agents::RemedyFilter filter;
  filter.limit = query.limit();
  if (const auto text = query.text("run_id"); text && !(filter.run = RunId::parse(*text))) query.problem("run_id", "must be an id");
  if (const auto text = query.text("workflow_id"); text && !(filter.workflow = WorkflowId::parse(*text))) {
    query.problem("workflow_id", "must be an id");
  }
  if (const auto text = query.text("status")) {
    if (std::ranges::find(kStatus, *text) == kStatus.end()) query.problem("status", "is none of the list's");
    if (*text != "all") filter.status = *text;
  }
  if (const auto cursor = query.text("cursor"); cursor && !(filter.before = agents::RemedyId::parse(*cursor))) {
    query.problem("cursor", "is not a cursor of this list");
  }
  PAWL_API_CHECK(query.finish());
  PAWL_API_TRY(page, healing->remedies().list(call.organization, filter));
  auto items = json::Value::array();
  for (const auto& remedy : page.remedies) items.push_back(shown(context, remedy_json(remedy)));
  call.reply(200, json::to_text(json::Value::object(
                      {{"items", std::move(items)}, {"next_cursor", page.next ? json::Value(page.next->to_string()) : json::Value()}})));
}

void get_remedy(Context& context, Call call) {
  auto* healing = agents::Healing::behind(context.d.functions);
  if (healing == nullptr) return call.fail(no_healing());
  PAWL_API_TRY(id, path_id<agents::RemedyId>(call.request, "remedy_id", "remedy.not_found", "remedy"));
  PAWL_API_TRY(remedy, healing->remedies().get(call.organization, id));
  call.reply(200, json::to_text(shown(context, remedy_json(remedy))));
}

void find_remedy(Context& context, const http::Request& request, Found done) {
  auto* healing = agents::Healing::behind(context.d.functions);
  if (healing == nullptr) return done(Error(ErrorClass::not_found, "remedy.not_found", "There are no remedies here."));
  const auto owner = [healing](const agents::RemedyId& id) { return healing->remedies().owner(id); };
  find_stored(context, agents::RemedyId::parse(request.param("remedy_id")), owner, std::move(done));
}

const Owner kRemedyOwner{&find_remedy, "remedy.not_found", "remedy"};

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Shape words(std::string_view example) { return Shape::any(example); }

Shape remedy_shape() {
  const auto model = Shape::object("RemedyModel", {{"provider", Shape::text("openai")},
                                                   {"model", Shape::text("gpt-4o-mini")},
                                                   {"prompt", Shape::text("heal@1")},
                                                   {"rounds", Shape::integer(1)},
                                                   {"tokens", Shape::integer(1800)},
                                                   {"cost", Shape::number(0.0004).or_null()},
                                                   {"scripted", Shape::boolean(false)}});
  return Shape::object(
      "Remedy",
      {{"id", Shape::id()},
       {"run_id", Shape::id().described("The run that failed.")},
       {"workflow_id", Shape::id()},
       {"workflow_name", Shape::text("nightly", 1000)},
       {"version", Shape::integer(3).described("Of the run that failed.")},
       {"error_kind", Shape::text("/do/0/fetch communication 503: Service unavailable", 2000)},
       {"kind", Shape::choice({"retry", "rerun", "new_version"})},
       {"source",
        Shape::choice({"model", "learned"}).described("`learned`: it worked for this kind of error before, and no model was asked.")},
       {"root_cause", words("The address is misspelt.")},
       {"explanation", words("The host of the first task is corrected.")},
       {"confidence", words("high")},
       {"from", words("/do/0/fetch").described("Of `retry`: the task's reference; null: where it failed.")},
       {"input", Shape::any(nullptr).described("Null: what there was.")},
       {"document", Shape::any(nullptr).described("Of `new_version`: the new document as text.")},
       {"diff", Shape::any("@@ -1,3 +1,3 @@\n-a\n+b\n").described("Of `new_version`: a unified difference.")},
       {"added_capabilities", Shape::any(nullptr).described("Of `new_version`: what it can reach and the current one cannot.")},
       {"weakened", Shape::array(Shape::text("The approval /ask is gone", 10'000), 10'000)
                        .described("Of `new_version`: approvals and limits that it gives up or changes.")},
       {"done_again", Shape::array(Shape::text("/do/0/fetch", 10'000), 1000)
                          .described("Calls that went well and that a run from the beginning makes once more.")},
       {"dry_run", dry_run_shape().or_null().described("Null for `retry`, which goes on within the run.")},
       {"model", Shape(model).or_null()},
       {"status", Shape::choice({"proposed", "rejected", "applying", "applied", "failed"})},
       {"approval_id", Shape::id().or_null().described("The question in the inbox.")},
       {"healing_run_id", Shape::id().described("The run that asks and applies.")},
       {"result_run_id", Shape::id().or_null().described("The run whose end says whether it worked.")},
       {"new_version", Shape::integer(4).or_null()},
       {"failure", Shape::text("The workflow has version 5 by now.", 20'000).or_null()},
       {"outcome", Shape::choice({"worked", "failed"}).or_null()},
       {"created_at", Shape::time()},
       {"applied_at", Shape::time().or_null()},
       {"ended_at", Shape::time().or_null()}});
}

/// Where something worked before no model is asked, and nothing is told of one.
Shape heal_reply_shape() {
  const auto diagnosis = Shape::object(
      "FailureDiagnosis",
      {{"root_cause", words("The address is misspelt.")}, {"explanation", words("Correct it.")}, {"confidence", words("high")}});
  return Shape::object("HealReply",
                       {{"status", Shape::choice({"success", "given_up"})},
                        {"remedy", remedy_shape().or_null().described("Null: there is none; the diagnosis says what a person can do.")},
                        {"diagnosis", diagnosis},
                        {"findings", Shape::array(finding_shape(), 1000)},
                        {"provider", Shape::text("openai"), Shape::kOptional},
                        {"model", Shape::text("gpt-4o-mini"), Shape::kOptional},
                        {"tokens_used", Shape::integer(1800), Shape::kOptional},
                        {"usage", Shape::any(json::Value::object()), Shape::kOptional},
                        {"cost", Shape::any(0.0004), Shape::kOptional},
                        {"attempts", Shape::any(json::Value::array()), Shape::kOptional},
                        {"scripted", Shape::boolean(false), Shape::kOptional}});
}

}  // namespace

std::vector<Route> healing_routes() {
  std::vector<Route> rows;
  rows.push_back(
      {.method = http::Method::post,
       .path = "/api/llm/heal",
       .id = "proposeRemedy",
       .tag = "llm",
       .summary = "Propose a remedy for a failed run, and ask a person for approval",
       .permission = Permission::execute,
       .handler = heal,
       .rate = RateClass::model,
       .body = Body::json,
       .request =
           with_whom("HealRequest",
                     {{"run_id", Shape::id()},
                      {"fresh", Shape::boolean(false).described("Ask a model also where something worked before."), Shape::kOptional},
                      {"approvers", Shape::choice({"member", "admin", "owner"}).described("Who may approve: this role and those above it."),
                       Shape::kOptional},
                      {"exclude_starter", Shape::boolean(false).described("Whoever asks may not approve."), Shape::kOptional}}),
       .reply = heal_reply_shape(),
       .description = "Nothing is changed before the approval (`GET /api/approvals`), which no API key gives, nor whoever asks where "
                      "somebody else could. "
                      "A new version is proposed only to who has the permission `write`. 409 `run.not_failed`, `remedy.open`, "
                      "`remedy.applied`."});
  rows.push_back(
      {.method = http::Method::get,
       .path = "/api/llm/remedies",
       .id = "listRemedies",
       .tag = "llm",
       .summary = "List remedies, newest first",
       .permission = Permission::read,
       .handler = list_remedies,
       .runs = Runs::pool,
       .query = {limit_parameter(),
                 cursor_parameter(),
                 {"run_id", Shape::id(), "of this failed run"},
                 {"workflow_id", Shape::id(), "of this workflow"},
                 {"status", Shape::choice({"proposed", "rejected", "applying", "applied", "failed", "all"}), "all, if left out"}},
       .reply = Shape::page("RemedyPage", remedy_shape())});
  rows.push_back({.method = http::Method::get,
                  .path = "/api/llm/remedies/{remedy_id}",
                  .id = "getRemedy",
                  .tag = "llm",
                  .summary = "Read a remedy",
                  .permission = Permission::read,
                  .handler = get_remedy,
                  .runs = Runs::pool,
                  .owner = &kRemedyOwner,
                  .reply = remedy_shape()});
  return rows;
}

}  // namespace pawl::api::detail
