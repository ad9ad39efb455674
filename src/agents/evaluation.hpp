/// Evaluations of agents: a suite of cases with inputs and expectations, and what a run of a case says about them. Pure.
///
///     workflow: support-triage.yaml     # beside the suite
///     scripts: scripts                  # answers recorded for the provider `scripted`; left out: whoever the configuration names is asked
///     pass_rate: 1                      # of all runs; what is below fails the suite
///     cases:
///       - name: broken mug
///         input: {request: My mug came broken}
///         repeat: 3                     # runs of the case
///         approvals: approve            # or reject: how questions are answered; left out: the case fails where a person is asked
///         expect:
///           status: completed
///           output: {priority: high}    # what is named here must be so; other members may be there
///           check: .turns <= 4 and (.tools | index("refund"))
///         limits: {cost: 0.02, seconds: 30, tokens: 5000, turns: 6}
///
/// `check` is a jq expression over `{status, output, error, turns, tools, tokens, cost, seconds}`; its first result must be true.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "engine/engine.hpp"
#include "json/value.hpp"

namespace pawl::agents {

struct EvalCase {
  std::string name;
  json::Value input;
  std::uint32_t repeat = 1;
  std::string approvals{};  ///< `approve`, `reject`, or empty
  std::string status = "completed";
  json::Value output{};  ///< null: anything
  std::string check{};
  std::optional<double> most_cost{};
  std::optional<double> most_seconds{};
  std::optional<double> most_tokens{};
  std::optional<double> most_turns{};
};
struct EvalSuite {
  std::string workflow;  ///< path, as written
  std::string scripts{};
  double pass_rate = 1;
  std::vector<EvalCase> cases;
};
/// Error `eval.suite` with findings.
[[nodiscard]] Result<EvalSuite> read_suite(std::string_view yaml);

struct EvalMeasures {
  std::uint64_t turns = 0;
  std::vector<std::string> tools;  ///< that were called, in order
  std::uint64_t tokens = 0;
  double cost = 0;
  bool cost_known = true;  ///< false: a call's price is unknown
  double seconds = 0;
};
[[nodiscard]] EvalMeasures measures_of(const engine::RunView& run, double seconds);

/// What is not as expected, in sentences; empty: the run passed.
[[nodiscard]] std::vector<std::string> judge(const EvalCase& expected, const engine::RunView& run, const EvalMeasures& measures);

}  // namespace pawl::agents
