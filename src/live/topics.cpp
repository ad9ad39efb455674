#include "live/topics.hpp"

#include <algorithm>
#include <array>

namespace pawl::live {
namespace {

constexpr std::array<std::string_view, 4> kWhole{"runs", "approvals", "notifications", "audit"};
constexpr std::array<std::string_view, 2> kOfOne{"run:", "workflow:"};

}  // namespace

std::string run_topic(const RunId& run) { return "run:" + run.to_string(); }
std::string workflow_topic(const WorkflowId& workflow) { return "workflow:" + workflow.to_string(); }

bool is_topic(std::string_view text) {
  if (std::find(kWhole.begin(), kWhole.end(), text) != kWhole.end()) return true;
  return std::any_of(kOfOne.begin(), kOfOne.end(), [&](std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    const auto id = Uuid::parse(text.substr(prefix.size()));
    return id && id->to_string() == text.substr(prefix.size());
  });
}

}  // namespace pawl::live
