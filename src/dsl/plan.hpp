/// The compiled form of one workflow version: what the machine interprets.
///
/// A plan is immutable, shared by all its runs, safe to read from any thread: a tree of tasks held in one vector; tasks name each other by
/// index. Everything that the document leaves to references is resolved here: `use.errors`, `use.retries`, `use.timeouts`,
/// `use.authentications`, `use.functions` (each call has a copy of the function's task below it), extensions (each extended task has
/// copies of the extension's tasks below it). So a task index alone identifies a place in the program, and with the iteration numbers a
/// step.
///
/// References of copies: the task of function `f` called by the task at `/do/0/x` is `/do/0/x/call/f`, what is below it goes on from there
/// (`/do/0/x/call/f/do/1/y`); tasks of the extension at position 2, named `e`, of that task are `/do/0/x/extensions/2/e/before/0/z` and
/// `.../after/0/z`; an agent's turn is `/do/0/x/agent/turn`, a tool `.../agent/tool/t`. Others are JSON pointers; of task lists `/tasks/0`;
/// what undoes a task is `/do/0/x/metadata/compensate`, what a run does at its end `/document/metadata/finally/0/y`.
///
/// The task-list form compiles to the same plan: one root `GraphTask`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "dsl/expression.hpp"
#include "dsl/schema.hpp"
#include "json/value.hpp"

namespace pawl::dsl {

using TaskIndex = std::uint32_t;
inline constexpr TaskIndex kNoTask = UINT32_MAX;

/// What a step does to the outside (design.md chapter 4).
enum class EffectClass : std::uint8_t { pure, read, idempotent, once };

/// Where control goes after a task: on in the list, out of the list, to the end of the run, or to a task of the same list.
struct Flow {
  enum class Kind : std::uint8_t { next, exit, end, jump };
  Kind kind = Kind::next;
  std::uint32_t target = 0;  ///< jump: position in the enclosing list
};

/// A list of tasks run one after the other.
struct TaskList {
  std::vector<TaskIndex> tasks;
};

struct SetTask {
  Template value;
};
struct DoTask {
  TaskList tasks;
};
struct SwitchCase {
  std::string name;
  std::optional<Expression> when;  ///< none: the default case
  Flow then;
};
struct SwitchTask {
  std::vector<SwitchCase> cases;
};
struct ForTask {
  std::string each = "item";
  std::string at = "index";
  std::variant<Expression, Template> in = Template();  ///< an expression, or an inline list
  std::optional<Expression> while_;
  TaskList tasks;
  std::uint32_t concurrency = 1;  ///< > 1: rounds run in parallel, each from the loop's input; the output is the array of round outputs
};
struct ForkTask {
  std::vector<TaskIndex> branches;
  bool compete = false;
};
struct RetryPolicy {
  enum class Backoff : std::uint8_t { constant, linear, exponential };
  std::optional<Expression> when;
  std::optional<Expression> except_when;
  Template delay{json::Value(0)};  ///< a duration
  Backoff backoff = Backoff::constant;
  std::optional<Template> increment;         ///< linear: a duration added per retry; none: `delay`
  double multiplier = 2;                     ///< exponential: delay x multiplier^(n-1)
  std::optional<Template> max_delay;         ///< a duration; default cap five minutes
  std::optional<std::uint32_t> max_retries;  ///< after the first try; none: no limit by count
  std::optional<Template> attempt_duration;  ///< a duration; limit of each attempt
  std::optional<Template> total_duration;    ///< a duration; limit of all attempts together
  std::optional<Template> jitter_from;
  std::optional<Template> jitter_to;
};
struct CatchClause {
  std::optional<Template> errors_with;  ///< object: members that an error must have to be caught
  std::string as = "error";
  std::optional<Expression> when;
  std::optional<Expression> except_when;
  std::optional<RetryPolicy> retry;
  std::optional<TaskList> tasks;  ///< `catch.do`
  std::optional<Flow> then;
};
struct TryTask {
  TaskList tasks;
  CatchClause handler;
  bool undoes = false;  ///< `metadata.compensate: true`: what a failed attempt had finished is undone before anything else is done
};
struct RaiseTask {
  Template error;  ///< evaluates to the error object (type, status, title, detail, instance)
};
struct WaitTask {
  Template duration;
};
struct EmitTask {
  Template event;  ///< evaluates to the event's attributes and data
};

struct EventFilter {
  /// Attribute -> what it must be. Constant: equality; text `/.../`: regular expression; expression: evaluated on the attribute's value,
  /// boolean result = predicate, other result = equality.
  std::vector<std::pair<std::string, Template>> with;
  struct Correlation {
    std::string name;
    Expression from;  ///< on the event (envelope with data)
    std::optional<Template> expect;
  };
  std::vector<Correlation> correlate;
};
struct EventStrategy {
  enum class Kind : std::uint8_t { one, any, all };
  Kind kind = Kind::one;
  std::vector<EventFilter> filters;                     ///< empty with `any`: every event
  std::optional<Expression> until;                      ///< with `any`: on the array of what was consumed
  std::shared_ptr<const EventStrategy> until_consumed;  ///< with `any`: `until` as events
};
enum class ReadAs : std::uint8_t { data, envelope, raw };
struct ForeachClause {
  std::string item = "item";
  std::string at = "index";
  TaskList tasks;
  std::optional<Template> output_as;
  std::optional<Template> export_as;
};
struct ListenTask {
  EventStrategy to;
  ReadAs read = ReadAs::data;
  std::optional<ForeachClause> foreach;
};

/// `metadata.on_unknown`: what to do about a call of class `once` that had begun when the process ended, so that nobody knows whether it
/// took effect. Without it the task faults.
struct OnUnknown {
  enum class Kind : std::uint8_t { fail, retry_with_key, ask, probe };
  Kind kind = Kind::fail;
  std::string probe;                   ///< canonical name of a function that reads
  Template probe_arguments;            ///< evaluated on the task's input
  std::optional<Expression> happened;  ///< on the probe's output; else its member `happened` says it
  std::optional<Template> output;      ///< on the probe's output: what the task then gives; else the probe's output
};

/// Anything that touches the outside: `call: http`, a catalog function, `run: shell` (function name `run.shell`), `run.script`,
/// `run.container`, `run.workflow`.
struct CallTask {
  std::string function;
  Template arguments;                           ///< evaluated on the task's input: what the function gets
  std::optional<EffectClass> effect;            ///< `metadata.effect`; else the function decides by its arguments
  std::shared_ptr<const OnUnknown> on_unknown;  ///< may be null
  bool await = true;                            ///< `run: ... await: false`: output is the input
  bool keep_input = false;                      ///< `return: none`: output is the input
  /// `call: asyncapi` with `subscription.foreach`: tasks to run for each item of the call's output array, as `listen` does. The arguments
  /// hold the rest of the subscription, its `filter`, `while` and `until` as written: they are about messages that only the call sees.
  std::optional<ForeachClause> foreach;
  bool of_agent = false;  ///< a turn or a tool of an agent, which makes the arguments; `arguments` holds those that are settled
};
/// Something that an agent may call.
struct AgentTool {
  std::string name;                  ///< what the model calls it
  json::Value offer;                 ///< what the model is told: `{name, description, parameters}`
  std::optional<Schema> parameters;  ///< of `offer`: what the model's arguments must be
  Template fixed;                    ///< object: arguments that the model cannot change; evaluated on the agent's input
  TaskIndex task = kNoTask;          ///< what runs: a `CallTask`, or an `AgentTask` for an agent as a tool
  bool wraps_input = false;          ///< a workflow: the model's arguments are its input, not arguments of the call
  bool needs_approval = false;
  std::optional<Expression> approval;    ///< on `{tool, arguments}`: whether this very call needs approval
  bool reads_outside = true;             ///< what it answers comes from outside of the run: nobody vouches for it
  bool acts = true;                      ///< may change, send or start something
  bool allowed_after_untrusted = false;  ///< may act although the agent has read what nobody vouches for
};
/// `call: agent`: turns of a model and the tool calls that it asks for, until it asks for none (machine/agent_task.cpp). The turn and each
/// tool are tasks below it, which run as often as the model wants.
struct AgentTask {
  Template arguments;           ///< all but tools, `output` and what is compiled here; evaluated on the task's input
  TaskIndex turn = kNoTask;     ///< a `CallTask` of `llm`
  TaskIndex approve = kNoTask;  ///< a `CallTask` of `approval`; none: nothing in this agent can be approved
  std::vector<AgentTool> tools;
  json::Value output_schema;  ///< null: the answer is text
  std::optional<Schema> output;
  std::optional<Expression> approval;          ///< for all tools, as AgentTool::approval
  std::optional<Expression> stop_when;         ///< asked after the tool calls of a turn
  std::optional<Expression> input_guardrail;   ///< on `{messages}`, before they go to the model
  std::optional<Expression> output_guardrail;  ///< on `{content, output}`, before it is the answer
};
/// `call` of a task in `use.functions`.
struct InvokeTask {
  Template arguments;  ///< the callee's input; absent `with`: the task's own input (then constant null and `pass_input`)
  bool pass_input = false;
  TaskIndex callee = kNoTask;
};
/// The task-list form: a graph of tasks.
struct GraphNode {
  TaskIndex task = kNoTask;
  struct Dependency {
    std::uint32_t node = 0;      ///< position in GraphTask::nodes
    bool must_complete = false;  ///< `status: completed`: a skipped dependency skips this node as well
  };
  std::vector<Dependency> depends_on;
  std::optional<Expression> run_if;  ///< on the map of finished outputs plus `.input`
  std::optional<RetryPolicy> retry;  ///< `max_retries`
};
struct GraphTask {
  std::vector<GraphNode> nodes;  ///< in document order; acyclic
  std::uint32_t max_parallel = 10;
};

struct ExtensionUse {
  std::optional<Expression> when;
  std::optional<TaskList> before;
  std::optional<TaskList> after;
};

struct DataIn {
  std::optional<Schema> schema;
  std::optional<Template> from;
};
struct DataOut {
  std::optional<Schema> schema;
  std::optional<Template> as;
};

struct Task {
  TaskIndex index = kNoTask;
  TaskIndex parent = kNoTask;  ///< kNoTask for tasks of the root list
  std::string name;
  std::string reference;                ///< JSON pointer in the document, for example `/do/0/fetch`
  std::string type;                     ///< the keyword: `set`, `call`, `run` ... (for task lists the function's name)
  std::optional<Expression> condition;  ///< `if`
  DataIn input;
  DataOut output;
  DataOut export_to;
  std::optional<Template> timeout;  ///< a duration
  Flow then;
  bool has_then = false;
  bool sees_secrets = true;  ///< functions of catalogs do not: what they need is given to them as arguments
  json::Value definition;    ///< as written: `$task.definition`
  json::Value metadata;
  std::vector<ExtensionUse> extensions;
  TaskList compensation;  ///< `metadata.compensate`: the one task that undoes it; empty: none
  std::variant<SetTask, DoTask, SwitchTask, ForTask, ForkTask, TryTask, RaiseTask, WaitTask, EmitTask, ListenTask, CallTask, InvokeTask,
               GraphTask, AgentTask>
      body;
};

struct Schedule {
  std::optional<Template> every;  ///< constant duration
  std::optional<std::string> cron;
  std::optional<Template> after;
  std::shared_ptr<const EventStrategy> on;
  ReadAs read = ReadAs::data;
  std::string timezone = "UTC";
  enum class Misfire : std::uint8_t { skip, run_once, catch_up };
  Misfire misfire = Misfire::run_once;
  enum class Overlap : std::uint8_t { allow, skip, queue, cancel_other };
  Overlap overlap = Overlap::allow;
};

/// A function that somebody has written, from a catalog: each call of it has a copy of its task below it, as a call of `use.functions` has.
struct FunctionDefinition {
  std::string name;     ///< canonical, with dashes
  std::string version;  ///< semantic
  std::string catalog;  ///< address of the catalog that it comes from; empty: the installation's own
  std::string sha256;   ///< of its file, hexadecimal
  json::Value task;     ///< sound by itself (`compile_function`)
};
using FunctionDefinitionPtr = std::shared_ptr<const FunctionDefinition>;

struct Plan {
  std::string name;
  std::string namespace_name;
  std::string version;
  std::string title;
  std::string summary;
  json::Value document;  ///< the whole definition as data: `$workflow.definition`
  std::vector<Task> tasks;
  TaskList root;  ///< of the task-list form: one graph task
  bool task_list_form = false;
  TaskList finally;  ///< `metadata.finally`: what runs when the rest has ended in any way; of the task-list form: one graph task
  DataIn input;
  DataOut output;
  std::optional<Template> timeout;
  std::optional<Schedule> schedule;
  std::vector<std::string> secrets;  ///< names that `$secrets` may offer
  json::Value metadata;
  std::vector<FunctionDefinitionPtr> functions;  ///< of catalogs, that it calls or that these call: with them it compiles to the same plan

  [[nodiscard]] const Task& task(TaskIndex index) const { return tasks[index]; }
};

using PlanPtr = std::shared_ptr<const Plan>;

}  // namespace pawl::dsl
