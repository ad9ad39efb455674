// CloudEvents into runs: to one, or to all that listen and to the schedules that wait for events.
#include "api/cloud_event.hpp"
#include "api/detail/context.hpp"
#include "api/json_writer.hpp"

namespace pawl::api::detail::handlers {
namespace {

std::string accepted_text(const json::Value& event) {
  std::string out;
  {
    ObjectWriter object(out);
    object.text("status", "accepted");
    object.value("id", event.get("id"));
  }
  return out;
}

}  // namespace

void deliver_event(Context& context, Call call) {
  PAWL_API_TRY(id, run_id(call.request));
  PAWL_API_TRY(event, read_cloud_event(call.request));
  const auto shared = std::make_shared<Call>(std::move(call));
  auto reply = accepted_text(event);
  context.d.engine.deliver(shared->principal.organization, id, std::move(event), [shared, reply = std::move(reply)](Result<void> result) {
    if (result.has_error()) return shared->fail(result.error());
    shared->reply(202, reply);
  });
}

void publish_event(Context& context, Call call) {
  PAWL_API_TRY(event, read_cloud_event(call.request));
  const auto shared = std::make_shared<Call>(std::move(call));
  const auto organization = shared->principal.organization;
  auto reply = accepted_text(event);
  // First the schedules, then the runs: a repeated request is harmless for both, since each remembers the event's id.
  context.d.scheduler.take_event(organization, event,
                                 [&context, shared, event, organization, reply = std::move(reply)](Result<void> taken) {
                                   if (taken.has_error()) return shared->fail(taken.error());
                                   context.d.engine.publish(organization, event, [shared, reply](Result<void> result) {
                                     if (result.has_error()) return shared->fail(result.error());
                                     shared->reply(202, reply);
                                   });
                                 });
}

}  // namespace pawl::api::detail::handlers
