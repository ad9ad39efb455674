// Dead letters: starts that came to nothing. List, read, replay, discard.
#include "catalog/dead_letters.hpp"

#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/execution.hpp"
#include "api/detail/owners.hpp"
#include "api/detail/render.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"

namespace pawl::api::detail {
namespace {

Result<RunId> letter_id(const http::Request& request) {
  return path_id<RunId>(request, "dead_letter_id", "dead_letter.not_found", "dead letter");
}

void append_letter(std::string& out, const catalog::DeadLetterView& view) {
  const auto& letter = view.letter;
  const bool is_run = letter.kind == engine::DeadLetter::Kind::run;
  ObjectWriter object(out);
  object.text("id", letter.id.to_string());
  object.text("workflow_id", letter.workflow.to_string());
  object.text("workflow_name", letter.workflow_name);
  object.integer("version", letter.version);
  object.text("kind", is_run ? "run" : "start");
  object.text_or_null("run_id", is_run ? letter.id.to_string() : "");
  object.value("trigger", letter.trigger);
  object.value("input", letter.input);
  object.value("error", letter.error);
  object.time("created_at", letter.created_at);
  object.time("replayed_at", view.replayed_at);
  object.text_or_null("replay_run_id", view.replay_run ? view.replay_run->to_string() : "");
}

void list_letters(Context& context, Call call) {
  Query query(call.request);
  catalog::DeadLetterFilter filter;
  filter.limit = query.limit();
  if (const auto text = query.text("workflow_id")) {
    filter.workflow = WorkflowId::parse(*text);
    if (!filter.workflow) query.problem("workflow_id", "must be an id");
  }
  const auto status = query.text("status").value_or("waiting");
  if (status != "waiting" && status != "replayed") query.problem("status", "must be waiting or replayed");
  filter.replayed = status == "replayed";
  if (const auto cursor = query.text("cursor")) {
    filter.before = RunId::parse(*cursor);
    if (!filter.before) query.problem("cursor", "is not a cursor of this list");
  }
  PAWL_API_CHECK(query.finish());
  PAWL_API_TRY(page, context.dead_letters->list(call.organization, filter));
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.letters, [&](const catalog::DeadLetterView& letter) { append_letter(out, letter); });
    object.text_or_null("next_cursor", page.next ? page.next->to_string() : "");
  }
  call.reply(200, std::move(out));
}

void get_letter(Context& context, Call call) {
  PAWL_API_TRY(id, letter_id(call.request));
  PAWL_API_TRY(letter, context.dead_letters->get(call.organization, id));
  std::string out;
  append_letter(out, letter);
  call.reply(200, std::move(out));
}

void replay_letter(Context& context, Call call) {
  PAWL_API_TRY(id, letter_id(call.request));
  PAWL_API_CHECK(Fields(std::move(call.body)).finish());
  const auto shared = std::make_shared<Call>(std::move(call));
  context.dead_letters->replay(shared->organization, id, trigger_of(context, *shared), [shared](Result<RunId> run) {
    if (run.has_error()) return shared->fail(run.error());
    std::string out;
    append_run_status(out, *run, engine::Phase::running);
    auto response = http::Response::json(202, std::move(out));
    response.headers.add("Location", "/api/runs/" + run->to_string());
    shared->reply(std::move(response));
  });
}

void discard_letter(Context& context, Call call) {
  PAWL_API_TRY(id, letter_id(call.request));
  const auto discarded = context.dead_letters->discard(call.organization, id);
  if (discarded.has_error()) return call.fail(discarded.error());
  call.reply(http::Response::empty());
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Shape letter_shape() {
  return Shape::object("DeadLetter", {{"id", Shape::id()},
                                      {"workflow_id", Shape::id()},
                                      {"workflow_name", Shape::text("nightly", 10'000)},
                                      {"version", Shape::integer(1, 1)},
                                      {"kind", Shape::choice({"run", "start"})},
                                      {"run_id", Shape::id().or_null()},
                                      {"trigger", Shape::any(json::Value::object({{"type", "schedule"}}))},
                                      {"input", Shape::any(json::Value::object())},
                                      {"error", Shape::any(json::Value::object({{"title", "Timeout"}, {"status", 408}}))},
                                      {"created_at", Shape::time()},
                                      {"replayed_at", Shape::time().or_null()},
                                      {"replay_run_id", Shape::id().or_null()}});
}

}  // namespace

std::vector<Route> dead_letter_routes() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/api/dead-letters",
       .id = "listDeadLetters",
       .tag = "dead letters",
       .summary = "List starts that came to nothing, newest first",
       .permission = Permission::read,
       .handler = list_letters,
       .runs = Runs::pool,
       .query = {{"workflow_id", Shape::id(), "Of this workflow."},
                 {"status", Shape::choice({"waiting", "replayed"}), "`waiting` where left out."},
                 limit_parameter(),
                 cursor_parameter()},
       .reply = Shape::page("DeadLetterPage", letter_shape())},
      {.method = Method::get,
       .path = "/api/dead-letters/{dead_letter_id}",
       .id = "getDeadLetter",
       .tag = "dead letters",
       .summary = "Read a dead letter",
       .permission = Permission::read,
       .handler = get_letter,
       .runs = Runs::pool,
       .owner = &kDeadLetterOwner,
       .reply = letter_shape()},
      {.method = Method::post,
       .path = "/api/dead-letters/{dead_letter_id}/replay",
       .id = "replayDeadLetter",
       .tag = "dead letters",
       .summary = "Start a new run with a dead letter's input",
       .permission = Permission::execute,
       .handler = replay_letter,
       .runs = Runs::pool,
       .owner = &kDeadLetterOwner,
       .body = Body::optional,
       .request = Shape::object("Replay", {}),
       .status = 202,
       .reply = Shape::object("ReplayedRun", {{"id", Shape::id()}, {"status", Shape::choice({"running"})}}),
       .description = "Repeated, it answers the same run."},
      {.method = Method::delete_,
       .path = "/api/dead-letters/{dead_letter_id}",
       .id = "discardDeadLetter",
       .tag = "dead letters",
       .summary = "Discard a dead letter",
       .permission = Permission::execute,
       .handler = discard_letter,
       .runs = Runs::pool,
       .owner = &kDeadLetterOwner,
       .status = 204},
  };
}

}  // namespace pawl::api::detail
