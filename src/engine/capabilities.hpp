/// What a workflow can reach, read off its plan before anything runs: hosts, paths, programs, databases, secrets, destructive acts.
///
///     const auto manifest = engine::capabilities_of(*plan, registry);
///     const auto change = engine::compare(before, manifest);      // what a new version adds and takes away
///
/// Each function says which of its parameters name something outside (`Function::Info::reach`). A parameter that is written out is
/// resolved to the host or path; one that an expression makes appears as `kAtRunTime`, with the task. So the manifest names everything, or
/// says where it cannot. Called workflows are named, not followed. A folder whose files start the workflow is read, by no task. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/plan.hpp"
#include "engine/function.hpp"
#include "json/value.hpp"

namespace pawl::engine {

inline constexpr std::string_view kAtRunTime = "(decided at run time)";

struct Capability {
  std::string name;                ///< a host, a path ...; passwords in addresses are left out
  std::vector<std::string> tasks;  ///< references of the tasks that use it, in document order
};

struct Capabilities {
  enum class Kind : std::uint8_t {
    host,
    read,
    write,
    process,
    database,
    mail,
    model,
    workflow,
    secret,       ///< names that the workflow may ask for; no tasks
    function,     ///< everything that is called
    destructive,  ///< functions that destroy, where the task allows it (or an expression decides)
    need,         ///< what all of that asks of the installation and of who starts it (`to_text(Need)`)
  };
  static constexpr std::size_t kKinds = 12;

  std::array<std::vector<Capability>, kKinds> all;  ///< by kind; each sorted by name

  [[nodiscard]] const std::vector<Capability>& of(Kind kind) const { return all[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] bool empty() const;
};

[[nodiscard]] Capabilities capabilities_of(const dsl::Plan& plan, const FunctionRegistry& functions);

/// What `after` has and `before` has not, and the other way round. What is decided at run time counts by task.
struct CapabilityChange {
  Capabilities added;
  Capabilities removed;
};
[[nodiscard]] CapabilityChange compare(const Capabilities& before, const Capabilities& after);

/// `{hosts: [{name, tasks}], paths: {read, write}, processes, databases, mail, models, workflows, secrets, functions, destructive, needs}`
[[nodiscard]] json::Value to_json(const Capabilities& capabilities);

}  // namespace pawl::engine
