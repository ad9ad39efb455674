#include "catalog/detail/schedule_events.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "catalog/event_trigger.hpp"
#include "catalog/scheduler.hpp"
#include "crypto/crypto.hpp"
#include "engine/lifecycle.hpp"

namespace pawl::catalog::detail {
namespace {

std::string digest_of(const json::Value& event) {
  const auto& source = event.get("source");
  const auto& id = event.get("id");
  std::string text;
  if (source.is_string()) text += source.as_string();
  text += '\n';
  if (id.is_string()) text += id.as_string();
  const auto digest = crypto::hash(text);
  return fmt::format("{:02x}{:02x}{:02x}{:02x}{:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3], digest[4], digest[5],
                     digest[6], digest[7]);
}

bool is_lifecycle(const json::Value& event) {
  return event.get("type").is_string() && event.get("type").as_string().starts_with(engine::kLifecyclePrefix);
}

json::Value cause_of(const json::Value& event) {
  if (!is_lifecycle(event)) return {};
  const auto& chain = event.get("pawlchain");
  return json::Value::object({{"after", event.get("subject")}, {"chain", (chain.is_integer() ? chain.as_integer() : 0) + 1}});
}

}  // namespace

OfferedEvent::OfferedEvent(const json::Value& offered) : event(offered), digest(digest_of(offered)), cause(cause_of(offered)) {}

EventOutcome offer(const OfferedEvent& offered, ScheduleEntry& entry, TimePoint now) {
  if (!entry.plan || !entry.row.enabled) return {};
  auto& progress = entry.row.progress;
  if (std::find(progress.seen.begin(), progress.seen.end(), offered.digest) != progress.seen.end()) return {};
  const auto& schedule = *entry.plan->schedule;
  auto decision = on_event(*schedule.on, schedule.read, offered.event, now, progress.collected);
  if (!decision.matched) return {};
  if (offered.cause.is_object() && offered.cause.get("chain").as_integer() > engine::kMaxChain) return {EventOutcome::Kind::in_circle};
  entry.dirty = true;
  progress.seen.push_back(offered.digest);
  if (progress.seen.size() > kRememberedEvents) progress.seen.pop_front();
  return {EventOutcome::Kind::taken, std::move(decision.input)};
}

bool follows_lifecycle(const dsl::EventStrategy& strategy) {
  return std::any_of(strategy.filters.begin(), strategy.filters.end(), [](const dsl::EventFilter& filter) {
    return std::any_of(filter.with.begin(), filter.with.end(), [](const auto& attribute) {
      const auto& [name, wanted] = attribute;
      return name == "type" && wanted.is_constant() && wanted.constant().is_string() &&
             wanted.constant().as_string().find("serverlessworkflow") != std::string_view::npos;
    });
  });
}

}  // namespace pawl::catalog::detail
