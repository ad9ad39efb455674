// Workflows as tools, prompts and resources of the Model Context Protocol: one tool for each active workflow of an organization, or one
// prompt where its `document.metadata.mcp.prompt` is true.
//
// A tool is called as its document is. Where two documents have one name, the older workflow keeps it and the others get the end of their
// id behind it, so a name means the same workflow as long as that exists.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "api/detail/context.hpp"
#include "base/time.hpp"
#include "mcp/protocol.hpp"

namespace pawl::api::detail {

inline constexpr std::size_t kMaxTools = 1000;

/// Which workflow has which name, as the last listing found it: while no workflow changes a call need not list them all again.
class ToolNames {
 public:
  struct Listing {
    TimePoint at{};
    std::map<std::string, WorkflowId, std::less<>> names;
    std::vector<std::string> skills;  ///< those that other agents may ask for, in order
  };
  using ListingPtr = std::shared_ptr<const Listing>;
  /// Null where nothing is known, or something has changed since.
  [[nodiscard]] ListingPtr find(const OrganizationId& organization, std::uint64_t changes);
  void keep(const OrganizationId& organization, std::uint64_t changes, Listing listing);

 private:
  struct Known {
    std::uint64_t changes = 0;
    ListingPtr listing;
  };
  std::mutex mutex_;
  std::map<OrganizationId, Known> known_;  // guarded by mutex_
};

/// A workflow under the name that clients call it by.
struct NamedWorkflow {
  std::string name;
  catalog::ExecutablePtr workflow;
  std::string description;
};
/// Does it give a prompt, instead of being a tool?
[[nodiscard]] bool is_prompt(const dsl::Plan& plan);
/// May other agents ask for it (`document.metadata.a2a`)?
[[nodiscard]] bool is_skill(const dsl::Plan& plan);
[[nodiscard]] std::string title_of(const NamedWorkflow& named);
[[nodiscard]] std::string description_of(const NamedWorkflow& named);
/// Of its input, where that is of an object; else of any object.
[[nodiscard]] json::Value input_schema_of(const dsl::Plan& plan);
/// Of its output likewise; null: not declared.
[[nodiscard]] json::Value output_schema_of(const dsl::Plan& plan);

/// Oldest first, of at most `kMaxTools` workflows, the newest. A version that does not compile any more is left out, as is one whose
/// `document.metadata.mcp` is false. Blocks: on the pool.
[[nodiscard]] Result<std::vector<NamedWorkflow>> named_workflows(Context& context, const OrganizationId& organization);

/// `mcp.unknown_tool`: the same words for whatever is not there, or not for this caller.
[[nodiscard]] Error unknown_tool();
/// The organization's tools by name. Blocks: on the pool.
[[nodiscard]] Result<std::vector<mcp::Tool>> workflow_tools(Context& context, const OrganizationId& organization);
/// Names of the skills, in order, from a listing that is some seconds old at most. Blocks: on the pool.
[[nodiscard]] Result<std::vector<std::string>> skill_names(Context& context, const OrganizationId& organization);
/// A tool or a prompt. Error `mcp.unknown_tool`: whoever guesses names has the workflows listed every few seconds, not for each guess.
/// Blocks: on the pool.
[[nodiscard]] Result<catalog::ExecutablePtr> workflow_of_name(Context& context, const OrganizationId& organization, std::string_view name);

}  // namespace pawl::api::detail
