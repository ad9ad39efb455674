#include "api/detail/workflow_tools.hpp"

#include <algorithm>
#include <set>

#include "api/detail/function_tools.hpp"

namespace pawl::api::detail {
namespace {

constexpr std::uint32_t kPage = 200;
constexpr std::size_t kIdCharacters = 8;
constexpr std::size_t kMostOrganizations = 1000;
/// What a listing has left out counts for so long: a workflow that did not compile then may do so now, and no change tells that.
constexpr Millis kLeftOutFor{5'000};

/// `document.metadata.mcp.name`, else the document's.
std::string wished_name(const dsl::Plan& plan) {
  const auto& wish = plan.metadata.get("mcp").get("name");
  return wish.is_string() ? std::string(wish.as_string()) : plan.name;
}

/// Behind a name that an older workflow has: the end of the id.
std::string second_name(const std::string& wish, const WorkflowId& workflow) {
  const auto id = workflow.to_string();
  return mcp::tool_name(wish.substr(0, 50) + "-" + id.substr(id.size() - kIdCharacters));
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
  tool.title = title_of(named);
  tool.description = description_of(named);
  tool.input_schema = input_schema_of(plan);
  tool.output_schema = output_schema_of(plan);
  return tool;
}

/// Also of what is not there.
ToolNames::ListingPtr fresh_listing(Context& context, const OrganizationId& organization) {
  auto listing = context.tool_names->find(organization, context.d.catalog.changes());
  return listing != nullptr && context.d.clock.now() < listing->at + kLeftOutFor ? listing : nullptr;
}

/// Where it still is what the listing saw.
catalog::ExecutablePtr known_workflow(Context& context, const OrganizationId& organization, std::string_view name) {
  const auto listing = context.tool_names->find(organization, context.d.catalog.changes());
  if (listing == nullptr) return nullptr;
  const auto found = listing->names.find(name);
  if (found == listing->names.end()) return nullptr;
  auto executable = context.d.catalog.executable(organization, found->second);
  if (executable.has_error() || !(*executable)->active || (*executable)->plan->metadata.get("mcp") == json::Value(false)) return nullptr;
  const auto wish = wished_name(*(*executable)->plan);
  if (mcp::tool_name(wish) != name && second_name(wish, found->second) != name) return nullptr;
  return *executable;
}

}  // namespace

Error unknown_tool() { return {ErrorClass::not_found, "mcp.unknown_tool", "There is no tool of this name."}; }

ToolNames::ListingPtr ToolNames::find(const OrganizationId& organization, std::uint64_t changes) {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(organization);
  return found == known_.end() || found->second.changes != changes ? nullptr : found->second.listing;
}

void ToolNames::keep(const OrganizationId& organization, std::uint64_t changes, Listing listing) {
  auto kept = std::make_shared<const Listing>(std::move(listing));
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kMostOrganizations && !known_.contains(organization)) known_.clear();
  known_[organization] = {changes, std::move(kept)};
}

bool is_prompt(const dsl::Plan& plan) { return plan.metadata.get("mcp").get("prompt") == json::Value(true); }

bool is_skill(const dsl::Plan& plan) {
  const auto& wish = plan.metadata.get("a2a");
  return wish == json::Value(true) || wish.is_object();
}

std::string title_of(const NamedWorkflow& named) {
  const auto& plan = *named.workflow->plan;
  return plan.title.empty() ? named.workflow->name : plan.title;
}

std::string description_of(const NamedWorkflow& named) {
  const auto& plan = *named.workflow->plan;
  if (!plan.summary.empty()) return plan.summary;
  return named.description.empty() ? "Runs the workflow " + title_of(named) + "." : named.description;
}

json::Value input_schema_of(const dsl::Plan& plan) { return schema_in(plan.document, "input", json::Value::object({{"type", "object"}})); }
json::Value output_schema_of(const dsl::Plan& plan) { return schema_in(plan.document, "output", json::Value()); }

Result<std::vector<NamedWorkflow>> named_workflows(Context& context, const OrganizationId& organization) {
  const auto changes = context.d.catalog.changes();  // before: what changes meanwhile is seen by the next one
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
  for (auto& name : function_tool_names(context)) taken.insert(std::move(name));
  for (auto& workflow : all) {
    const auto executable = context.d.catalog.executable(organization, workflow.id);
    if (executable.has_error() || (*executable)->plan->metadata.get("mcp") == json::Value(false)) continue;
    const auto wish = wished_name(*(*executable)->plan);
    auto name = mcp::tool_name(wish);
    if (!taken.insert(name).second) {
      name = second_name(wish, workflow.id);
      if (!taken.insert(name).second) continue;
    }
    named.push_back({std::move(name), *executable, std::move(workflow.description)});
  }
  ToolNames::Listing listing;
  listing.at = context.d.clock.now();
  for (const auto& each : named) {
    listing.names.emplace(each.name, each.workflow->id);
    if (is_skill(*each.workflow->plan)) listing.skills.push_back(each.name);
  }
  context.tool_names->keep(organization, changes, std::move(listing));
  return named;
}

Result<std::vector<mcp::Tool>> workflow_tools(Context& context, const OrganizationId& organization) {
  PAWL_TRY(named, named_workflows(context, organization));
  std::vector<mcp::Tool> tools;
  tools.reserve(named.size());
  for (const auto& workflow : named) {
    if (!is_prompt(*workflow.workflow->plan)) tools.push_back(tool_of(workflow));
  }
  std::sort(tools.begin(), tools.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return tools;
}

Result<catalog::ExecutablePtr> workflow_of_name(Context& context, const OrganizationId& organization, std::string_view name) {
  if (auto known = known_workflow(context, organization, name)) return known;
  if (const auto listing = fresh_listing(context, organization); listing != nullptr && !listing->names.contains(name)) {
    return unknown_tool();
  }
  PAWL_TRY(named, named_workflows(context, organization));
  const auto found = std::find_if(named.begin(), named.end(), [&](const auto& workflow) { return workflow.name == name; });
  if (found == named.end()) return unknown_tool();
  return found->workflow;
}

Result<std::vector<std::string>> skill_names(Context& context, const OrganizationId& organization) {
  if (const auto listing = fresh_listing(context, organization)) return listing->skills;
  PAWL_TRY(named, named_workflows(context, organization));
  std::vector<std::string> skills;
  for (const auto& each : named) {
    if (is_skill(*each.workflow->plan)) skills.push_back(each.name);
  }
  return skills;
}

}  // namespace pawl::api::detail
