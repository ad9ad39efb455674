// What runs ask people: into the inbox with the batch that makes it durable, and decisions.
#include <algorithm>

#include "engine/detail/run.hpp"
#include "engine/observer.hpp"
#include "engine/shard.hpp"

namespace pawl::engine {
namespace {

Error closed() {
  return {ErrorClass::conflict, "approval.closed",
          "This approval cannot be decided any more: it was decided, or the run does not wait for it."};
}

/// As it may be stored and shown: the digest is made of this, so that it says the same whoever looks.
template <class AnyRun>
json::Value shown_request(const AnyRun& run, const ApprovalRequest& request) {
  return run.shown(to_json(request));
}

}  // namespace

void Shard::ask_people(Run& run, RequestApproval asked) {
  const auto& reference = run.machine->plan().task(asked.task).reference;
  const auto request = shown_request(run, asked.request);
  const auto number = asked.approval;
  run.approvals.emplace_back(ApprovalAsked{.number = asked.approval,
                                           .task = reference,
                                           .digest = approval_digest(run.identity.id, reference, asked.approval, request),
                                           .starter = starter_of(run.trigger),
                                           .at = asked.at,
                                           .request = approval_request(request)});
  run.questions.insert_or_assign(number, std::move(asked));
}

void Shard::close_approval(Run& run, CloseApproval closing) {
  closing.data = run.shown(closing.data);
  report_question(run, closing);
  run.approvals.emplace_back(std::move(closing));
}

/// For the audit trail it is the execution of a function, from the question to its end.
void Shard::report_question(Run& run, const CloseApproval& closing) {
  using How = CloseApproval::How;
  const auto question = run.questions.extract(closing.approval);
  if (world_.effects == nullptr || question.empty()) return;
  const auto& asked = question.mapped();
  const bool faults = closing.how == How::expired && asked.request.on_deadline == "fault";
  const auto error = faults ? make_error("timeout", 408, "Not decided in time", {}) : json::Value();
  const auto arguments = shown_request(run, asked.request);
  const auto end = closing.how == How::withdrawn ? EffectReport::End::cancelled
                   : faults                      ? EffectReport::End::failure
                                                 : EffectReport::End::success;
  world_.effects->ended({.run = run.identity,
                         .trigger = run.trigger,
                         .secrets = run.machine->info().secrets,
                         .reference = run.machine->plan().task(asked.task).reference,
                         .attempt = 1,
                         .function = kApproval,
                         .arguments = arguments,
                         .end = end,
                         .error = error,
                         .reason = {},
                         .awaited = true,
                         .began = asked.at,
                         .ended = closing.at});
}

void Shard::decide(const OrganizationId& organization, const RunId& id, ApprovalDecision decision, Engine::Acknowledged done) {
  const auto found = [this, organization, id, decision, done](Run& run) {
    if (run.is_final()) return done(closed());
    if (!run.machine) return done(Error{ErrorClass::unavailable, "run.broken", run.broken});
    // What came before may decide it: a deadline, or somebody else. Whoever is acknowledged was the one.
    if (run.paused || !run.inbox.empty()) {
      return world_.host.on_shard_of(id,
                                     [organization, id, decision, done](Shard& shard) { shard.decide(organization, id, decision, done); });
    }
    if (const auto checked = check_decision(run, decision); checked.has_error()) return done(checked.error());
    run.pending.push_back({run.inputs + 1, done});
    input(run, ApprovalDecided{decision.number, decision.approved, decision.by.id, decision.comment, decision.data});
  };
  with_run(organization, id, found, [done](Result<StoredRun>& stored) {
    if (stored.has_error()) return done(stored.error());
    done(closed());
  });
}

Result<void> Shard::check_decision(const Run& run, const ApprovalDecision& decision) {
  const auto pending = run.machine->pending_approvals();
  const auto asked =
      std::find_if(pending.begin(), pending.end(), [&](const RequestApproval& each) { return each.approval == decision.number; });
  if (asked == pending.end()) return closed();
  const auto& reference = run.machine->plan().task(asked->task).reference;
  if (decision.digest != approval_digest(run.identity.id, reference, decision.number, shown_request(run, asked->request))) {
    return Error(ErrorClass::conflict, "approval.changed", "This is not what was asked: look at the approval again.");
  }
  PAWL_TRY_VOID(check_decider(asked->request, {}, decision.by));
  for (const auto& starter : starters_of(run.trigger)) PAWL_TRY_VOID(check_decider(asked->request, starter, decision.by));
  if (!decision.approved && decision.data.is_null()) return {};  // a rejection owes nobody a form
  return check_answer(asked->request.form, decision.data);
}

/// It is durable: whoever follows the inbox hears of it.
void Shard::tell_approval(const Run& run, const ApprovalWrite& write) const {
  if (world_.observer == nullptr || !world_.observer->wants(run.identity.organization)) return;
  const auto* asked = std::get_if<ApprovalAsked>(&write);
  const auto* closing = std::get_if<CloseApproval>(&write);
  ApprovalNotice notice;
  notice.run = run.identity.id;
  notice.organization = run.identity.organization;
  notice.workflow = run.identity.workflow;
  notice.workflow_name = run.identity.workflow_name;
  notice.approval = approval_key(run.identity.id, asked != nullptr ? asked->number : closing->approval).uuid;
  notice.status = asked != nullptr ? std::string_view("open") : to_text(closing->how);
  world_.observer->asked(notice);
}

}  // namespace pawl::engine
