#include "catalog/event_trigger.hpp"

#include <array>

#include "jq/jq.hpp"
#include "json/write.hpp"

namespace pawl::catalog {
namespace {

/// Filters of a schedule see no run, so no variables.
class EventScope final : public dsl::Scope {
 public:
  explicit EventScope(TimePoint now) : now_(now) {}
  [[nodiscard]] json::Value variable(std::string_view) const override { return {}; }
  [[nodiscard]] TimePoint now() const override { return now_; }

 private:
  TimePoint now_;
};

bool matches_pattern(std::string_view pattern, const json::Value& value) {
  if (!value.is_string()) return false;
  static constexpr std::array<std::string_view, 1> kNames{"pattern"};
  const auto program = jq::compile("test($pattern)", kNames);
  if (program.has_error()) return false;
  const std::array<json::Value, 1> values{json::Value(pattern)};
  jq::Context context;
  context.variables = values;
  const auto result = jq::first(*program, value, context);
  return result.has_value() && result->truthy();
}

bool attribute_fits(const dsl::Template& wanted, const json::Value& value, const EventScope& scope) {
  if (wanted.is_constant()) {
    const auto& constant = wanted.constant();
    if (constant.is_string() && constant.size() >= 2 && constant.as_string().front() == '/' && constant.as_string().back() == '/') {
      return matches_pattern(constant.as_string().substr(1, constant.size() - 2), value);
    }
    return constant == value;
  }
  const auto result = wanted.evaluate(value, scope);
  if (result.has_error()) return false;
  return result->is_bool() ? result->as_bool() : *result == value;
}

json::Value as_read(dsl::ReadAs read, const json::Value& event) { return read == dsl::ReadAs::envelope ? event : event.get("data"); }

std::string correlation_key(const dsl::EventFilter& filter, const json::Value& event, const EventScope& scope) {
  auto key = json::Value::object();
  for (const auto& correlation : filter.correlate) {
    auto value = correlation.from.evaluate(event, scope);
    key.set(correlation.name, value.has_value() ? std::move(*value) : json::Value());
  }
  return json::to_text(key, {.indent = 0, .sort_keys = true});
}

EventDecision collect_all(const dsl::EventStrategy& strategy, dsl::ReadAs read, const json::Value& event, TimePoint now,
                          json::Value& collected) {
  const EventScope scope(now);
  for (std::size_t i = 0; i < strategy.filters.size(); ++i) {
    if (!matches(strategy.filters[i], event, now)) continue;
    const auto key = correlation_key(strategy.filters[i], event, scope);
    const auto position = std::to_string(i);
    if (collected.find(key) == nullptr && collected.size() >= kMaxCollectedKeys) return {};
    auto events = collected.take(key);
    if (!events.is_object()) events = json::Value::object();
    if (events.find(position) != nullptr) {  // this filter has its event: a later filter may still want this one
      collected.set(key, std::move(events));
      continue;
    }
    events.set(position, event);
    if (events.size() < strategy.filters.size()) {
      collected.set(key, std::move(events));
      return {true, std::nullopt};
    }
    collected.erase(key);
    auto input = json::Value::array();
    for (std::size_t n = 0; n < strategy.filters.size(); ++n) input.push_back(as_read(read, events.get(std::to_string(n))));
    return {true, std::move(input)};
  }
  return {};
}

}  // namespace

bool matches(const dsl::EventFilter& filter, const json::Value& event, TimePoint now) {
  const EventScope scope(now);
  for (const auto& [name, wanted] : filter.with) {
    if (!attribute_fits(wanted, event.get(name), scope)) return false;
  }
  for (const auto& correlation : filter.correlate) {
    if (!correlation.expect) continue;
    const auto value = correlation.from.evaluate(event, scope);
    const auto expected = correlation.expect->evaluate(event, scope);
    if (value.has_error() || expected.has_error() || *value != *expected) return false;
  }
  return true;
}

EventDecision on_event(const dsl::EventStrategy& strategy, dsl::ReadAs read, const json::Value& event, TimePoint now,
                       json::Value& collected) {
  if (strategy.kind == dsl::EventStrategy::Kind::all) return collect_all(strategy, read, event, now, collected);
  bool matched = strategy.filters.empty() && strategy.kind == dsl::EventStrategy::Kind::any;
  for (const auto& filter : strategy.filters) matched = matched || matches(filter, event, now);
  if (!matched) return {};
  return {true, json::Value::array({as_read(read, event)})};
}

}  // namespace pawl::catalog
