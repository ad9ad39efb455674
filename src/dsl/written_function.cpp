#include "dsl/written_function.hpp"

#include <array>
#include <charconv>
#include <memory>
#include <variant>

namespace pawl::dsl {
namespace {

std::array<unsigned, 3> numbers_of(std::string_view text) {
  std::array<unsigned, 3> numbers{};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (auto& number : numbers) {
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc() || next == end) break;
    at = next + 1;
  }
  return numbers;
}

}  // namespace

bool is_newer_version(std::string_view a, std::string_view b) {
  const auto left = numbers_of(a);
  const auto right = numbers_of(b);
  return left != right ? left > right : a > b;
}

json::Value written_arguments(const Template& arguments) {
  if (arguments.is_constant()) return arguments.constant();
  auto written = json::Value::object();
  if (const auto* object = std::get_if<std::shared_ptr<const Template::ObjectOf>>(&arguments.node())) {
    for (const auto& [name, value] : (*object)->members) {
      if (value.is_constant()) written.set(name, value.constant());
    }
  }
  return written;
}

TasksReach reach_of(std::span<const Task> tasks, const FunctionCatalog& functions) {
  TasksReach all{.calls = {.reads_outside = false, .acts = false}};
  const auto add = [&](const std::string& function, const Template& arguments) {
    const auto reach = functions.reach(function, written_arguments(arguments));
    all.calls.reads_outside = all.calls.reads_outside || reach.reads_outside;
    all.calls.acts = all.calls.acts || reach.acts;
  };
  for (const Task& task : tasks) {
    if (const auto* call = std::get_if<CallTask>(&task.body)) {
      add(call->function, call->arguments);
      all.calls.acts = all.calls.acts || call->effect.value_or(EffectClass::pure) > EffectClass::read;
      if (call->on_unknown && !call->on_unknown->probe.empty()) add(call->on_unknown->probe, call->on_unknown->probe_arguments);
    }
    const bool hears = std::holds_alternative<ListenTask>(task.body);
    const bool tells = std::holds_alternative<EmitTask>(task.body);
    all.calls.reads_outside = all.calls.reads_outside || hears;
    all.calls.acts = all.calls.acts || tells;
    all.has_events = all.has_events || hears || tells;
  }
  return all;
}

}  // namespace pawl::dsl
