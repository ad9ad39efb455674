// `run.container`: a container through the engine's command line (`podman`, else `docker`), where there is one (DSL, `run: container`).
//
// Volumes may only be folders below the roots. The container gets no network unless processes may use it or ports are published.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/ids.hpp"
#include "base/utf8.hpp"
#include "engine/machine/machine.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/process_call.hpp"

namespace pawl::functions {
namespace {

constexpr int kEngineFailed = 125;  // exit code of the command line itself, not of the container

Error bad(std::string message) { return {ErrorClass::invalid, "container.arguments", std::move(message)}; }

// Nothing where neither is installed.
std::string container_engine(const FunctionsOptions& options) {
  if (!options.container_engine.empty()) return options.container_engine;
  for (const char* name : {"podman", "docker"}) {
    for (const char* folder : {"/usr/local/bin", "/usr/bin", "/bin"}) {
      std::string path = fmt::format("{}/{}", folder, name);
      if (::access(path.c_str(), X_OK) == 0) return path;  // Flawfinder: ignore (the folders are root's own)
    }
  }
  return "";
}

// What is a word of its own on the command line must not be taken for an option.
Result<void> check_word(std::string_view what, std::string_view word) {
  if (word.empty() || word.starts_with('-') || word.find('\0') != std::string_view::npos)
    return bad(fmt::format("'{}' is not a good {}", word, what));
  return boost::system::in_place_value;
}

using Words = std::vector<std::string>;

Result<void> add_ports(Words& words, const json::Value& ports) {
  if (!ports.is_object()) return boost::system::in_place_value;
  for (const json::Member& member : ports.members()) {
    const std::string inner = as_text(member.value);
    const auto digits = [](std::string_view text) {
      return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
    };
    if (!digits(member.name()) || !digits(inner)) return bad(fmt::format("'{}: {}' is not a pair of ports", member.name(), inner));
    words.insert(words.end(), {"--publish", fmt::format("127.0.0.1:{}:{}", member.name(), inner)});
  }
  return boost::system::in_place_value;
}

/// What runs in a container may do anything with what it is given: for who may not destroy, only look at it.
Result<void> add_volumes(Words& words, const json::Value& volumes, const Roots& roots, bool may_write) {
  if (!volumes.is_object()) return boost::system::in_place_value;
  for (const json::Member& member : volumes.members()) {
    PAWL_TRY(place, roots.find(member.name()));
    PAWL_TRY(folder, open_place(place, O_PATH));
    const std::string outer = place.display();
    for (const std::string& hidden : roots.hidden()) {
      if (hidden.starts_with(outer == "/" ? outer : outer + "/")) {
        return bad(fmt::format("the volume {} holds a folder that is shown to no workflow", member.name()));
      }
    }
    const std::string inner = as_text(member.value);
    if (!inner.starts_with('/') || inner.find(',') != std::string::npos || outer.find(',') != std::string::npos) {
      return bad(fmt::format("the volume {} must be mounted at an absolute path, without commas", member.name()));
    }
    words.insert(words.end(), {"--mount", fmt::format("type=bind,source={},target={}{}", outer, inner, may_write ? "" : ",readonly")});
  }
  return boost::system::in_place_value;
}

Result<std::string> environment_file(const std::vector<std::pair<std::string, std::string>>& environment) {
  std::string text;
  for (const auto& [name, value] : environment) {
    if (value.find('\n') != std::string::npos) return bad(fmt::format("the environment variable {} has more than one line", name));
    text += fmt::format("{}={}\n", name, value);
  }
  return text;
}

// The command is a command line in one text: words, with quotes.
Words split_command(std::string_view text) {
  Words words;
  std::string word;
  char quote = '\0';
  bool any = false;
  for (const char c : text) {
    if (quote != '\0') {
      if (c == quote) {
        quote = '\0';
      } else {
        word += c;
      }
    } else if (c == '"' || c == '\'') {
      quote = c;
      any = true;
    } else if (c == ' ' || c == '\n' || c == '\t') {
      if (any || !word.empty()) words.push_back(std::move(word));
      word.clear();
      any = false;
    } else {
      word += c;
    }
  }
  if (any || !word.empty()) words.push_back(std::move(word));
  return words;
}

class RunContainer final : public Builtin {
 public:
  explicit RunContainer(const Parts& parts)
      : Builtin({.name = "run.container",
                 .summary = "Runs a container through podman or docker",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "image": {"type": "string", "minLength": 1},
                     "name": {"type": "string", "minLength": 1},
                     "command": {"type": "string"},
                     "arguments": {"type": ["array", "object"]},
                     "ports": {"type": "object", "description": "port of this machine, on loopback: port of the container"},
                     "volumes": {"type": "object", "description": "path below the allowed folders: path in the container; read-only in a run that may not destroy"},
                     "environment": {"type": "object"},
                     "stdin": {"description": "text, or a value that is written as JSON"},
                     "pullPolicy": {"type": "string", "enum": ["ifNotPresent", "always", "never"], "default": "ifNotPresent"},
                     "lifetime": {"type": "object", "properties": {"cleanup": {"type": "string", "enum": ["always", "never", "eventually"]}, "after": {}}},
                     "return": {"type": "string", "enum": ["stdout", "stderr", "code", "all", "none"], "default": "stdout"},
                     "await": {"type": "boolean", "default": true}
                   },
                   "required": ["image"],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({"description": "by return: the text, the exit code, {code, stdout, stderr} or nothing"})"),
                 .examples = literal(
                     R"([{"image": "hello-world"}, {"image": "alpine:3", "command": "cat /data/list", "volumes": {"data": "/data"}}])"),
                 .reach = {{engine::Access::Kind::process, "/image", ""},
                           {engine::Access::Kind::process, "/command", ""},
                           {engine::Access::Kind::write, "/volumes", ""}},
                 .needs = {engine::Need::containers}}),
        parts_(parts) {}

  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override { return engine::EffectClass::once; }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY(words, read_words(call, "pawl-dry-run"));
    json::Value list = json::Value::array();
    for (std::string& word : words) list.push_back(std::move(word));
    return json::Value::array({json::Value::object({{"action", "run"}, {"command", std::move(list)}})});
  }

  // The words after the engine's name; `--env-file` comes in later, with its path.
  [[nodiscard]] Result<Words> read_words(const engine::Invocation& call, const std::string& name) const {
    const json::Value& arguments = call.arguments;
    PAWL_TRY_VOID(check_word("image", arguments.get("image").as_string()));
    PAWL_TRY_VOID(check_word("name", name));
    const std::string pull = text_or(arguments, "pullPolicy", "ifNotPresent");
    Words words = {"run", "--interactive", "--name", name, "--pull", pull == "always" ? "always" : pull == "never" ? "never" : "missing"};
    words.insert(words.end(), {"--security-opt", "no-new-privileges", "--cap-drop", "ALL"});
    words.insert(words.end(), {"--pids-limit", std::to_string(parts_.options.max_subprocesses), "--memory",
                               std::to_string(parts_.options.max_process_memory)});
    if (text_or(arguments.get("lifetime"), "cleanup", "always") != "never") words.emplace_back("--rm");
    const bool publishes = arguments.get("ports").is_object() && !arguments.get("ports").empty();
    if (!publishes && !parts_.options.processes_may_use_network) words.insert(words.end(), {"--network", "none"});
    PAWL_TRY_VOID(add_ports(words, arguments.get("ports")));
    PAWL_TRY_VOID(add_volumes(words, arguments.get("volumes"), *parts_.roots, call.may_destroy));
    words.emplace_back(arguments.get("image").as_string());
    const Words command = split_command(text_or(arguments, "command", ""));
    words.insert(words.end(), command.begin(), command.end());
    PAWL_TRY(vector, read_argument_vector(arguments.get("arguments")));
    words.insert(words.end(), vector.begin(), vector.end());
    return words;
  }

  [[nodiscard]] Result<ProcessSpec> read_spec(const std::string& program, const engine::Invocation& call, const std::string& name) const {
    PAWL_TRY(spec, read_process(call.arguments));
    PAWL_TRY(words, read_words(call, name));
    PAWL_TRY(environment, environment_file(spec.environment));
    spec.files = {{"environment", std::move(environment)}};
    spec.environment.clear();
    spec.contained = false;
    spec.command = [program, words = std::move(words)](const std::string& folder) {
      Words all = {program, words.front(), "--env-file", folder + "/environment"};
      all.insert(all.end(), words.begin() + 1, words.end());
      return all;
    };
    return spec;
  }

  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    const std::string program = container_engine(parts_.options);
    if (program.empty()) {
      done(engine::Outcome::failure(engine::make_error("configuration", 400, "No container engine",
                                                       "containers cannot be run here: neither podman nor docker is installed")));
      return {};
    }
    const std::string name = text_or(call.arguments, "name", fmt::format("pawl-{:016x}", parts_.dependencies.random.next()));
    auto spec = read_spec(program, call, name);
    if (spec.has_error()) {
      done(failed(spec.error()));
      return {};
    }
    auto shape = [form = text_or(call.arguments, "return", "stdout"), secrets = std::move(call.secrets),
                  runner = std::weak_ptr(parts_.processes), program, name](const ProcessResult& result) {
      const bool ended = result.ending == ProcessResult::Ending::exited;
      if (ended && result.code == kEngineFailed) {
        return engine::Outcome::failure(
            engine::make_error("configuration", 400, "Container engine failed",
                               redact(fmt::format("{}: {}", program, to_utf8(result.error_output.substr(0, 2000))), secrets)));
      }
      if (!ended) remove_container(runner, program, name);
      return to_outcome(result, form, "the container", secrets);
    };
    return run_process(parts_.processes, std::move(spec).value(), std::move(shape), std::move(done));
  }

  // The command line is gone, the container is not.
  static void remove_container(const std::weak_ptr<ProcessRunner>& runner, const std::string& program, const std::string& name) {
    const auto alive = runner.lock();
    if (!alive) return;
    ProcessSpec spec;
    spec.contained = false;
    spec.timeout = Millis(30'000);
    spec.command = [program, name](const std::string&) { return Words{program, "rm", "--force", name}; };
    alive->start(std::move(spec), [](const ProcessResult&) {});
  }

  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_run_container(const Parts& parts) { return std::make_unique<RunContainer>(parts); }

}  // namespace pawl::functions
