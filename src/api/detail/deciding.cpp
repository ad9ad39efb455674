#include "api/detail/deciding.hpp"

#include "agents/healing.hpp"
#include "agents/remedies.hpp"

namespace pawl::api::detail {
namespace {

/// A remedy is decided by a person who is signed in and may change workflows: an API key could approve what it proposed itself.
Result<bool> needs_session(Context& context, const Call& call, const RunId& run) {
  const bool is_person =
      call.principal.kind != identity::Principal::Kind::api_key && call.principal.permits(Permission::write, call.organization);
  auto* healing = is_person ? nullptr : agents::Healing::behind(context.d.functions);
  if (healing == nullptr) return false;
  return healing->remedies().is_asked_by(call.organization, run);
}

}  // namespace

Result<engine::Decider> decider_of(Context& context, const Call& call) {
  const auto role = call.principal.role_in(call.organization).value_or(identity::Role::viewer);
  return context.approvals->decider(call.principal.user, identity::to_text(role));
}

Result<void> complete(Context& context, const Call& call, catalog::ApprovalView& view) {
  if (!view.can_decide) return {};
  PAWL_TRY(is_refused, needs_session(context, call, view.run));
  view.can_decide = !is_refused;
  return {};
}

void decide_approval(Context& context, const Call& call, const engine::ApprovalKey& id, engine::ApprovalDecision decision,
                     std::function<void(Result<RunId>)> done) {
  auto who = decider_of(context, call);
  if (who.has_error()) return done(who.error());
  const auto view = context.approvals->get(call.organization, id, *who);
  if (view.has_error()) return done(view.error());
  const auto is_refused = needs_session(context, call, view->run);
  if (is_refused.has_error()) return done(is_refused.error());
  if (*is_refused) {
    return done(Error(ErrorClass::denied, "approval.forbidden",
                      "A remedy is decided by people who are signed in and may change workflows; no API key does it."));
  }
  decision.by = std::move(*who);
  context.approvals->decide(call.organization, id, std::move(decision), std::move(done));
}

}  // namespace pawl::api::detail
