#include "api/detail/workflow_tools.hpp"

#include <algorithm>
#include <set>

namespace pawl::api::detail {
namespace {

constexpr std::uint32_t kPage = 200;
constexpr std::size_t kIdCharacters = 8;

struct NamedWorkflow {
  std::string name;
  catalog::ExecutablePtr workflow;
  std::string description;
};

/// `document.metadata.mcp.name`, else the document's.
std::string wished_name(const dsl::Plan& plan) {
  const auto& wish = plan.metadata.get("mcp").get("name");
  return wish.is_string() ? std::string(wish.as_string()) : plan.name;
}

/// Oldest first. A version that does not compile any more is no tool, nor is one whose `document.metadata.mcp` is false.
Result<std::vector<NamedWorkflow>> named_workflows(Context& context, const OrganizationId& organization) {
  std::vector<catalog::Workflow> all;
  catalog::WorkflowFilter filter;
  filter.active = true;
  filter.limit = kPage;
  do {  // newest first
    PAWL_TRY(page, context.d.catalog.list(organization, filter));
    filter.before = page.next;
    std::move(page.workflows.begin(), page.workflows.end(), std::back_inserter(all));
  } while (filter.before && all.size() < kMaxTools);
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  std::vector<NamedWorkflow> named;
  std::set<std::string> taken;
  for (auto& workflow : all) {
    const auto executable = context.d.catalog.executable(organization, workflow.id);
    if (executable.has_error() || (*executable)->plan->metadata.get("mcp") == json::Value(false)) continue;
    const auto wish = wished_name(*(*executable)->plan);
    auto name = mcp::tool_name(wish);
    if (!taken.insert(name).second) {
      const auto id = workflow.id.to_string();
      name = mcp::tool_name(wish.substr(0, 50) + "-" + id.substr(id.size() - kIdCharacters));
      if (!taken.insert(name).second) continue;
    }
    named.push_back({std::move(name), *executable, std::move(workflow.description)});
  }
  return named;
}

/// The schema that stands in the document, where it is of an object; `fallback` where none does.
json::Value schema_in(const json::Value& document, std::string_view part, json::Value fallback) {
  const auto& schema = document.get(part).get("schema").get("document");
  if (!schema.is_object() || schema.get("type") != json::Value("object")) return fallback;
  return schema;
}

mcp::Tool tool_of(const NamedWorkflow& named) {
  const auto& plan = *named.workflow->plan;
  mcp::Tool tool;
  tool.name = named.name;
  tool.title = plan.title.empty() ? named.workflow->name : plan.title;
  tool.description = !plan.summary.empty()        ? plan.summary
                     : !named.description.empty() ? named.description
                                                  : "Runs the workflow " + tool.title + ".";
  tool.input_schema = schema_in(plan.document, "input", json::Value::object({{"type", "object"}}));
  tool.output_schema = schema_in(plan.document, "output", json::Value());
  return tool;
}

}  // namespace

Result<std::vector<mcp::Tool>> workflow_tools(Context& context, const OrganizationId& organization) {
  PAWL_TRY(named, named_workflows(context, organization));
  std::vector<mcp::Tool> tools;
  tools.reserve(named.size());
  for (const auto& workflow : named) tools.push_back(tool_of(workflow));
  std::sort(tools.begin(), tools.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return tools;
}

Result<catalog::ExecutablePtr> workflow_of_tool(Context& context, const OrganizationId& organization, std::string_view name) {
  PAWL_TRY(named, named_workflows(context, organization));
  const auto found = std::find_if(named.begin(), named.end(), [&](const auto& workflow) { return workflow.name == name; });
  if (found == named.end()) return Error(ErrorClass::not_found, "mcp.unknown_tool", "There is no tool of this name.");
  return found->workflow;
}

}  // namespace pawl::api::detail
