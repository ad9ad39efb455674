// GET /api/runs/{run_id}/events: what happens in a run, as server-sent events.
//
//     id: 7
//     event: task | status
//     data: {...}
//
// `id` is the update's number within the run. A client that comes back with `Last-Event-ID` gets what it missed; where those updates are no
// longer in memory it gets the run's present records instead, which contain them. The stream ends with the run, and with the permission
// that it was opened with.
#include <charconv>

#include "api/detail/context.hpp"
#include "api/detail/render.hpp"
#include "api/detail/shown.hpp"
#include "api/detail/subscriber.hpp"
#include "api/json_writer.hpp"

namespace pawl::api::detail::handlers {
namespace {

std::string event_text(std::uint64_t sequence, std::string_view name, const std::string& data) {
  std::string out;
  out.reserve(data.size() + 64);
  if (sequence > 0) out += "id: " + std::to_string(sequence) + "\n";
  out += "event: ";
  out += name;
  out += "\ndata: ";  // JSON has no line breaks
  out += data;
  out += "\n\n";
  return out;
}

std::string status_data(const RunId& run, engine::Phase phase, const json::Value& output, const json::Value& error) {
  std::string out;
  {
    ObjectWriter object(out);
    object.text("id", run.to_string());
    object.text("status", engine::to_text(phase));
    if (phase == engine::Phase::completed) object.value("output", output);
    if (phase == engine::Phase::faulted || phase == engine::Phase::cancelled) object.value("error", error);
  }
  return out;
}

/// One open stream: ends the subscription when the client leaves and the stream when the run ends.
struct Subscription {
  Context& context;
  RunId run;
  std::shared_ptr<http::EventStream> stream;
  std::uint64_t token = 0;

  void send(const engine::RunUpdate& update) {
    if (update.task) {
      std::string data;
      append_task(data, shown(context, *update.task));
      static_cast<void>(stream->send(event_text(update.sequence, "task", data)));
    }
    if (!update.phase) return;
    static_cast<void>(stream->send(event_text(
        update.sequence, "status", status_data(run, *update.phase, shown(context, update.output), shown(context, update.error)))));
    if (engine::is_final(*update.phase)) stream->close();
  }
};

/// A run that has ended tells its whole story at once.
void send_finished(http::EventStream& stream, const engine::RunView& view) {
  for (const auto& task : view.tasks) {
    std::string data;
    append_task(data, task);
    if (!stream.send(event_text(0, "task", data))) return;
  }
  static_cast<void>(stream.send(event_text(0, "status", status_data(view.id, view.phase, view.output, view.error))));
  stream.close();
}

std::uint64_t last_event(const http::Request& request) {
  const auto text = request.header("Last-Event-ID");
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failed == std::errc{} && end == text.data() + text.size() ? number : 0;
}

}  // namespace

void stream_run(Context& context, Call call) {
  PAWL_API_TRY(id, run_id(call.request));
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.engine.view(shared->organization, id, true, [&context, shared, id](Result<engine::RunView> view) {
    if (view.has_error()) return shared->fail(view.error());
    const bool finished = engine::is_final(view->phase);
    // The hub is asked before the answer begins: afterwards there would be no other status to give.
    const auto watch = std::make_shared<Watch>();
    std::optional<live::Hub::Id> watched;
    if (!finished && context.d.live != nullptr) {
      auto opened = context.d.live->open(subscriber_of(*shared), watch);
      if (opened.has_error()) return shared->fail(opened.error());
      watched = *opened;
    }
    http::Headers headers;
    headers.add("Cache-Control", "no-store");
    auto stream = shared->responder.stream(std::move(headers));
    if (finished) return send_finished(*stream, shown(context, std::move(*view)));
    watch->begin(stream);
    const auto subscription = std::make_shared<Subscription>(Subscription{context, id, stream, 0});
    subscription->token = context.d.engine.subscribe(id, last_event(shared->request),
                                                     [subscription](const engine::RunUpdate& update) { subscription->send(update); });
    stream->on_close([subscription, watched] {
      auto& d = subscription->context.d;
      d.engine.unsubscribe(subscription->run, subscription->token);
      if (watched) d.live->close(*watched);
    });
    // It may have ended between the first look and the subscription.
    context.d.engine.view(shared->organization, id, true, [&context, stream](Result<engine::RunView> again) {
      if (again.has_value() && engine::is_final(again->phase) && !stream->closed())
        send_finished(*stream, shown(context, std::move(*again)));
    });
  });
}

}  // namespace pawl::api::detail::handlers
