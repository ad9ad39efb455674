#include "app/function_audit.hpp"

#include <memory>
#include <utility>

#include "audit/redact.hpp"
#include "engine/approval.hpp"

namespace pawl::app {
namespace {

using engine::EffectReport;

/// Who the run acts for, as its trigger says: who started it, or asked for its fork, its replay or its retry.
audit::Actor actor_of(const json::Value& trigger) {
  const auto id = [&trigger](std::string_view name) {
    const auto& text = trigger.get(name);
    return text.is_string() ? Uuid::parse(text.as_string()) : std::nullopt;
  };
  const auto user = id("user");
  const auto key = id("api_key");
  if (key) return audit::Actor::of_key(UserId{user.value_or(Uuid{})}, ApiKeyId{*key});
  if (user) return audit::Actor::of_user(UserId{*user});
  if (engine::starter_of(trigger) == engine::kAdministrator) return audit::Actor::administrator();
  return {};
}

audit::Outcome outcome_of(EffectReport::End end) {
  switch (end) {
    case EffectReport::End::success: return audit::Outcome::success;
    case EffectReport::End::planned: return audit::Outcome::dry_run;
    case EffectReport::End::refused: return audit::Outcome::refused;
    case EffectReport::End::failure:
    case EffectReport::End::cancelled: return audit::Outcome::failure;
  }
  return audit::Outcome::failure;
}

json::Value details_of(const EffectReport& report) {
  // Functions say which of their arguments are content: the trail holds how much of it there was.
  auto details =
      json::Value::object({{"params", report.info != nullptr ? engine::recorded(*report.info, report.arguments) : report.arguments}});
  if (report.attempt > 1) details.set("attempt", report.attempt);
  if (!report.awaited) details.set("awaited", false);
  if (report.end == EffectReport::End::cancelled) details.set("error", "the answer was not wanted any more");
  if (!report.error.is_null()) {
    auto error = json::Value::object();
    for (const auto* const name : {"type", "status", "title", "detail"}) {
      if (const auto* const found = report.error.find(name)) error.set(name, *found);
    }
    details.set("error", std::move(error));
  } else if (!report.reason.empty()) {
    details.set("error", report.reason);
  }
  const auto needles = audit::Needles::of(report.secrets);
  return needles.empty() ? details : audit::Redactor().value(details, {}, &needles);
}

}  // namespace

void FunctionAudit::ended(const EffectReport& report) {
  audit::Record record;
  record.at = report.ended;
  record.organization = report.run.organization;
  record.actor = actor_of(report.trigger);
  record.action = "function.executed";
  record.resource = {"function", std::string(report.function)};
  record.outcome = outcome_of(report.end);
  record.run = report.run.id;
  record.task = report.reference;
  record.duration = report.ended - report.began;
  record.details = details_of(report);
  audit::Log::Prepared prepared;
  log_.prepare(prepared, std::move(record));
  const std::lock_guard lock(mutex_);
  waiting_.append(std::move(prepared));
}

engine::EffectObserver::Work FunctionAudit::take() {
  auto batch = std::make_shared<audit::Log::Prepared>();
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() == 0) return {};
    std::swap(*batch, waiting_);
  }
  return [&log = log_, batch](storage::Transaction& transaction) { return log.write(transaction, *batch); };
}

}  // namespace pawl::app
