#include "api/detail/owners.hpp"

#include "api/detail/context.hpp"
#include "integrations/integrations.hpp"
#include "notify/channels.hpp"
#include "notify/notifications.hpp"

namespace pawl::api::detail {
namespace {

using Found = std::function<void(Result<OrganizationId>)>;

Error busy() { return {ErrorClass::unavailable, "server.busy", "The server is busy; try again."}; }

/// From memory where `cached` knows, else by `stored` on the pool.
template <class AnyId, class Store>
void find_in(Context& context, Store& store, std::optional<AnyId> id, Found done) {
  if (!id) return done(Error(ErrorClass::not_found, "object.not_found", "What is not an id names nothing."));
  if (const auto known = store.cached_owner(*id)) return done(*known);
  const auto shared = std::make_shared<Found>(std::move(done));
  if (!context.d.pool.try_post([&store, id = *id, shared] { (*shared)(store.owner(id)); })) (*shared)(busy());
}

void find_workflow(Context& context, const http::Request& request, Found done) {
  find_in(context, context.d.catalog, WorkflowId::parse(request.param("workflow_id")), std::move(done));
}

void find_schedule(Context& context, const http::Request& request, Found done) {
  find_in(context, context.d.scheduler, ScheduleId::parse(request.param("schedule_id")), std::move(done));
}

void find_dead_letter(Context& context, const http::Request& request, Found done) {
  const auto id = RunId::parse(request.param("dead_letter_id"));
  if (!id) return done(Error(ErrorClass::not_found, "dead_letter.not_found", "What is not an id names nothing."));
  const auto shared = std::make_shared<Found>(std::move(done));
  if (!context.d.pool.try_post([&context, id = *id, shared] { (*shared)(context.dead_letters->owner(id)); })) (*shared)(busy());
}

void find_approval(Context& context, const http::Request& request, Found done) {
  const auto id = engine::ApprovalKey::parse(request.param("approval_id"));
  if (!id) return done(Error(ErrorClass::not_found, "approval.not_found", "What is not an id names nothing."));
  const auto shared = std::make_shared<Found>(std::move(done));
  if (!context.d.pool.try_post([&context, id = *id, shared] { (*shared)(context.approvals->owner(id)); })) (*shared)(busy());
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

template <class AnyId, class Store>
void find_stored(Context& context, Store& store, std::optional<AnyId> id, Found done) {
  if (!id) return done(Error(ErrorClass::not_found, "object.not_found", "What is not an id names nothing."));
  const auto shared = std::make_shared<Found>(std::move(done));
  if (!context.d.pool.try_post([&store, id = *id, shared] { (*shared)(store.owner(id)); })) (*shared)(busy());
}

void find_notification(Context& context, const http::Request& request, Found done) {
  find_stored(context, *context.d.notifications, notify::NotificationId::parse(request.param("notification_id")), std::move(done));
}

void find_channel(Context& context, const http::Request& request, Found done) {
  find_stored(context, *context.d.channels, notify::ChannelId::parse(request.param("channel_id")), std::move(done));
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
