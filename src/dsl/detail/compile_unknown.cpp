/// `metadata.on_unknown`: what to do about a call of class `once` that a crash interrupted.
#include <array>

#include "dsl/detail/compiler.hpp"

namespace pawl::dsl::detail {

void Compiler::on_unknown(Task& task, const Node& node, const Place& place) {
  const auto metadata = member(node, "metadata");
  const auto given = metadata ? member(*metadata, "on_unknown") : std::nullopt;
  if (!given) return;
  auto* const call = std::get_if<CallTask>(&task.body);
  if (call == nullptr) {
    return report_.warning(given->pointer, "unused-metadata", "`metadata.on_unknown` has a meaning for calls and runs only.");
  }
  OnUnknown policy;
  if (given->value.is_object()) {
    constexpr std::array<std::string_view, 1> kMembers = {"probe"};
    check_members(*given, kMembers, "`metadata.on_unknown`");
    policy.kind = OnUnknown::Kind::probe;
    if (const auto node_of_probe = required(*given, "probe", "`metadata.on_unknown`")) probe(policy, *node_of_probe, place);
  } else {
    constexpr std::array<std::string_view, 3> kChoices = {"fail", "retry-with-key", "ask"};
    const auto choice = one_of(*given, "`metadata.on_unknown`", kChoices);
    if (choice == "retry-with-key") policy.kind = OnUnknown::Kind::retry_with_key;
    if (choice == "ask") policy.kind = OnUnknown::Kind::ask;
  }
  if (policy.kind != OnUnknown::Kind::fail) call->on_unknown = std::make_shared<const OnUnknown>(std::move(policy));
}

/// A call like any other, of a function that reads.
void Compiler::probe(OnUnknown& policy, const Node& node, const Place& place) {
  constexpr std::array<std::string_view, 4> kMembers = {"call", "with", "happened", "output"};
  if (!is_object(node, "`metadata.on_unknown.probe`")) return;
  check_members(node, kMembers, "`metadata.on_unknown.probe`");
  if (!required(node, "call", "`metadata.on_unknown.probe`")) return;
  Task looking;
  looking.index = place.parent;
  call_task(looking, node, place);
  auto* const call = std::get_if<CallTask>(&looking.body);
  if (call == nullptr) {
    const auto name = member(node, "call");
    return report_.error(name->pointer, "unknown-function", "A probe calls a function of the program, not one of `use.functions`.");
  }
  policy.probe = call->function;
  policy.probe_arguments = std::move(call->arguments);
  const Names names = with_name(place.names, "output");
  if (const auto happened = member(node, "happened")) policy.happened = expression(*happened, names, "`happened`");
  if (const auto output = member(node, "output")) policy.output = mapping(*output, names, "`output`");
}

}  // namespace pawl::dsl::detail
