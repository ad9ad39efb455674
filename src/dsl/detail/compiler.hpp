/// One compilation: the state that the parts of the compiler share. Each group of functions has a file of its own (`compile_*.cpp`).
///
/// Total over all input: whatever is wrong becomes a finding, something harmless stands in its place, and the compilation goes on.
/// Recursion is bounded by the depth of the document and by kMaxCopies (functions within functions).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/compile_stored.hpp"
#include "dsl/detail/json_schema.hpp"
#include "dsl/detail/reporter.hpp"

namespace pawl::dsl::detail {

using Names = std::vector<std::string>;

/// A value of the document and where it stands.
struct Node {
  json::Value value;
  std::string pointer;
};

/// Where tasks are being compiled.
struct Place {
  TaskIndex parent = kNoTask;
  Names names;            ///< variables in scope
  std::size_t strip = 0;  ///< reference of a task = prefix + its pointer without the first `strip` bytes
  std::string prefix;
  bool extend = true;  ///< extensions apply to these tasks
  bool expand = true;  ///< calls of `use.functions` get their copy
  [[nodiscard]] std::string reference(const std::string& pointer) const { return prefix + pointer.substr(strip); }
};

/// The tasks among which `then` may choose.
struct Siblings {
  std::vector<std::string> names;
  std::string_view why_none;  ///< where there is nothing to choose from: the reason
};

/// A definition below `use`.
using Definitions = std::map<std::string, Node, std::less<>>;

class Compiler {
 public:
  Compiler(const yaml::Document& document, Reporter& reporter, const FunctionCatalog& functions, const CompileLimits& limits,
           Source source);
  /// Findings go to the reporter; the plan is sound only if there are no errors.
  [[nodiscard]] Plan run();
  /// The document is a function of a catalog (`compile_function`).
  [[nodiscard]] Plan run_function(const std::string& self);

 private:
  // ---- compile_document.cpp
  void dsl_form(const Node& root);
  void document_block(const Node& block);
  void evaluate_block(const Node& root);
  void workflow_data(const Node& root);
  void use_block(const Node& root);
  void read_definitions(const Node& use, const char* name, Definitions& out);
  void check_definitions();
  void check_functions();
  void read_extensions(const Node& use);

  // ---- compile_schedule.cpp
  void schedule(const Node& node, const json::Value& metadata);
  void workflow_metadata();
  void after_workflows(const Node& list);

  // ---- compile_list_form.cpp
  void list_form(const Node& root);
  struct ListTask;
  [[nodiscard]] TaskIndex graph_of(const Node& tasks, const std::string& name, std::uint32_t max_parallel, const Names& names);
  void list_node(const ListTask& task, const Place& place, GraphTask& graph);
  void list_task(TaskIndex index, const Node& node, const std::string& name, const Place& place);
  void list_body(Task& task, const Node& node, const Node& type, const Place& place);
  void list_dependencies(const std::vector<ListTask>& tasks, GraphTask& graph);
  void find_cycles(const std::vector<ListTask>& tasks, const GraphTask& graph, const std::vector<std::vector<std::string>>& places);
  [[nodiscard]] std::optional<Template> list_timeout(const Node& node);

  // ---- compile_task.cpp
  [[nodiscard]] TaskList task_list(const Node& node, const Place& place, bool branches = false);
  [[nodiscard]] TaskIndex task(const Node& node, const std::string& name, const Place& place, const Siblings& siblings);
  [[nodiscard]] TaskIndex reserve_task(const std::string& pointer);
  [[nodiscard]] std::string task_type(const Node& node);
  void common(Task& task, const Node& node, const Names& names, const Siblings& siblings);
  void task_metadata(Task& task, const Node& node);
  void body(Task& task, const Node& node, const Place& place, const Siblings& siblings);
  void simple_body(Task& task, const Node& node, const Place& place);
  void apply_extensions(Task& task, const Place& place);
  [[nodiscard]] Flow flow(const Node& node, const Siblings& siblings);
  [[nodiscard]] std::optional<Template> timeout(const Node& node, const Names& names);

  // ---- compile_control.cpp
  [[nodiscard]] SetTask set_task(const Node& node, const Place& place);
  [[nodiscard]] SwitchTask switch_task(const Node& node, const Place& place, const Siblings& siblings);
  [[nodiscard]] ForTask for_task(const Node& task, const Place& place);
  [[nodiscard]] ForkTask fork_task(const Node& node, const Place& place);
  [[nodiscard]] TryTask try_task(const Node& task, const Place& place, const Siblings& siblings);
  [[nodiscard]] RaiseTask raise_task(const Node& node, const Place& place);
  [[nodiscard]] std::optional<Template> error_definition(const Node& node, const Names& names);
  [[nodiscard]] std::optional<RetryPolicy> retry(const Node& node, const Names& names);
  [[nodiscard]] RetryPolicy retry_policy(const Node& node, const Names& names);
  void backoff(const Node& node, RetryPolicy& policy, const Names& names);
  void retry_limit(const Node& node, RetryPolicy& policy, const Names& names);

  // ---- compile_events.cpp
  [[nodiscard]] EmitTask emit_task(const Node& node, const Place& place);
  [[nodiscard]] ListenTask listen_task(const Node& task, const Place& place);
  [[nodiscard]] EventStrategy strategy(const Node& node, const Names& names, bool nested = false);
  [[nodiscard]] EventFilter event_filter(const Node& node, const Names& names);
  [[nodiscard]] std::optional<ForeachClause> foreach_clause(const Node& node, const Place& place);
  [[nodiscard]] ReadAs read_as(const Node& node);

  // ---- compile_call.cpp
  void call_task(Task& task, const Node& node, const Place& place);
  [[nodiscard]] static bool is_protocol(std::string_view name);
  void protocol_call(Task& task, const std::string& name, const Node& with, const Place& place);
  void asyncapi_subscription(CallTask& call, const Node& with, const Place& place);
  void invoke(Task& task, const std::string& name, const Node& node, const Place& place);
  void copy_function(Task& task, InvokeTask& made, const std::string& name, const Node& definition, Place inside);
  void catalog_call(Task& task, const Node& name, const std::optional<Node>& with, const Place& place);
  [[nodiscard]] FunctionDefinitionPtr written_function(const Node& name);
  [[nodiscard]] FunctionDefinitionPtr remote_function(const Node& call, const Node& catalog, std::string_view name,
                                                      std::string_view version);
  void definition_call(Task& task, const FunctionDefinitionPtr& called, const Node& name, const std::optional<Node>& with,
                       const Place& place);
  void run_task(Task& task, const Node& node, const Place& place);
  void run_process(Task& task, std::string_view kind, const Node& process, const std::optional<Node>& await,
                   const std::optional<Node>& returned, const Place& place);
  void check_arguments(const FunctionCatalog::Signature& signature, const Node& with);
  void check_shape(const JsonSchema& schema, const Node& node);
  [[nodiscard]] std::string nearest_function(std::string_view name) const;

  // ---- compile_unknown.cpp
  void on_unknown(Task& task, const Node& node, const Place& place);
  void probe(OnUnknown& policy, const Node& node, const Place& place);

  // ---- compile_wind_up.cpp
  void compensation(Task& task, const Node& node, const Place& place);
  [[nodiscard]] TaskIndex compensating_task(const Node& node, const std::string& name, const Place& place);
  void finally_tasks();

  // ---- compile_agent.cpp
  void agent_call(Task& task, const Node& name, const std::optional<Node>& with, const Place& place);
  [[nodiscard]] AgentTask agent(const Node& with, const std::string& reference, const Place& place, bool is_tool);
  TaskIndex agent_step(std::string_view type, std::string name, std::string reference, std::string function, const Node& node,
                       const Place& place);
  void agent_tools(AgentTask& agent, const Node& list, const std::string& reference, const Place& place);
  [[nodiscard]] std::optional<AgentTool> agent_tool(const Node& node, const std::string& reference, const Place& place);
  struct ToolFunction;
  [[nodiscard]] std::optional<ToolFunction> tool_function(const Node& name);
  [[nodiscard]] bool function_tool(AgentTool& tool, const ToolFunction& function, const Node& node, const Place& place);
  void written_tool(AgentTool& tool, const ToolFunction& function, const Node& node, const Node& name, const Place& place);
  [[nodiscard]] bool server_tool(AgentTool& tool, const Node& node, const Node& server, const Place& place);
  [[nodiscard]] bool workflow_tool(AgentTool& tool, const Node& node, const Node& workflow, const Place& place);
  void agent_approval(AgentTask& agent, const Node& node, const Place& place);
  void agent_memory(const Node& memory, const std::string& reference, const Place& place);
  void agent_output(AgentTask& agent, const Node& node);

  // ---- compile_values.cpp: shapes
  /// Reports a wrong type. `what` completes "... must be an object".
  [[nodiscard]] bool is_object(const Node& node, std::string_view what);
  [[nodiscard]] bool is_list(const Node& node, std::string_view what);
  [[nodiscard]] std::optional<std::string> text(const Node& node, std::string_view what);
  [[nodiscard]] std::optional<bool> boolean(const Node& node, std::string_view what);
  [[nodiscard]] std::optional<std::int64_t> integer(const Node& node, std::string_view what, std::int64_t least, std::int64_t most);
  [[nodiscard]] std::optional<std::string_view> one_of(const Node& node, std::string_view what, std::span<const std::string_view> choices);
  void check_members(const Node& node, std::span<const std::string_view> known, std::string_view what);
  [[nodiscard]] static std::optional<Node> member(const Node& node, std::string_view name);
  [[nodiscard]] std::optional<Node> required(const Node& node, std::string_view name, std::string_view what);
  [[nodiscard]] static Node item(const Node& node, std::size_t index);
  /// The only member of a one-member object, as in task and case lists.
  [[nodiscard]] std::optional<Node> entry(const Node& node, std::string_view what, std::string& name);
  void missing(const std::string& pointer, std::string_view name, std::string_view what);
  /// The definition that a name refers to; else a finding.
  [[nodiscard]] std::optional<Node> reference(const Node& node, const Definitions& definitions, std::string_view kind);
  void variable_name(const Node& node, std::string& out, std::string_view what);

  // ---- compile_values.cpp: expressions and data
  /// A field that is an expression by its type; with or without `${ }`.
  [[nodiscard]] std::optional<Expression> expression(const Node& node, const Names& names, std::string_view what);
  [[nodiscard]] std::optional<Expression> source(const std::string& pointer, std::string_view text, std::size_t offset, const Names& names);
  /// Data in which `${ }` decides.
  [[nodiscard]] Template data(const Node& node, const Names& names);
  [[nodiscard]] Template data_text(const Node& node, const Names& names);
  /// `from`, `as`: text is an expression, an object is data.
  [[nodiscard]] std::optional<Template> mapping(const Node& node, const Names& names, std::string_view what);
  [[nodiscard]] std::optional<Template> duration(const Node& node, const Names& names, bool short_text = false);
  [[nodiscard]] std::optional<Schema> schema(const Node& node);
  [[nodiscard]] DataIn data_in(const Node& node, const Names& names);
  [[nodiscard]] DataOut data_out(const Node& node, const Names& names, std::string_view what);
  void secrets_in(const std::string& pointer, std::string_view source);
  void declared_secret(const Node& authentication);
  void event_data_path(const std::string& pointer, std::string_view source);

  const yaml::Document& document_;
  Reporter& report_;
  const FunctionCatalog& functions_;
  const CompileLimits& limits_;
  Source source_;
  Plan plan_;
  bool loose_ = false;
  bool reads_event_data_ = false;        // `schedule.on` with the default `read`
  bool keep_inner_dollars_ = false;      // script code: `${` within other text belongs to the script
  bool shell_text_ = false;              // shell commands: `${HOME}` belongs to the shell
  bool foreign_text_ = false;            // selectors and patterns: a leading dot means something else there
  bool authentication_place_ = false;    // `authentication: {use: name}` is replaced by what it names
  std::optional<std::string> overflow_;  // where the limit of tasks was passed
  std::set<std::string> used_;           // definitions that something refers to, by pointer
  std::vector<std::string> calling_;     // functions being copied, outermost first
  std::size_t copied_bytes_ = 0;         // of functions, as text
  std::map<std::string, std::size_t> function_sizes_;
  bool in_function_ = false;            // of a catalog
  bool remote_failed_ = false;          // nobody is asked for more functions of catalogs elsewhere
  std::set<std::string> remote_asked_;  // for these somebody was
  std::optional<std::size_t> undoing_;  // compiling what compensates or `finally`: how many functions were being copied around it
  Definitions errors_, retries_, timeouts_, authentications_, catalogs_, function_tasks_;
  class OutOfSight;
  struct ExtensionSource {
    Node node;
    std::string name;
    std::string extend;
  };
  std::vector<ExtensionSource> extensions_;
  std::map<std::string, std::optional<JsonSchema>, std::less<>> parameter_schemas_;
  std::map<std::string, std::string, std::less<>> calls_between_;  // pointer of a call -> function, for functions' bodies
};

/// `context`, `input`, ... : what is in scope of every task.
[[nodiscard]] const Names& task_names();
/// The same for functions of catalogs: neither secrets nor what came with the call that started the run.
[[nodiscard]] const Names& function_names();
[[nodiscard]] Names with_name(Names names, std::string name);

[[nodiscard]] bool is_semantic_version(std::string_view text);
[[nodiscard]] bool is_label(std::string_view text);  ///< letters, digits and inner dashes, at most 63

}  // namespace pawl::dsl::detail
