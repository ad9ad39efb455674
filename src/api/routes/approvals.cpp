// Approvals: what runs ask people. The inbox, and decisions.
#include "catalog/approvals.hpp"

#include <algorithm>
#include <array>

#include "api/body.hpp"
#include "api/detail/deciding.hpp"
#include "api/detail/owners.hpp"
#include "api/detail/render.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"

namespace pawl::api::detail {
namespace {

constexpr std::array<std::string_view, 6> kStatus = {"open", "approved", "rejected", "expired", "withdrawn", "all"};
constexpr std::size_t kMaxComment = 2000;

Result<engine::ApprovalKey> approval_id(const http::Request& request) {
  return path_id<engine::ApprovalKey>(request, "approval_id", "approval.not_found", "approval");
}

void append_approval(std::string& out, const catalog::ApprovalView& view) {
  const auto& request = view.request;
  const auto names = [&out](std::string& place, const std::vector<std::string>& list) {
    append_array(place, list, [&](const std::string& name) { json::append_quoted(out, name); });
  };
  ObjectWriter object(out);
  object.text("id", view.id.to_string());
  object.text("run_id", view.run.to_string());
  object.text("workflow_id", view.workflow.to_string());
  object.text("workflow_name", view.workflow_name);
  object.integer("version", view.version);
  object.text("task", view.task);
  object.text("title", request.title);
  object.text("message", request.message);
  object.value("data", request.data);
  object.value("form", request.form);
  names(object.raw("roles"), request.roles);
  names(object.raw("users"), request.users);
  object.boolean("exclude_starter", request.exclude_starter);
  object.text_or_null("started_by", view.starter);
  object.time("deadline", request.deadline);
  object.text("on_deadline", request.on_deadline);
  object.text("digest", view.digest);
  object.text("status", view.status);
  object.boolean("can_decide", view.can_decide);
  object.time("created_at", view.created_at);
  object.time("decided_at", view.decided_at);
  object.text_or_null("decided_by", view.decided_by);
  object.text("comment", view.comment);
  object.value("answer", view.data);
}

void list_approvals(Context& context, Call call) {
  Query query(call.request);
  catalog::ApprovalFilter filter;
  filter.limit = query.limit();
  if (const auto text = query.text("status")) {
    filter.status = *text;
    if (std::find(kStatus.begin(), kStatus.end(), *text) == kStatus.end()) query.problem("status", "is none of the list's");
  }
  if (const auto text = query.text("mine")) {
    filter.mine = *text == "true";
    if (*text != "true" && *text != "false") query.problem("mine", "must be true or false");
  }
  if (const auto text = query.text("run_id")) {
    filter.run = RunId::parse(*text);
    if (!filter.run) query.problem("run_id", "must be an id");
  }
  if (const auto cursor = query.text("cursor")) {
    filter.before = engine::ApprovalKey::parse(*cursor);
    if (!filter.before) query.problem("cursor", "is not a cursor of this list");
  }
  PAWL_API_CHECK(query.finish());
  PAWL_API_TRY(who, decider_of(context, call));
  PAWL_API_TRY(page, context.approvals->list(call.organization, filter, who));
  for (auto& view : page.approvals) PAWL_API_TRY_VOID(complete(context, call, view));
  if (filter.mine) std::erase_if(page.approvals, [](const catalog::ApprovalView& view) { return !view.can_decide; });
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.approvals, [&](const catalog::ApprovalView& view) { append_approval(out, view); });
    object.text_or_null("next_cursor", page.next ? page.next->to_string() : "");
  }
  call.reply(200, std::move(out));
}

void get_approval(Context& context, Call call) {
  PAWL_API_TRY(id, approval_id(call.request));
  PAWL_API_TRY(who, decider_of(context, call));
  PAWL_API_TRY(view, context.approvals->get(call.organization, id, who));
  PAWL_API_TRY_VOID(complete(context, call, view));
  std::string out;
  append_approval(out, view);
  call.reply(200, std::move(out));
}

void decide(Context& context, Call call, bool approved) {
  PAWL_API_TRY(id, approval_id(call.request));
  Fields fields(std::move(call.body));
  engine::ApprovalDecision decision;
  decision.approved = approved;
  fields.require("digest");
  decision.digest = fields.text("digest").value_or("");
  decision.comment = fields.text("comment", kMaxComment).value_or("");
  decision.data = fields.value("data").value_or(json::Value());
  PAWL_API_CHECK(fields.finish());
  const auto shared = std::make_shared<Call>(std::move(call));
  decide_approval(context, *shared, id, std::move(decision), [shared, id, approved](Result<RunId> run) {
    if (run.has_error()) return shared->fail(run.error());
    std::string out;
    {
      ObjectWriter object(out);
      object.text("id", id.to_string());
      object.text("run_id", run->to_string());
      object.text("status", approved ? "approved" : "rejected");
    }
    shared->reply(200, std::move(out));
  });
}

void approve(Context& context, Call call) { decide(context, std::move(call), true); }
void reject(Context& context, Call call) { decide(context, std::move(call), false); }

// ---- rows -----------------------------------------------------------------------------------------------------------------------

constexpr std::string_view kDigest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

Shape status_shape() { return Shape::choice({"open", "approved", "rejected", "expired", "withdrawn"}); }

Shape approval_shape() {
  return Shape::object("Approval",
                       {{"id", Shape::id()},
                        {"run_id", Shape::id()},
                        {"workflow_id", Shape::id()},
                        {"workflow_name", Shape::text("pay-invoice", 10'000)},
                        {"version", Shape::integer(1, 1)},
                        {"task", Shape::text("/do/1/ask", 10'000).described("Reference of the task that asks.")},
                        {"title", Shape::text("Pay 900 EUR to ACME?", 10'000)},
                        {"message", Shape::text("The invoice is larger than usual.", 100'000)},
                        {"data", Shape::any(json::Value::object({{"amount", 900}})).described("What is to be decided about.")},
                        {"form", Shape::any(json::Value()).described("JSON Schema of the data that an approval brings along; null: none.")},
                        {"roles", Shape::array(Shape::text("admin")).described("Who may decide: these roles and those above them.")},
                        {"users", Shape::array(Shape::text("ada@example.org", 1000)).described("And these, by id or confirmed address.")},
                        {"exclude_starter", Shape::boolean(false)},
                        {"started_by", Shape::text("0198c5f2-7a10-7c3e-9d4b-2f6a8e1b3c5d").or_null()},
                        {"deadline", Shape::time().or_null()},
                        {"on_deadline", Shape::choice({"reject", "approve", "fault"})},
                        {"digest", Shape::text(kDigest).described("What is asked, as a hash: a decision names it.")},
                        {"status", status_shape()},
                        {"can_decide", Shape::boolean(true).described("Whether you may decide, and it is open.")},
                        {"created_at", Shape::time()},
                        {"decided_at", Shape::time().or_null()},
                        {"decided_by", Shape::id().or_null().described("The user; null: a deadline, or the installation's own key.")},
                        {"comment", Shape::text("", 10'000)},
                        {"answer", Shape::any(json::Value()).described("The data that came with the decision.")}});
}

Shape decision_shape() {
  return Shape::object("ApprovalDecision", {{"digest", Shape::text(kDigest).at_least(1)},
                                            {"comment", Shape::text("Checked with the supplier.", kMaxComment), Shape::kOptional},
                                            {"data", Shape::any(json::Value()).described("What the form asks for."), Shape::kOptional}});
}

Shape decided_shape() {
  return Shape::object("ApprovalDecided",
                       {{"id", Shape::id()}, {"run_id", Shape::id()}, {"status", Shape::choice({"approved", "rejected"})}});
}

constexpr std::string_view kDecides =
    "`digest` is that of the approval as you saw it: a decision about anything else is refused (409 `approval.changed`), as one about an "
    "approval that is not open any more (409 `approval.closed`). Whoever may not decide gets 403 `approval.forbidden`; data that does not "
    "fit the form 422 `approval.invalid_data`. The answer comes when the decision is durable.";

}  // namespace

std::vector<Route> approval_routes() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/api/approvals",
       .id = "listApprovals",
       .tag = "approvals",
       .summary = "List what runs ask people, newest first",
       .permission = Permission::read,
       .handler = list_approvals,
       .runs = Runs::pool,
       .query = {{"status", Shape::choice({"open", "approved", "rejected", "expired", "withdrawn", "all"}), "`open` where left out."},
                 {"mine", Shape::boolean(true), "Only what you may decide."},
                 {"run_id", Shape::id(), "Of this run."},
                 limit_parameter(),
                 cursor_parameter()},
       .reply = Shape::page("ApprovalPage", approval_shape())},
      {.method = Method::get,
       .path = "/api/approvals/{approval_id}",
       .id = "getApproval",
       .tag = "approvals",
       .summary = "Read an approval",
       .permission = Permission::read,
       .handler = get_approval,
       .runs = Runs::pool,
       .owner = &kApprovalOwner,
       .reply = approval_shape()},
      {.method = Method::post,
       .path = "/api/approvals/{approval_id}/approve",
       .id = "approve",
       .tag = "approvals",
       .summary = "Approve what a run asks",
       .permission = Permission::execute,
       .handler = approve,
       .runs = Runs::pool,
       .owner = &kApprovalOwner,
       .body = Body::json,
       .request = decision_shape(),
       .reply = decided_shape(),
       .description = kDecides},
      {.method = Method::post,
       .path = "/api/approvals/{approval_id}/reject",
       .id = "reject",
       .tag = "approvals",
       .summary = "Reject what a run asks",
       .permission = Permission::execute,
       .handler = reject,
       .runs = Runs::pool,
       .owner = &kApprovalOwner,
       .body = Body::json,
       .request = decision_shape(),
       .reply = decided_shape(),
       .description = kDecides},
  };
}

}  // namespace pawl::api::detail
