#include "catalog/detail/triggers.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "catalog/catalog.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::catalog::detail {
namespace {

struct StoredSchedule {
  ScheduleId id;
  std::string kind;
  std::string spec;
  bool wanted = false;
};

Result<std::vector<StoredSchedule>> load_stored(storage::Session& session, const WorkflowId& workflow) {
  std::vector<StoredSchedule> rows;
  PAWL_TRY_VOID(session.query("select id, kind, spec from schedules where workflow_id = $1", {workflow}, [&](const storage::Row& row) {
    rows.push_back({row.id<ScheduleId>(0), std::string(row.text(1)), std::string(row.text(2)), false});
  }));
  return rows;
}

Result<void> insert_schedule(storage::Transaction& transaction, const Workflow& workflow, const ScheduleSpec& spec, const std::string& text,
                             const TriggerContext& context) {
  PAWL_TRY(policy, policy_of(spec, context.now));
  const auto due = policy.next ? policy.next(context.now) : std::nullopt;
  const auto id = ScheduleId::make(context.now, context.random);
  return transaction.queue(
      "insert into schedules (id, organization_id, workflow_id, kind, spec, next_due, enabled, created_at) "
      "values ($1, $2, $3, $4, $5, $6, 1, $7)",
      {id, workflow.organization, workflow.id, spec.kind, text, due, context.now});
}

Result<void> store_schedules(storage::Transaction& transaction, const Workflow& workflow, const std::vector<ScheduleSpec>& specs,
                             bool restart, const TriggerContext& context) {
  PAWL_TRY(rows, load_stored(transaction, workflow.id));
  for (const auto& spec : specs) {
    const auto text = json::to_text(spec.details);
    const auto same = std::find_if(rows.begin(), rows.end(),
                                   [&](const StoredSchedule& row) { return !row.wanted && row.kind == spec.kind && row.spec == text; });
    if (same != rows.end() && !restart) {
      same->wanted = true;
    } else {
      PAWL_TRY_VOID(insert_schedule(transaction, workflow, spec, text, context));
    }
  }
  for (const auto& row : rows) {
    if (row.wanted) continue;
    PAWL_TRY_VOID(transaction.queue("delete from schedules where id = $1", {row.id}));
  }
  return {};
}

crypto::SealedPlace place_of(const Workflow& workflow) { return {kSealedToken.name, workflow.id, workflow.organization}; }

bool wants_webhook(const dsl::Plan& plan) {
  const auto& wish = plan.metadata.get("webhook");
  return wish.is_object() || (wish.is_bool() && wish.as_bool());
}

Result<void> store_webhook(storage::Transaction& transaction, const Workflow& workflow, const dsl::Plan& plan,
                           const TriggerContext& context) {
  if (!wants_webhook(plan)) return transaction.queue("delete from webhooks where workflow_id = $1", {workflow.id});
  bool exists = false;
  PAWL_TRY_VOID(
      transaction.query("select 1 from webhooks where workflow_id = $1", {workflow.id}, [&](const storage::Row&) { exists = true; }));
  if (exists) return {};
  const auto token = crypto::random_token();
  const auto digest = token_digest(token);
  const auto sealed = context.seals.seal(token, place_of(workflow));
  return transaction.queue(
      "insert into webhooks (token_hash, workflow_id, organization_id, created_at, sealed_token) "
      "values ($1, $2, $3, $4, $5)",
      {storage::Parameter::blob(digest), workflow.id, workflow.organization, context.now, storage::Parameter::blob(sealed)});
}

}  // namespace

std::string token_digest(std::string_view token) {
  const auto digest = crypto::hash(token);
  return {digest.begin(), digest.end()};
}

bool has_triggers(const dsl::Plan& plan, const std::vector<ScheduleSpec>& specs) { return !specs.empty() || wants_webhook(plan); }

Result<void> store_triggers(storage::Transaction& transaction, const Workflow& workflow, const dsl::Plan& plan,
                            const std::vector<ScheduleSpec>& specs, bool restart, const TriggerContext& context) {
  PAWL_TRY_VOID(store_schedules(transaction, workflow, specs, restart, context));
  return store_webhook(transaction, workflow, plan, context);
}

Result<void> refuse_cycle(storage::Transaction& transaction, const Workflow& workflow, const dsl::Plan& plan) {
  if (!plan.metadata.get("after").is_array()) return {};
  std::map<std::string, std::set<std::string>> before;  // workflow -> those whose ends start it
  const auto read = [&](const storage::Row& row) {
    const auto spec = json::parse(row.text(0));
    if (spec.has_error() || !spec->get("after").is_array()) return;
    auto& names = before[fmt::format("{}/{}", row.text(1), row.text(2))];
    for (const auto& each : spec->get("after").items()) {
      if (each.get("workflow").is_string() && each.get("namespace").is_string())
        names.insert(fmt::format("{}/{}", each.get("namespace").as_string(), each.get("workflow").as_string()));
    }
  };
  PAWL_TRY_VOID(
      transaction.query("select s.spec, v.document_namespace, v.document_name from schedules s join workflows w on w.id = s.workflow_id "
                        "join workflow_versions v on v.workflow_id = w.id and v.version = w.current_version "
                        "where s.organization_id = $1 and s.kind = 'on' and w.deleted_at is null",
                        {workflow.organization}, read));
  const auto self = fmt::format("{}/{}", plan.namespace_name, plan.name);
  // Back from this one, each once; `next` remembers the way for the message.
  std::map<std::string, std::string> next{{self, {}}};
  std::vector<std::string> open{self};
  while (!open.empty()) {
    const auto name = open.back();
    open.pop_back();
    for (const auto& earlier : before[name]) {
      if (earlier == self) {
        std::string way = self;
        for (auto step = name; !step.empty(); step = next[step]) way += " -> " + step;
        Finding finding;
        finding.pointer = plan.task_list_form ? "/metadata/after" : "/document/metadata/after";
        finding.rule = "trigger-cycle";
        finding.message = "These workflows would start each other for ever: " + way + ".";
        return Error(ErrorClass::unprocessable, "workflow.trigger_cycle", finding.message, {finding});
      }
      if (next.emplace(earlier, name).second) open.push_back(earlier);
    }
  }
  return {};
}

Result<void> remove_triggers(storage::Transaction& transaction, const WorkflowId& workflow) {
  PAWL_TRY_VOID(transaction.execute("delete from schedules where workflow_id = $1", {workflow}));
  PAWL_TRY_VOID(transaction.execute("delete from webhooks where workflow_id = $1", {workflow}));
  return {};
}

Result<bool> rotate_token(storage::Transaction& transaction, const Workflow& workflow, const TriggerContext& context) {
  const auto token = crypto::random_token();
  const auto digest = token_digest(token);
  const auto sealed = context.seals.seal(token, place_of(workflow));
  PAWL_TRY(count, transaction.execute("update webhooks set token_hash = $2, sealed_token = $3, rotated_at = $4 where workflow_id = $1",
                                      {workflow.id, storage::Parameter::blob(digest), storage::Parameter::blob(sealed), context.now}));
  return count > 0;
}

Trigger schedule_trigger(const storage::Row& row, int first) {
  auto details = json::Value::object({{"id", row.id<ScheduleId>(first).to_string()}, {"kind", row.text(first + 1)}});
  const auto spec = json::parse(row.text(first + 2));
  if (spec.has_value() && spec->is_object()) {
    for (const auto& member : spec->members()) details.set(member.name(), member.value);
  }
  const auto time = [&](int column) {
    const auto value = row.optional_time(column);
    return value ? json::Value(to_rfc3339(*value)) : json::Value();
  };
  details.set("next_due", time(first + 3));
  details.set("last_fired", time(first + 4));
  details.set("enabled", row.boolean(first + 5));
  return {"schedule", std::move(details)};
}

Trigger webhook_trigger(std::string_view sealed_token, const Workflow& workflow, const crypto::KeyRing& seals) {
  auto details = json::Value::object();
  // Sealed under a key that is gone, the address works as before but can no longer be shown.
  const auto token = seals.open(sealed_token, place_of(workflow));
  details.set("url", token.has_value() ? json::Value("/hooks/" + *token) : json::Value());
  return {"webhook", std::move(details)};
}

Result<std::vector<Trigger>> load_triggers(storage::Session& session, const Workflow& workflow, const crypto::KeyRing& seals) {
  std::vector<Trigger> triggers;
  PAWL_TRY_VOID(session.query("select id, kind, spec, next_due, last_fired, enabled from schedules where workflow_id = $1 order by id",
                              {workflow.id}, [&](const storage::Row& row) { triggers.push_back(schedule_trigger(row, 0)); }));
  PAWL_TRY_VOID(session.query("select sealed_token from webhooks where workflow_id = $1", {workflow.id},
                              [&](const storage::Row& row) { triggers.push_back(webhook_trigger(row.blob(0), workflow, seals)); }));
  return triggers;
}

}  // namespace pawl::catalog::detail
