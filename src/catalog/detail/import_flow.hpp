// From a graph of nodes to a list of tasks: shared by the importers.
//
// Each node becomes one task, in an order in which sources come first. A task runs where one of the ways into it was taken, and gets what
// its source put out. `$context` holds what each node has put out, by task name, and for nodes with several exits the one that was taken
// under `NAME#exit`; only what somebody asks for is kept.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "json/value.hpp"

namespace pawl::catalog::detail {

inline constexpr std::size_t kMaxImportedNodes = 1000;

struct FlowEdge {
  std::size_t source = 0;
  std::optional<std::uint32_t> exit;  ///< of a source with several exits
};

struct FlowNode {
  std::string name;     ///< of the task; unique
  json::Value body;     ///< the task's members
  std::string exit;     ///< jq on the task's output: the number of the exit taken; empty: there is one
  std::string pointer;  ///< in the source
  bool entry = false;   ///< runs first, on the input of the whole list
  bool merges = false;  ///< takes the outputs of all its sources together, not of the first
  std::vector<FlowEdge> edges;
  std::set<std::string> references;  ///< tasks whose outputs its expressions read
};

struct Flow {
  std::vector<FlowNode> nodes;
  std::string merge_base;   ///< jq: what `merges` begins with; empty: nothing
  std::string entry_input;  ///< jq: what entries get; empty: what the list gets
};

/// jq: what the node of this name has put out.
[[nodiscard]] std::string output_of(std::string_view name);
/// A task that says what was not translated.
[[nodiscard]] json::Value refusal(std::string_view why);
/// Text that is meant literally, where `${ }` would make it an expression.
[[nodiscard]] json::Value literal(std::string_view text);
[[nodiscard]] std::string jq_text(std::string_view text);
[[nodiscard]] std::string expression(std::string_view jq);  ///< `${ ... }`

/// The `do` list. `outer`: names that somebody outside of this list asks for. Nodes on a circle become refusals.
[[nodiscard]] json::Value task_list(Flow flow, const std::set<std::string>& outer, Findings& findings);

/// Makes names unique and fit for tasks.
class TaskNames {
 public:
  [[nodiscard]] std::string take(std::string_view wanted);

 private:
  std::set<std::string> taken_;
};

void report(Findings& findings, std::string pointer, std::string message);

/// A document around a list of tasks.
[[nodiscard]] json::Value document(std::string_view name, std::string_view summary, json::Value tasks);

}  // namespace pawl::catalog::detail
