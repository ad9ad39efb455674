#include "catalog/dead_letters.hpp"

#include <fmt/core.h>

#include "catalog/catalog.hpp"
#include "engine/approval.hpp"
#include "engine/engine.hpp"
#include "json/parse.hpp"
#include "storage/database.hpp"

namespace pawl::catalog {
namespace {

constexpr std::string_view kSelectOne =
    "select id, organization_id, workflow_id, workflow_name, version, kind, cause, input, error, created_at, replayed_at, replay_run_id "
    "from dead_letters where organization_id = $1 and id = $2";
constexpr std::string_view kSelectWaiting =
    "select id, organization_id, workflow_id, workflow_name, version, kind, cause, input, error, created_at, replayed_at, replay_run_id "
    "from dead_letters where organization_id = $1 and ($2 is null or id < $2) and ($3 is null or workflow_id = $3) and replayed_at is null "
    "order by id desc limit $4";
constexpr std::string_view kSelectReplayed =
    "select id, organization_id, workflow_id, workflow_name, version, kind, cause, input, error, created_at, replayed_at, replay_run_id "
    "from dead_letters where organization_id = $1 and ($2 is null or id < $2) and ($3 is null or workflow_id = $3) and replayed_at is not "
    "null order by id desc limit $4";

Error not_found(const RunId& id) {
  return {ErrorClass::not_found, "dead_letter.not_found", fmt::format("There is no dead letter {}.", id.to_string())};
}

json::Value parsed(std::string_view text) {
  auto value = json::parse(text);
  return value.has_value() ? std::move(*value) : json::Value();
}

DeadLetterView view_of(const storage::Row& row) {
  DeadLetterView view;
  auto& letter = view.letter;
  letter.id = row.id<RunId>(0);
  letter.organization = row.id<OrganizationId>(1);
  letter.workflow = row.id<WorkflowId>(2);
  letter.workflow_name = std::string(row.text(3));
  letter.version = static_cast<std::uint32_t>(row.integer(4));
  letter.kind = row.text(5) == "start" ? engine::DeadLetter::Kind::start : engine::DeadLetter::Kind::run;
  letter.trigger = parsed(row.text(6));
  letter.input = parsed(row.text(7));
  letter.error = parsed(row.text(8));
  letter.created_at = row.time(9);
  view.replayed_at = row.optional_time(10);
  if (!row.is_null(11)) view.replay_run = row.id<RunId>(11);
  return view;
}

}  // namespace

Result<OrganizationId> DeadLetters::owner(const RunId& id) {
  std::optional<OrganizationId> owner;
  PAWL_TRY_VOID(d_.database.read([&](storage::Session& session) {
    return session.query("select organization_id from dead_letters where id = $1", {id},
                         [&](const storage::Row& row) { owner = row.id<OrganizationId>(0); });
  }));
  if (!owner) return not_found(id);
  return *owner;
}

Result<DeadLetterPage> DeadLetters::list(const OrganizationId& organization, const DeadLetterFilter& filter) {
  DeadLetterPage page;
  PAWL_TRY_VOID(d_.database.read([&](storage::Session& session) {
    return session.query(filter.replayed ? kSelectReplayed : kSelectWaiting,
                         {organization, filter.before, filter.workflow, filter.limit + 1},
                         [&](const storage::Row& row) { page.letters.push_back(view_of(row)); });
  }));
  if (page.letters.size() > filter.limit) {
    page.letters.pop_back();
    page.next = page.letters.back().letter.id;
  }
  return page;
}

Result<DeadLetterView> DeadLetters::get(const OrganizationId& organization, const RunId& id) {
  std::optional<DeadLetterView> found;
  PAWL_TRY_VOID(d_.database.read([&](storage::Session& session) {
    return session.query(kSelectOne, {organization, id}, [&](const storage::Row& row) { found = view_of(row); });
  }));
  if (!found) return not_found(id);
  return std::move(*found);
}

Result<void> DeadLetters::discard(const OrganizationId& organization, const RunId& id) {
  return d_.database.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(count, transaction.execute("delete from dead_letters where organization_id = $1 and id = $2", {organization, id}));
    if (count == 0) return not_found(id);
    return {};
  });
}

void DeadLetters::replay(const OrganizationId& organization, const RunId& id, const json::Value& requester,
                         std::function<void(Result<RunId>)> done) {
  auto run = RunId::make(d_.clock.now(), d_.random);
  const auto claim = [&](storage::Transaction& transaction) -> Result<void> {
    // The first one to ask names the run.
    PAWL_TRY_VOID(transaction.execute(
        "update dead_letters set replayed_at = $3, replay_run_id = $4 where organization_id = $1 and id = $2 and replay_run_id is null",
        {organization, id, d_.clock.now(), run}));
    return {};
  };
  if (const auto claimed = d_.database.write_and_wait(claim); claimed.has_error()) return done(claimed.error());
  auto view = get(organization, id);
  if (view.has_error()) return done(view.error());
  const bool is_first = view->replay_run == run;
  run = view->replay_run.value_or(run);
  if (is_first) return start(*view, run, requester, std::move(done));
  // Asked again: perhaps it was never started.
  d_.engine.view(organization, run, false,
                 [this, view = std::move(*view), run, requester, done = std::move(done)](Result<engine::RunView> known) {
                   if (known.has_error() && known.error().kind == ErrorClass::not_found) return start(view, run, requester, done);
                   if (known.has_error()) return done(known.error());
                   done(run);
                 });
}

void DeadLetters::start(const DeadLetterView& view, const RunId& run, const json::Value& requester,
                        std::function<void(Result<RunId>)> done) {
  const auto& letter = view.letter;
  auto executable = d_.catalog.executable(letter.organization, letter.workflow);
  if (executable.has_error()) return done(executable.error());
  engine::StartRequest request;
  request.plan = (*executable)->plan;
  request.organization = letter.organization;
  request.workflow = letter.workflow;
  request.version = (*executable)->version;
  request.input = letter.input;
  request.trigger = json::Value::object({{"type", "replay"}, {"dead_letter_id", letter.id.to_string()}, {"cause", letter.trigger}});
  engine::set_starters(request.trigger, requester, letter.trigger);
  if (d_.secrets) request.secrets = d_.secrets(letter.organization, *(*executable)->plan);
  request.id = run;
  d_.engine.start_run(std::move(request),
                      [run, done = std::move(done)](Result<RunId> started) {
                        if (started.has_error() && started.error().code == "run.exists") return done(run);  // two asked at once
                        done(std::move(started));
                      },
                      {});
}

}  // namespace pawl::catalog
