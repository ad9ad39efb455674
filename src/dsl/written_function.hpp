/// What is asked of functions that users have written, by those who compile them and those who read them from a folder. Pure.
#pragma once

#include <span>
#include <string_view>

#include "dsl/compile.hpp"
#include "dsl/expression.hpp"
#include "dsl/plan.hpp"
#include "json/value.hpp"

namespace pawl::dsl {

/// Whether the version `a` (as in `1.10.0`) is newer than `b`: by their numbers, and by their texts where these are the same.
[[nodiscard]] bool is_newer_version(std::string_view a, std::string_view b);

/// The arguments of a call that are written out: an object, or what stands there as a whole. The others are decided when the call is made.
[[nodiscard]] json::Value written_arguments(const Template& arguments);

struct TasksReach {
  FunctionCatalog::Reach calls;  ///< the worst of them all, and of the events that they tell or hear of
  bool has_events = false;
};
/// What these tasks may do, those of a plan or some of them; what they have below them is among them. A task's own word (`metadata.effect`)
/// makes it worse and never better, and an event may start whatever there is.
[[nodiscard]] TasksReach reach_of(std::span<const Task> tasks, const FunctionCatalog& functions);

}  // namespace pawl::dsl
