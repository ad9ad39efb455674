// CloudEvents into runs: to one, or to all that listen and to the schedules that wait for events.
#include "api/cloud_event.hpp"
#include "api/detail/context.hpp"
#include "api/detail/owners.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"

namespace pawl::api::detail {
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

void deliver_event(Context& context, Call call) {
  PAWL_API_TRY(id, run_id(call.request));
  PAWL_API_TRY(event, read_cloud_event(call.request));
  const auto shared = std::make_shared<Call>(std::move(call));
  auto reply = accepted_text(event);
  context.d.engine.deliver(shared->organization, id, std::move(event), [shared, reply = std::move(reply)](Result<void> result) {
    if (result.has_error()) return shared->fail(result.error());
    shared->reply(202, reply);
  });
}

void publish_event(Context& context, Call call) {
  PAWL_API_TRY(event, read_cloud_event(call.request));
  const auto shared = std::make_shared<Call>(std::move(call));
  const auto organization = shared->organization;
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

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Shape cloud_event_shape() {
  return Shape::object("CloudEvent", {{"specversion", Shape::text("1.0")},
                                      {"id", Shape::text("4711")},
                                      {"source", Shape::text("/orders")},
                                      {"type", Shape::text("com.example.order.paid")},
                                      {"data", Shape::any(json::Value::object({{"order", 4711}})), Shape::kOptional}})
      .open();
}

Shape accepted_shape() {
  return Shape::object("EventAccepted", {{"status", Shape::text("accepted")}, {"id", Shape::text("4711", 10'000)}});
}

}  // namespace

std::vector<Route> event_routes() {
  using http::Method;
  return {
      {.method = Method::post,
       .path = "/api/runs/{run_id}/events",
       .id = "deliverEvent",
       .tag = "events",
       .summary = "Send a CloudEvent to a run",
       .permission = Permission::execute,
       .handler = deliver_event,
       .owner = &kRunOwner,
       .body = Body::raw,
       .request = cloud_event_shape(),
       .status = 202,
       .reply = accepted_shape()},
      {.method = Method::post,
       .path = "/api/events",
       .id = "publishEvent",
       .tag = "events",
       .summary = "Publish a CloudEvent",
       .permission = Permission::execute,
       .handler = publish_event,
       .body = Body::raw,
       .request = cloud_event_shape(),
       .status = 202,
       .reply = accepted_shape()},
  };
}

}  // namespace pawl::api::detail
