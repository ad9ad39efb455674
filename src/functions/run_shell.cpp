// `run.shell`: a shell command in the sandbox (DSL, `run: shell`). Arguments are `$1`, `$2` ...

#include "functions/detail/builtins.hpp"
#include "functions/detail/process_call.hpp"

namespace pawl::functions {
namespace {

class RunShell final : public Builtin {
 public:
  explicit RunShell(const Parts& parts)
      : Builtin({.name = "run.shell",
                 .summary = "Runs a shell command in a sandbox",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "command": {"type": "string", "minLength": 1, "description": "given to sh -c"},
                     "arguments": {"description": "list: $1, $2, ...; map: each is name=value", "type": ["array", "object"]},
                     "stdin": {"description": "text, or a value that is written as JSON"},
                     "environment": {"type": "object"},
                     "return": {"type": "string", "enum": ["stdout", "stderr", "code", "all", "none"], "default": "stdout"},
                     "await": {"type": "boolean", "default": true}
                   },
                   "required": ["command"],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({"description": "by return: the text, the exit code, {code, stdout, stderr} or nothing"})"),
                 .examples = literal(R"([
                   {"command": "echo \"hello $1\"", "arguments": ["world"]},
                   {"command": "sort | uniq -c", "stdin": "b\na\nb\n", "return": "all"}
                 ])"),
                 .reach = {{engine::Access::Kind::process, "/command", ""}, {engine::Access::Kind::read, "", "(the allowed folders)"}}}),
        parts_(parts) {}

  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override { return engine::EffectClass::once; }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    return json::Value::array({json::Value::object(
        {{"action", "run"}, {"shell", call.arguments.get("command")}, {"arguments", call.arguments.get("arguments")}})});
  }

  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    auto spec = read_process(call.arguments);
    auto vector = read_argument_vector(call.arguments.get("arguments"));
    if (spec.has_error() || vector.has_error()) {
      done(failed(spec.has_error() ? spec.error() : vector.error()));
      return {};
    }
    const std::string_view command = call.arguments.get("command").as_string();
    if (command.find('\0') != std::string_view::npos) {
      done(invalid_arguments("`command` contains a NUL"));
      return {};
    }
    std::vector<std::string> words = {"sh", "-c", std::string(command), "sh"};
    words.insert(words.end(), vector->begin(), vector->end());
    spec->command = [words = std::move(words)](const std::string&) { return words; };
    spec->network = parts_.options.processes_may_use_network;
    spec->write_roots = parts_.options.scripts_may_write_roots && call.may_destroy;
    auto shape = [form = text_or(call.arguments, "return", "stdout"), secrets = std::move(call.secrets)](const ProcessResult& result) {
      return to_outcome(result, form, "the shell command", secrets);
    };
    return run_process(parts_.processes, std::move(spec).value(), std::move(shape), std::move(done));
  }
  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_run_shell(const Parts& parts) { return std::make_unique<RunShell>(parts); }

}  // namespace pawl::functions
