/// What a function is to the engine: a named effect with a declared class, a plan (dry-run) and an asynchronous start.
///
/// Implementations live in `functions/`; `agents/` will add more. The registry is filled once by `app/`;
/// afterwards nothing changes in it but the functions that users write.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "dsl/compile.hpp"
#include "dsl/plan.hpp"
#include "engine/machine/event.hpp"
#include "json/value.hpp"

namespace pawl::engine {

using dsl::EffectClass;

/// How a call of a function ended.
struct Outcome {
  json::Value output;  ///< where it succeeded
  json::Value error;   ///< object as `make_error` makes it; null: success
  std::vector<LogLine> logs;

  [[nodiscard]] static Outcome success(json::Value output, std::vector<LogLine> logs = {}) {
    return {std::move(output), {}, std::move(logs)};
  }
  /// What a dry run answers: `{"dry_run": true, "plan": steps}`.
  [[nodiscard]] static Outcome planned(json::Value steps) {
    return success(json::Value::object({{"dry_run", true}, {"plan", std::move(steps)}}));
  }
  [[nodiscard]] static Outcome failure(json::Value error, std::vector<LogLine> logs = {}) {
    return {{}, std::move(error), std::move(logs)};
  }
  [[nodiscard]] bool ok() const { return error.is_null(); }
};

/// One call.
struct Invocation {
  RunId run;
  OrganizationId organization;  ///< that the run belongs to; nil: none
  StepKey step;
  std::string reference;                   ///< of the task, for messages
  EffectClass effect = EffectClass::read;  ///< of this very step: what the task declares, else what the function says
  std::string idempotency_key;             ///< to be sent with an `idempotent` or `once` effect; empty for the others
  json::Value arguments;
  json::Value input;        ///< the task's input (URI templates expand over it)
  json::Value secrets;      ///< object; values never go to logs, errors or outputs
  bool dry_run = false;     ///< start nothing: answer `Outcome::planned`
  bool may_destroy = true;  ///< false: the run may not (`engine::may_destroy`); files that a program of the call could write it only reads
  bool restarted = false;   ///< a process ended before this very call answered: it may have begun
  TimePoint now{};
};

/// Answers exactly once, from any thread, possibly before `start` returns.
using Done = std::function<void(Outcome)>;
/// Asks a running call to stop; callable from any thread, at any time, more than once. `Done` still comes (soon), with whatever error.
using Cancel = std::function<void()>;

/// What a call may reach, by the parameter that names it: the capability manifest of a workflow is made from these, before anything runs.
struct Access {
  enum class Kind : std::uint8_t {
    host,      ///< connects to the host of the URL, connection string or host name at `parameter`
    read,      ///< reads files at the path
    write,     ///< makes, changes or deletes files at the path
    process,   ///< runs the program or script
    database,  ///< opens the database of the connection string or file
    mail,      ///< sends mail to the addresses
    model,     ///< asks the language model
    workflow,  ///< starts the workflow
  };
  Kind kind = Kind::host;
  /// JSON pointer into the arguments, such as `/endpoint/uri`. Empty: not named by an argument; `fixed` says what it is.
  std::string parameter;
  std::string fixed;  ///< where nothing names it: `hooks.slack.com`, `(configured provider)`
  /// The argument that this takes: a switch, such as `/screenshot`, or a choice, `/operation=extract`; `/other=` is that the
  /// argument is left out. Empty: always reached. A parameter that is left out is what its schema's `default` says, here as well.
  std::string when{};
};

/// What an installation, and the role of who starts the run, must grant so that a function can do its work.
enum class Need : std::uint8_t {
  containers,   ///< a container engine
  database,     ///< databases beside the program's own
  destroy,      ///< the right to destroy or overwrite (`allow_destructive: true`, and a role that may)
  files_read,   ///< the allowed folders
  files_write,  ///< the same, for writing
  mail,         ///< sends mail
  memory,       ///< what agents keep from run to run
  model,        ///< a language model
  network,      ///< connects to other hosts
  people,       ///< somebody who decides
  processes,    ///< runs programs, in the sandbox
  workflows,    ///< starts other workflows
};
[[nodiscard]] std::string_view to_text(Need need);  ///< `files.read`
[[nodiscard]] Need need_of(Access::Kind kind);

class Function {
 public:
  Function() = default;
  Function(const Function&) = delete;
  Function& operator=(const Function&) = delete;
  virtual ~Function() = default;

  struct Info {
    std::string name;  ///< canonical, dashes
    std::string version = "1.0.0";
    std::string summary;
    json::Value parameters;       ///< JSON Schema
    json::Value output;           ///< JSON Schema
    json::Value examples;         ///< array of argument objects
    bool destructive = false;     ///< needs `allow_destructive: true` to do anything but plan
    std::vector<Access> reach{};  ///< empty: it stays within the run
    std::vector<Need> needs{};    ///< beside those that follow from `reach` and `destructive`
    /// Arguments, at any depth, that hold what people wrote or keep: the text of a mail, a file, a prompt. Records of a call have their
    /// size (`recorded`). Outputs are in no record.
    std::vector<std::string> content{};
  };
  [[nodiscard]] virtual const Info& info() const = 0;
  /// The class of this very call (an HTTP GET reads, a POST does not).
  [[nodiscard]] virtual EffectClass effect_class(const json::Value& arguments) const = 0;
  /// Whether this very call destroys, so that it needs `allow_destructive: true` (listing an archive does not, unpacking one does).
  [[nodiscard]] virtual bool destroys(const json::Value& arguments) const {
    static_cast<void>(arguments);
    return info().destructive;
  }
  /// What the call would do, as an array of `{action, ...}` objects; touches nothing but may read.
  [[nodiscard]] virtual Result<json::Value> plan(const Invocation& call) const = 0;
  /// Begins the call. Must not block the calling thread (a shard); long work goes to a pool, a process or the network. The returned Cancel
  /// may be empty.
  [[nodiscard]] virtual Cancel start(Invocation call, Done done) = 0;
};

/// All that calls of the function may need, by name.
[[nodiscard]] std::vector<Need> needs_of(const Function::Info& info);
/// The arguments of a call as the audit trail keeps them: `{size}` in place of content.
[[nodiscard]] json::Value recorded(const Function::Info& info, const json::Value& arguments);

/// A function that somebody has written as a task, from the folder of user functions (`functions/user_functions.hpp`).
struct UserFunction {
  dsl::FunctionDefinitionPtr definition;  ///< never null
  std::string summary;
  json::Value parameters;            ///< JSON Schema
  json::Value output;                ///< JSON Schema
  json::Value examples;              ///< array
  std::vector<EffectClass> effects;  ///< the classes that its steps can have
  bool destructive = false;          ///< has a step that may destroy
  std::vector<std::string> needs;    ///< of its steps, as `to_text` names them
  json::Value permissions;           ///< what it may reach, as `to_json` of its capabilities
};
/// By name, the newest version of each first.
using UserFunctions = std::shared_ptr<const std::vector<UserFunction>>;

/// All functions by canonical name: the program's own, which are there from the start, and those that users have written, which change.
class FunctionRegistry final : public dsl::FunctionCatalog {
 public:
  /// Asserts that the name is new.
  void add(std::unique_ptr<Function> function);
  /// Puts something around every function that is there: measuring, recording. It keeps the info.
  void wrap(const std::function<std::unique_ptr<Function>(std::unique_ptr<Function>)>& wrapper);
  [[nodiscard]] Function* get(std::string_view name) const;
  [[nodiscard]] std::vector<const Function*> all() const;  ///< the program's own

  /// Puts these in place of the user functions that were there; any time, any thread. Plans keep what they were compiled with.
  void publish(std::vector<UserFunction> functions);
  [[nodiscard]] UserFunctions user_functions() const;  ///< never null
  /// Reads them again from where they come: `{functions: [{name, version}], findings: [{file, line, column, message, rule}]}`. Blocks.
  using Reload = std::function<json::Value()>;
  void set_reload(Reload reload) { reload_ = std::move(reload); }
  [[nodiscard]] const Reload& reload() const { return reload_; }  ///< empty: there is nothing to read

  [[nodiscard]] const Signature* find(std::string_view name) const override;
  /// From what the function declares (`Info::reach`, `destructive`, its effect class), the worst for what is not fixed.
  [[nodiscard]] Reach reach(std::string_view name, const json::Value& fixed) const override;
  [[nodiscard]] dsl::FunctionDefinitionPtr definition(std::string_view name, std::string_view version) const override;
  /// Asks whoever was set; null: nobody. Set once, before anything is compiled.
  using RemoteSource = std::function<Result<dsl::FunctionDefinitionPtr>(const Remote&)>;
  void set_remote(RemoteSource source) { remote_ = std::move(source); }
  [[nodiscard]] Result<dsl::FunctionDefinitionPtr> remote(const Remote& function) const override;
  [[nodiscard]] std::vector<std::string> names() const override;

 private:
  struct Entry {
    std::unique_ptr<Function> function;
    Signature signature;
  };
  std::vector<Entry> entries_;  // sorted by name
  RemoteSource remote_;
  Reload reload_;
  mutable std::mutex mutex_;  // of what follows
  UserFunctions user_functions_ = std::make_shared<const std::vector<UserFunction>>();
};

}  // namespace pawl::engine
