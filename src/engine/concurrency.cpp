#include "engine/concurrency.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace pawl::engine {
namespace {

constexpr std::array<std::pair<std::string_view, Concurrency::Policy>, 3> kPolicies = {
    {{"queue", Concurrency::Policy::queue}, {"skip", Concurrency::Policy::skip}, {"replace", Concurrency::Policy::replace}}};

}  // namespace

std::string_view to_text(Concurrency::Policy policy) { return kPolicies.at(static_cast<std::size_t>(policy)).first; }

std::optional<Concurrency::Policy> concurrency_policy(std::string_view text) {
  for (const auto& [name, policy] : kPolicies) {
    if (name == text) return policy;
  }
  return std::nullopt;
}

std::optional<Concurrency> concurrency_of(const json::Value& metadata) {
  const auto* const given = metadata.find("concurrency");
  if (given == nullptr || !given->is_object()) return std::nullopt;
  Concurrency concurrency;
  if (const auto& key = given->get("key"); key.is_string()) concurrency.key = key.as_string();
  if (const auto& limit = given->get("limit"); limit.is_integer()) {
    concurrency.limit = static_cast<std::uint32_t>(std::clamp<std::int64_t>(limit.as_integer(), 1, kMaxConcurrency));
  }
  if (const auto& policy = given->get("policy"); policy.is_string()) {
    concurrency.policy = concurrency_policy(policy.as_string()).value_or(Concurrency::Policy::queue);
  }
  return concurrency;
}

Seat seat_of(const OrganizationId& organization, const WorkflowId& workflow, const Concurrency& concurrency, std::int32_t priority) {
  return {organization, concurrency.key.empty() ? " " + workflow.to_string() : concurrency.key, concurrency.limit, priority};
}

/// The head of the line decides: a later one with a larger limit does not pass it.
void ConcurrencyGate::let_in(Line& line, std::vector<RunId>& admitted) {
  while (!line.waiting.empty() && line.active.size() < line.waiting.begin()->limit) {
    const auto run = line.waiting.begin()->run;
    line.waiting.erase(line.waiting.begin());
    line.active.insert(run);
    admitted.push_back(run);
  }
}

ConcurrencyGate::Decision ConcurrencyGate::enter(const RunId& run, const Seat& seat, Concurrency::Policy policy) {
  const std::lock_guard lock(mutex_);
  const Key key{seat.organization, seat.key};
  auto& line = lines_[key];
  const Waiting waiting{seat.priority, run, seat.limit};
  if (line.waiting.empty() && line.active.size() < seat.limit) {
    line.active.insert(run);
    places_[run] = {key, waiting};
    return {};
  }
  Decision decision;
  decision.in_the_way = line.active.empty() ? line.waiting.begin()->run : *line.active.begin();
  if (policy == Concurrency::Policy::skip) {
    decision.entry = Decision::Entry::refused;
    return decision;
  }
  if (line.waiting.size() >= kMaxWaitingPerKey) {
    decision.entry = Decision::Entry::full;
    return decision;
  }
  if (policy == Concurrency::Policy::replace) {
    for (const auto& other : line.waiting) decision.replaced.push_back(other.run);
    decision.replaced.insert(decision.replaced.end(), line.active.begin(), line.active.end());
  }
  decision.entry = Decision::Entry::waits;
  line.waiting.insert(waiting);
  places_[run] = {key, waiting};
  return decision;
}

std::vector<RunId> ConcurrencyGate::leave(const RunId& run) {
  const std::lock_guard lock(mutex_);
  std::vector<RunId> admitted;
  const auto place = places_.find(run);
  if (place == places_.end()) return admitted;
  const auto entry = lines_.find(place->second.key);
  auto& line = entry->second;
  line.active.erase(run);
  line.waiting.erase(place->second.waiting);
  places_.erase(place);
  let_in(line, admitted);
  if (line.active.empty() && line.waiting.empty()) lines_.erase(entry);
  return admitted;
}

void ConcurrencyGate::restore(const RunId& run, const Seat& seat, bool admitted) {
  const std::lock_guard lock(mutex_);
  const Key key{seat.organization, seat.key};
  const Waiting waiting{seat.priority, run, seat.limit};
  if (admitted) {
    lines_[key].active.insert(run);
  } else {
    lines_[key].waiting.insert(waiting);
  }
  places_[run] = {key, waiting};
}

std::vector<RunId> ConcurrencyGate::fill() {
  const std::lock_guard lock(mutex_);
  std::vector<RunId> admitted;
  for (auto& [key, line] : lines_) let_in(line, admitted);
  return admitted;
}

std::string ConcurrencyGate::waiting_reason(const RunId& run) const {
  const std::lock_guard lock(mutex_);
  const auto place = places_.find(run);
  if (place == places_.end()) return {};
  const auto& [key, waiting] = place->second;
  const auto& line = lines_.at(key);
  const auto position = line.waiting.find(waiting);
  if (position == line.waiting.end()) return {};
  const auto before = std::distance(line.waiting.begin(), position);
  const auto what = key.second.starts_with(' ') ? std::string("runs of the workflow") : fmt::format("runs with the key `{}`", key.second);
  return fmt::format("a place among {}: {} active, limit {}, {} waiting before this one", what, line.active.size(), waiting.limit, before);
}

ConcurrencyGate::Statistics ConcurrencyGate::statistics() const {
  const std::lock_guard lock(mutex_);
  Statistics sum;
  for (const auto& [key, line] : lines_) {
    sum.active += line.active.size();
    sum.waiting += line.waiting.size();
  }
  return sum;
}

}  // namespace pawl::engine
