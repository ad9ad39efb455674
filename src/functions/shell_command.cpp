// `shell-command`: one program with arguments, no shell, in the sandbox. The names are those of the earlier product; its `allow_unsafe` has
// no meaning any more, because every command is contained, and asking for it is refused.

#include <fcntl.h>
#include <fmt/format.h>

#include "engine/machine/machine.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/process_call.hpp"

namespace pawl::functions {
namespace {

class ShellCommand final : public Builtin {
 public:
  explicit ShellCommand(const Parts& parts)
      : Builtin({.name = "shell-command",
                 .summary = "Runs a program in a sandbox",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "command": {"type": "string", "minLength": 1, "description": "the program: a name or a path"},
                     "args": {"type": "array"},
                     "cwd": {"type": "string", "minLength": 1, "description": "working folder below the allowed folders"},
                     "environment": {"type": "object"},
                     "stdin": {"description": "text, or a value that is written as JSON"},
                     "timeout": {"description": "seconds, ISO 8601 text or a duration object; default 30 s"},
                     "check": {"type": "boolean", "default": true, "description": "a non-zero exit is an error"},
                     "capture_output": {"type": "boolean", "default": true},
                     "allow_unsafe": {"enum": [false]},
                     "allow_destructive": {"type": "boolean", "default": false},
                     "dry_run": {"type": "boolean", "default": false}
                   },
                   "required": ["command"],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({
                   "type": "object",
                   "properties": {"return_code": {"type": "integer"}, "stdout": {"type": "string"}, "stderr": {"type": "string"}},
                   "required": ["return_code", "stdout", "stderr"]
                 })"),
                 .examples = literal(R"([{"command": "tar", "args": ["-czf", "backup.tar.gz", "data"], "allow_destructive": true}])"),
                 .destructive = true,
                 .reach = {{engine::Access::Kind::process, "/command", ""}, {engine::Access::Kind::write, "", "(the allowed folders)"}}}),
        parts_(parts) {}

  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override { return engine::EffectClass::once; }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY(spec, read_spec(call.arguments));
    json::Value words = json::Value::array();
    for (std::string& word : spec.command("")) words.push_back(std::move(word));
    return json::Value::array({json::Value::object({{"action", "run"}, {"command", std::move(words)}, {"cwd", spec.working_directory}})});
  }

  [[nodiscard]] Result<ProcessSpec> read_spec(const json::Value& arguments) const {
    PAWL_TRY(spec, read_process(arguments));
    PAWL_TRY(words, read_argument_vector(arguments.get("args")));
    PAWL_TRY(timeout, duration_argument(arguments, "timeout"));
    std::string program = text_or(arguments, "command", "");
    if (program.find('\0') != std::string::npos) return Error(ErrorClass::invalid, "process.arguments", "`command` contains a NUL");
    words.insert(words.begin(), std::move(program));
    spec.command = [words = std::move(words)](const std::string&) { return words; };
    spec.timeout = timeout.value_or(Millis(30'000));
    spec.network = parts_.options.processes_may_use_network;
    spec.write_roots = true;
    if (arguments.get("cwd").is_string()) {
      PAWL_TRY(place, parts_.roots->find(arguments.get("cwd").as_string()));
      PAWL_TRY(folder, open_place(place, O_PATH | O_DIRECTORY));
      spec.working_directory = place.display();
    }
    return spec;
  }

  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    auto spec = read_spec(call.arguments);
    if (spec.has_error()) {
      done(failed(spec.error()));
      return {};
    }
    auto shape = [what = fmt::format("'{}'", text_or(call.arguments, "command", "")), check = flag_or(call.arguments, "check", true),
                  capture = flag_or(call.arguments, "capture_output", true),
                  secrets = std::move(call.secrets)](const ProcessResult& result) {
      if (check && (result.ending == ProcessResult::Ending::signalled || result.code != 0)) {
        if (auto outcome = to_outcome(result, "stdout", what, secrets); !outcome.ok()) return outcome;
      }
      engine::Outcome outcome = to_outcome(result, "all", what, secrets);
      if (!outcome.ok()) return outcome;
      const auto text = [&](std::string_view name) { return capture ? outcome.output.get(name) : json::Value(""); };
      return engine::Outcome::success(
          json::Value::object({{"return_code", outcome.output.get("code")}, {"stdout", text("stdout")}, {"stderr", text("stderr")}}));
    };
    return run_process(parts_.processes, std::move(spec).value(), std::move(shape), std::move(done));
  }
  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_shell_command(const Parts& parts) { return std::make_unique<ShellCommand>(parts); }

}  // namespace pawl::functions
