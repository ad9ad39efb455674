#include "api/detail/owners.hpp"

#include "api/detail/find_stored.hpp"
#include "integrations/integrations.hpp"
#include "notify/channels.hpp"
#include "notify/notifications.hpp"

namespace pawl::api::detail {
namespace {

/// From memory where `cached` knows, else from the database.
template <class AnyId, class Store>
void find_in(Context& context, Store& store, std::optional<AnyId> id, Found done) {
  if (id) {
    if (const auto known = store.cached_owner(*id)) return done(*known);
  }
  find_stored(
      context, id, [&store](const AnyId& each) { return store.owner(each); }, std::move(done));
}

void find_workflow(Context& context, const http::Request& request, Found done) {
  find_in(context, context.d.catalog, WorkflowId::parse(request.param("workflow_id")), std::move(done));
}

void find_schedule(Context& context, const http::Request& request, Found done) {
  find_in(context, context.d.scheduler, ScheduleId::parse(request.param("schedule_id")), std::move(done));
}

void find_dead_letter(Context& context, const http::Request& request, Found done) {
  const auto owner = [&context](const RunId& id) { return context.dead_letters->owner(id); };
  find_stored(context, RunId::parse(request.param("dead_letter_id")), owner, std::move(done));
}

void find_approval(Context& context, const http::Request& request, Found done) {
  const auto owner = [&context](const engine::ApprovalKey& id) { return context.approvals->owner(id); };
  find_stored(context, engine::ApprovalKey::parse(request.param("approval_id")), owner, std::move(done));
}

void find_run(Context& context, const http::Request& request, Found done) {
  const auto id = RunId::parse(request.param("run_id"));
  if (!id) return done(Error(ErrorClass::not_found, "run.not_found", "What is not an id names nothing."));
  context.d.engine.owner(*id, std::move(done));
}

void find_organization(Context&, const http::Request& request, Found done) {
  const auto id = OrganizationId::parse(request.param("org_id"));
  if (!id) return done(Error(ErrorClass::not_found, "organization.not_found", "What is not an id names nothing."));
  done(*id);
}

void find_integration(Context& context, const http::Request& request, Found done) {
  find_in(context, *context.d.integrations, IntegrationId::parse(request.param("integration_id")), std::move(done));
}

void find_notification(Context& context, const http::Request& request, Found done) {
  const auto owner = [&context](const notify::NotificationId& id) { return context.d.notifications->owner(id); };
  find_stored(context, notify::NotificationId::parse(request.param("notification_id")), owner, std::move(done));
}

void find_channel(Context& context, const http::Request& request, Found done) {
  const auto owner = [&context](const notify::ChannelId& id) { return context.d.channels->owner(id); };
  find_stored(context, notify::ChannelId::parse(request.param("channel_id")), owner, std::move(done));
}

}  // namespace

const Owner kWorkflowOwner{find_workflow, "workflow.not_found", "workflow"};
const Owner kRunOwner{find_run, "run.not_found", "run"};
const Owner kScheduleOwner{find_schedule, "schedule.not_found", "schedule"};
const Owner kOrganizationOwner{find_organization, "organization.not_found", "organization"};
const Owner kDeadLetterOwner{find_dead_letter, "dead_letter.not_found", "dead letter"};
const Owner kApprovalOwner{find_approval, "approval.not_found", "approval"};
const Owner kIntegrationOwner{find_integration, "integration.not_found", "integration"};
const Owner kNotificationOwner{find_notification, "notification.not_found", "notification"};
const Owner kNotificationChannelOwner{find_channel, "notification_channel.not_found", "notification channel"};

}  // namespace pawl::api::detail
